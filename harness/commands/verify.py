"""`harness verify`."""

import click

from harness.commands.options import answer, json_option


@click.command(epilog="""\b
Examples:
  harness verify results/published
  harness verify nonlinear-k3-digits201 --json
""")
@click.argument("runs", nargs=-1)
@json_option
def verify(runs: tuple[str, ...], as_json: bool) -> None:
    """Make the metrics of finished runs again from their estimates and the truth, and fail when anything differs.

    RUNS as for `harness report`. What cannot be made again is named: metrics without their truth at hand, and the weights.
    """
    from benchmarks.errors import RunError
    from harness.progress import Reporter
    from harness.report.verification import differences, verification_table
    from harness.runs.check import DIFFERENT
    from harness.runs.collection import folders_of
    from harness.runs.verification import verify as check

    folders, found = folders_of(runs), []
    with Reporter() as reporter:
        for folder in folders:
            found.append(check(folder))
            reporter.step("verify", len(found), len(folders))
    answer(as_json, {"runs": [each.to_json() for each in found]}, verification_table(found))
    wrong = [each for each in found if each.state == DIFFERENT]
    if wrong:
        raise RunError(f"{len(wrong)} of {len(found)} runs do not follow from their files, first "
                       f"{differences(wrong[0])[0].rstrip('.')}; put the files back as they were, or run it again.")
