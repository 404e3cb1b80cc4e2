"""All that a run's own page says, from its record and what lies in its folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import DataError
from harness.report.page.curve import Curves, curves
from harness.report.summary import LABELS, MISSING, clock, interval, scaled, three, two
from harness.runs.collection import Record

JUDGED = ("population", "n", "tau-b [95 % interval]", "ceiling", "Spearman", "within", "across", "top 10 %", "top 1 %",
          "regret@1", "regret@10", "regret@100")
STAGES = ("stage", "time", "device", "processor", "memory", "Python", "PyTorch", "commit")
COMMIT_DIGITS = 12


@dataclass(frozen=True)
class Sheet:
    """A run as its page shows it: tables as rows of text, facts as (name, text)."""

    record: Record
    judged: tuple[tuple[str, ...], ...]
    undefined: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, ...], ...]
    curves: Curves | None
    no_curves: str
    budget: tuple[tuple[str, str], ...]
    keys: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, str], ...]
    stages: tuple[tuple[str, ...], ...]
    packages: str
    spec: str

    @property
    def tau(self) -> str:
        """Its tau-b with its interval, on the population that it is judged on."""
        return interval(self.record.populations[self.record.population]["tau"])

    @property
    def ceiling(self) -> str:
        """The tau-b that noise in the truth leaves reachable."""
        return three(self.record.value("tau", "ceiling"))


def sheet(record: Record) -> Sheet:
    """The sheet of a run; a part of it that is damaged or not there is said to be, and is no error."""
    try:
        found, why = curves(record), "No training curve is stored with this run."
    except DataError as error:
        found, why = None, f"The training curve is damaged: {error}"
    stages = {name: facts for name, facts in sorted(record.provenance.items())
              if isinstance(facts, Mapping) and "packages" in facts}
    keys = [("weights", record.name.rpartition("-")[2]), ("metrics", record.key)]
    if record.estimates_file is not None:
        keys.insert(1, ("estimates", record.estimates_file.stem.removeprefix("estimates-")))
    labels = tuple((text, interval(record.labels[name])) for name, text in LABELS.items() if name in record.labels)
    used = tuple((f"sha256 of {name}", text) for name, text in sorted(record.sources.items()) if text)
    return Sheet(
        record, tuple(_judged(name, measures) for name, measures in record.populations.items()), tuple(_undefined(record)),
        labels, tuple(_parts(record)), found, why,
        _budget(record), tuple(keys), used, tuple(_stage(name, facts) for name, facts in stages.items()), _packages(stages),
        toml(record.spec.as_dict()))


def _budget(record: Record) -> tuple[tuple[str, str], ...]:
    """What the training cost in all; where a parent was trained before, what of it is inherited."""
    budget, found = record.budget, []
    for name, spent, text in (("passes", budget.passes, "{:,.0f}".format), ("images", budget.images, "{:,.0f}".format),
                              ("flops", budget.flops, lambda value: scaled(value).rstrip())):
        before = record.inherited.get(name, 0)
        found.append(f"{text(spent)} = {text(spent - before)} of its own + {text(before)} inherited" if before else text(spent))
    return (("supernets", f"{budget.supernets:,}"), ("parameters in all", f"{budget.parameters:,}"),
            *zip(("subnet passes", "training images", "FLOPs (a multiply-add is one)"), found, strict=True))


def _judged(name: str, measures: Mapping[str, Any]) -> tuple[str, ...]:
    tau, parts = measures["tau"], measures.get("decomposition") or {}
    top, regret = measures["tau_top"], measures["regret"]
    return (name, f"{tau['n']:,}", interval(tau), three(tau["ceiling"]), three(measures["spearman"]), three(parts.get("within")),
            three(parts.get("across")), *(three(top.get(share, {}).get("value")) for share in ("0.1", "0.01")),
            *(two(regret.get(size, {}).get("mean")) for size in ("1", "10", "100")))


def _undefined(record: Record) -> list[str]:
    return [f"{name}: undefined estimates ({found['n_undefined']:,}) are ranked last; without them tau-b is "
            f"{interval(found['tau_finite'])} (n = {found['tau_finite']['n']:,})."
            for name, found in record.populations.items() if found["n_undefined"]]


def _parts(record: Record) -> list[tuple[str, ...]]:
    """(name, architectures, of them judged, tau-b among these) of each part."""
    split = record.populations[record.population].get("decomposition") or {}
    sizes, taus = split.get("sizes") or [], split.get("parts") or []
    same = len(sizes) == len(taus) == len(record.parts)
    return [(name, f"{size:,}", *((f"{sizes[i]:,}", three(taus[i])) if same else (MISSING, MISSING)))
            for i, (name, size) in enumerate(zip(record.part_names, record.parts, strict=True))]


def _stage(name: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    seconds, memory = facts.get("process_seconds", facts.get("seconds")), facts.get("peak_memory_mib")
    return (name, MISSING if seconds is None else clock(seconds), str(facts.get("device") or MISSING),
            f"{facts.get('processor') or facts.get('machine') or MISSING}, {facts.get('cores', '?')} cores",
            MISSING if memory is None else f"{memory:,.0f} MiB", str(facts.get("python") or MISSING),
            str(facts["packages"].get("torch") or MISSING), _commit(facts.get("commit")))


def _commit(text: str | None) -> str:
    digits, plus, changes = (text or MISSING).partition("+")
    return digits[:COMMIT_DIGITS] + plus + changes


def _packages(stages: Mapping[str, Mapping[str, Any]]) -> str:
    found = {f"{name} {version}" for facts in stages.values() for name, version in facts["packages"].items() if version}
    return ", ".join(sorted(found))


def toml(fields: Mapping[str, Any], section: str = "") -> str:
    """The fields of a spec as `harness run --config` reads them; those that are None are left out."""
    plain = {name: value for name, value in fields.items() if not isinstance(value, Mapping) and value is not None}
    lines = [f"{name} = {_quoted(value)}" for name, value in plain.items()]
    blocks = ["\n".join([f"[{section}]", *lines] if section else lines)]
    blocks += [toml(value, f"{section}.{name}".lstrip(".")) for name, value in fields.items() if isinstance(value, Mapping)]
    return "\n\n".join(blocks)


def _quoted(value: Any) -> str:
    """A value as TOML has it: of its characters those that cannot be printed are codes."""
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in json.dumps(value, ensure_ascii=False))
