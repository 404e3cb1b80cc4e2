"""`harness list`."""

from typing import Any

import click

from harness.commands.options import answer, json_option

KINDS = ("criteria", "benchmarks", "samplers", "estimators", "presets", "figures", "runs")


@click.command("list", epilog="""\b
Examples:
  harness list
  harness list criteria --json
""")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@json_option
def list_(kind: str | None, as_json: bool) -> None:
    """What there is: criteria, benchmarks, samplers, estimators, presets, figures, runs; where they come from, what they need."""
    from rich.console import Group
    from rich.table import Table

    from harness.report.summary import line

    kinds = (kind,) if kind else KINDS
    content = {each: _entries(each) for each in kinds}
    grids = []
    for each in kinds:
        grid = Table(title=each, title_justify="left", box=None, pad_edge=False)
        for name in content[each][0] if content[each] else ():
            grid.add_column(name)
        for entry in content[each]:
            grid.add_row(*(line(str(value) if value is not None else "-") for value in entry.values()))
        grids.append(grid if content[each] else f"{each}\nnone yet")
    answer(as_json, content, Group(*(part for grid in grids for part in (grid, ""))))


def _entries(kind: str) -> list[dict[str, Any]]:
    return {"criteria": _criteria, "benchmarks": _benchmarks, "samplers": _samplers, "estimators": _estimators,
            "presets": _presets, "figures": _figures, "runs": _runs}[kind]()


def _criteria() -> list[dict[str, Any]]:
    from criteria.registry import criteria

    found = [criteria.describe(name) for name in criteria.names()]
    return [{"name": d.name, "what": d.summary, "parameters": " ".join(f"{p.name}={p.default}" for p in d.parameters),
             "needs": " ".join(d.needs) or None, "parts": d.fixed_k, "reference": d.reference or None, "origin": d.origin}
            for d in found]


def _benchmarks() -> list[dict[str, Any]]:
    from benchmarks.benchmark import NAMES, benchmark

    return [{"name": bench.name, "dataset": dataset, "architectures": len(bench.space), "default truth": bench.truth_for(dataset)}
            for bench in map(benchmark, NAMES) for dataset in bench.datasets]


def _samplers() -> list[dict[str, Any]]:
    from harness.training.sampling import samplers

    found = [samplers.describe(name) for name in samplers.names()]
    return [{"name": d.name, "what": d.summary, "origin": d.origin} for d in found]


def _estimators() -> list[dict[str, Any]]:
    from harness.estimation.estimators import estimators

    found = [estimators.describe(name) for name in estimators.names()]
    return [{"name": d.name, "what": d.summary, "origin": d.origin} for d in found]


def _presets() -> list[dict[str, Any]]:
    from harness.presets import preset, preset_names

    return [{"name": name, "what": preset(name)["summary"], "criterion": preset(name)["criterion"], "k": preset(name)["k"],
             "sampler": preset(name)["sampler"]} for name in preset_names()]


def _figures() -> list[dict[str, Any]]:
    from harness.figures.gallery import FIGURES

    return [{"name": kind.name, "what": kind.about} for kind in FIGURES.values()]


def _runs() -> list[dict[str, Any]]:
    from harness.runs.collection import read_record, spec_of
    from harness.store import results_home, run_folders

    found = []
    for folder in run_folders(results_home()):
        spec, records = spec_of(folder), [read_record(path) for path in folder.glob("metrics-*.json")]
        found.append({"name": folder.name, "state": "finished" if records else "unfinished", "sampler": spec.sampler,
                      "share": spec.share, "passes": spec.passes})
    return found
