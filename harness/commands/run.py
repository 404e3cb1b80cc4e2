"""`harness run`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.commands.options import answer, json_option, time_limit_option


@click.command(epilog="""\b
Examples:
  harness run --criterion nonlinear --k 3
  harness run --benchmark nasbench201 --dataset cifar10 --criterion nonlinear --k 3 --budget cpu
  harness run --criterion 'random[like=nonlinear]' --k 3 --set recipe.lr=0.1 --json
""")
@click.option("--benchmark", help="digits201 (comes with the harness, the default) or nasbench201.")
@click.option("--dataset", help="Dataset of the benchmark; its first one by default.")
@click.option("--criterion", help="What splits: a name of `harness list criteria`, name[parameter=value], or ./file.py:Class.")
@click.option("--k", type=int, help="Number of parts.")
@click.option("--seed", type=int, help="Of initialisation, sampling, data order and random criteria.")
@click.option("--preset", help="A published method: `harness list presets`.")
@click.option("--budget", help="smoke (the default), cpu or full (as the papers).")
@click.option("--sampler", help="uniform, balanced, sbs, strict or greedy: `harness list samplers`.")
@click.option("--share", help="part: a supernet for each part; all: one supernet, the partition steers only the sampling; "
              "layers: one with copies of its later cells; mixture: one with copies of every weight.")
@click.option("--gamma", type=int, help="Channels are divided by it.")
@click.option("--cells", type=int, help="Cells per stage of the supernets.")
@click.option("--estimator", help="accuracy (the default), loss, angle, or a sum: accuracy+naswot+params adds logarithms "
                                  "of ranks, rank_sum[angle+accuracy] ranks.")
@click.option("--truth", metavar="KEY", help="A truth key (v1_0/cifar10/test/200/full) or the name of an imported column.")
@click.option("--population", help="What the run is judged on: all, connected or distinct.")
@click.option("--images", help="Images behind the estimates: valid (the default) or test.")
@click.option("--norm", help="Batch-norm of estimates: batch (the default), or recalibrated on training images for each path.")
@click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help="Any field of a run, such as recipe.lr=0.05.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with the same fields; flags beat it.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--jobs", type=click.IntRange(min=0), default=0,
              help="Processes at once; by default one a supernet, and one a core for estimates.")
@time_limit_option
@json_option
def run(assignments: tuple[str, ...], config: Path | None, device: str, jobs: int, time_limit: float, as_json: bool,
        **flags: Any) -> None:
    """Split the space, train the supernets, estimate the architectures and compare with the ground truth.

    Run the same command again to go on where it stopped; a finished run only says where its results are.
    """
    from harness.presets import read_config, resolve

    spec = resolve(read_config(config) if config else {}, fields_of(flags, assignments))

    from harness.figures import parts
    from harness.progress import Reporter
    from harness.report.summary import summary
    from harness.runs.collection import read_record
    from harness.runs.run import Run
    from harness.runs.runner import execute
    from harness.scoring.world import Machine

    prepared = Run.prepare(spec)
    finished = prepared.finished
    with Reporter() as reporter:
        metrics = execute(prepared, Machine(device, jobs, time_limit), reporter)
        name = f"accuracy-per-part-{prepared.keys.metrics}"
        if not (prepared.folder / f"{name}.csv").exists():
            frame = parts.KIND.frame([read_record(prepared.metrics_file)])
            parts.KIND.write(frame, prepared.folder / name, parts.fitting(frame))
        reporter.say(f"{'Already finished' if finished else 'Results'}: {prepared.folder}")
        reporter.say(f"Figure: {prepared.folder / name}.png")
    content = {"run": str(prepared.folder), "key": prepared.keys.metrics, "tau": metrics["tau"], "parts": metrics["parts"],
               "budget": metrics["budget"]}
    answer(as_json, content, summary(metrics, prepared.folder))


def fields_of(flags: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """The fields of a run that its flags and `--set` name."""
    from harness.presets import FIELD_OF, assignment, merge

    given: dict[str, Any] = {}
    for name, value in flags.items():
        if value is not None:
            section, _, field = FIELD_OF.get(name, name).partition(".")
            given = merge(given, {section: {field: value} if field else value})
    for text in assignments:
        given = merge(given, assignment(text))
    return given
