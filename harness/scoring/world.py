"""What commands hand to criteria when nothing is trained; networks only where one needs some, as those take torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.benchmark import Benchmark, Population
from benchmarks.errors import UsageError
from benchmarks.truth import GroundTruth
from criteria.base import Context, Criterion
from harness.progress import Reporter
from harness.scoring.deadline import SECONDS
from harness.store import find_run


@dataclass(frozen=True)
class Machine:
    """What must not change a result: where networks are, and how long a criterion may take.

    device: auto, cpu or cuda. jobs: processes at once, 0 = as many as suit. time_limit: seconds.
    """

    device: str = "auto"
    jobs: int = 0
    time_limit: float = SECONDS


def context_of(benchmark: Benchmark, dataset: str, seed: int, truth: GroundTruth | None, chosen: Iterable[Criterion],
               machine: Machine, reporter: Reporter, sample: Population | None = None) -> Context:
    """The context of a dataset of a benchmark for these criteria; networks are measured for the sample, None = all."""
    laboratory = None
    if any("network" in criterion.needs for criterion in chosen):
        from harness.scoring.laboratory import Laboratory

        laboratory = Laboratory(benchmark.name, dataset, seed, machine.device, machine.jobs, reporter)
    return Context(benchmark.space, benchmark.skeleton_for(dataset), seed, truth, laboratory,
                   None if sample is None else sample.members)


def reseeded(context: Context, seed: int) -> Context:
    """The same world with another seed, also of its networks."""
    laboratory: Any = context.laboratory
    return replace(context, seed=seed, laboratory=laboratory and replace(laboratory, seed=seed))


def with_supernet(chosen: Sequence[Criterion], run: str) -> list[Criterion]:
    """The criteria, of which those that can ask a trained supernet ask that of a run.

    UsageError when none of them can or there is no such run.
    """
    found: list[Any] = list(chosen)
    if not any(hasattr(each, "supernet") for each in found):
        raise UsageError("None of these criteria can ask a trained supernet; leave --supernet out, or name one that has the "
                         "parameter supernet, such as gradient_matching.")
    find_run(run)
    return [replace(each, supernet=run) if hasattr(each, "supernet") else each for each in found]


def weights_of(criterion: Criterion) -> str | None:
    """Which weights a criterion asks that can ask trained ones: 'at initialisation' or a run; None for all others."""
    run: str | None = getattr(criterion, "supernet", None)
    return None if run is None else f"run {run}" if run else "at initialisation"
