"""What `harness verify` found, as it is printed."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.report.summary import line, table
from harness.runs.check import DIFFERENT, Check
from harness.runs.verification import Verification

# More differences than these of one check follow from the first ones.
MOST = 5


def verification_table(found: Sequence[Verification]) -> RenderableType:
    """A row a run, what differs, and what was not checked and why."""
    rows = [(each.folder.name, each.state) for each in found]
    lines: list[RenderableType] = [table(("run", "verdict"), rows), Text()]
    lines += [line(said) for each in found for said in differences(each)]
    reasons: dict[str, int] = {}
    for each in found:
        for check in each.checks:
            if check.why and check.state != DIFFERENT:
                reasons[f"{check.what}: {check.why}"] = reasons.get(f"{check.what}: {check.why}", 0) + 1
    lines += [line(f"Not checked ({number} of {len(found)} runs): {reason}", style="dim") for reason, number in reasons.items()]
    return Group(*lines)


def differences(found: Verification) -> list[str]:
    """A sentence for each difference of a run."""
    said = []
    for check in found.checks:
        if check.state == DIFFERENT:
            said += [f"{found.folder.name}: {sentence(check, i)}." for i in range(max(1, min(MOST, len(check.mismatches))))]
            if len(check.mismatches) > MOST:
                said.append(f"{found.folder.name}: {len(check.mismatches) - MOST} more in {check.what}.")
    return said


def sentence(check: Check, position: int = 0) -> str:
    """A difference of a check in words."""
    return f"{check.what}: {check.mismatches[position]}" if check.mismatches else f"{check.what}: {check.why.rstrip('.')}"
