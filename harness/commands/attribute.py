"""`harness attribute`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.errors import UsageError
from benchmarks.suggestion import suggestion
from harness.commands.options import answer, json_option

if TYPE_CHECKING:
    from harness.experiments.factorial import Result


@click.command(epilog="""\b
Examples:
  harness attribute share-sampler-gamma-seed-digits201 --out figures/factorial
  harness attribute results/published/digits201-controls --where criterion=nonlinear --json
  harness attribute share-sampler --where gamma=2 --population 'top 150'
""")
@click.argument("subjects", metavar="SWEEP|RUNS...", nargs=-1, required=True)
@click.option("--where", multiple=True, metavar="FIELD=VALUE", help="Only runs with that level; can be given several times.")
@click.option("--population", help="Judge by tau on that population of the runs, such as 'top 150'.")
@click.option("--unequal", is_flag=True, help="Compare although the runs made different numbers of subnet passes.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write PATH.csv, PATH.png and PATH.pdf.")
@json_option
def attribute(subjects: tuple[str, ...], where: tuple[str, ...], population: str | None, unequal: bool, out: Path | None,
              as_json: bool) -> None:
    """What each varied factor is worth: main effects and two-way interactions on tau, with intervals over paired seeds.

    Of one sweep, or of runs (names, folders, or folders that hold some). They have to be a full factorial at equal subnet passes;
    everything that differs between them, but the seed, is a factor.
    """
    from harness.experiments.attribution import attribute as effects_of
    from harness.experiments.factorial import factorial, varied
    from harness.figures.effects import KIND, effects_frame
    from harness.progress import Reporter
    from harness.report.attribution import attribution_table, inequality_line

    results = _results(subjects, population)
    if not results:
        raise UsageError(f"None of the runs of {', '.join(subjects)} is finished; run the sweep first.")
    for text in where:
        name, equals, level = text.partition("=")
        if not equals:
            raise UsageError(f"--where {text} is no condition; write --where FIELD=VALUE.")
        if not any(result.levels.get(name) == level for result in results):
            raise _unknown(name, level, results)
        results = [result for result in results if result.levels[name] == level]
    factors = varied(results)
    results = [replace(result, levels={name: result.levels[name] for name in factors}) for result in results]
    if (passes := inequality_line(results, "passes")) and not unequal:
        raise UsageError(f"Subnet {passes}, so effects would be those of the budget; give runs of equal passes, or say "
                         "--unequal.")
    design = factorial(results)
    effects = effects_of(design.values, design.factors, design.levels)
    warnings = [f"Budgets are unequal: {line}." for line in (passes, inequality_line(results, "flops")) if line]
    warnings += [f"Seed {seed} is left out, as it lacks {cells}." for seed, cells in design.left_out.items()]
    if len(design.seeds) == 1:
        warnings.append("With one seed there are no intervals.")
    drawn: list[Path] = []
    with Reporter() as reporter:
        for line in warnings:
            reporter.say(line)
        if out is not None:
            drawn = list(KIND.write(effects_frame(effects), out))
            reporter.say(f"Written: {', '.join(map(str, drawn))}")
    content = {"factors": dict(zip(design.factors, map(list, design.levels), strict=True)), "seeds": list(design.seeds),
               "effects": [effect.to_json() for effect in effects], "warnings": warnings, "files": [str(path) for path in drawn]}
    answer(as_json, content, attribution_table(design, effects))


def _unknown(name: str, level: str, results: "list[Result]") -> UsageError:
    """What is wrong with a condition that none of the results, at least one, meets."""
    from harness.experiments.factorial import varied

    factors = varied(results) or results[0].levels
    if not any(name in result.levels for result in results):
        return UsageError(f"No run has a field '{name}'{suggestion(name, factors) or ';'} choose from {', '.join(factors)}.")
    levels = sorted({result.levels[name] for result in results if name in result.levels})
    return UsageError(f"No run has {name}={level}{suggestion(level, levels) or ';'} choose from {', '.join(levels)}.")


def _results(subjects: tuple[str, ...], population: str | None) -> "list[Result]":
    """The results of a sweep, or of runs."""
    from harness.experiments.observations import of_runs, of_sweep
    from harness.experiments.sweep import Sweep, find_sweep
    from harness.runs.collection import collect

    folder = find_sweep(subjects[0]) if len(subjects) == 1 else None
    if folder is not None:
        return of_sweep(Sweep.read(folder), population)
    return of_runs(collect(subjects).records, population)
