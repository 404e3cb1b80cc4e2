"""What commands hand to criteria when nothing is trained; networks only where one needs some, as those take torch."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.benchmark import Benchmark
from benchmarks.truth import GroundTruth
from criteria.base import Context, Criterion
from harness.progress import Reporter


@dataclass(frozen=True, eq=False)
class Machine:
    """Where networks are measured, for criteria that need some.

    device: auto, cpu or cuda. jobs: processes at once, 0 = as many as suit. reporter: hears how far it is.
    """

    device: str
    jobs: int
    reporter: Reporter


def context_of(benchmark: Benchmark, dataset: str, seed: int, truth: GroundTruth | None, chosen: Iterable[Criterion],
               machine: Machine) -> Context:
    """The context of a dataset of a benchmark for these criteria."""
    laboratory = None
    if any("network" in criterion.needs for criterion in chosen):
        from harness.laboratory import Laboratory

        laboratory = Laboratory(benchmark.name, dataset, seed, machine.device, machine.jobs, machine.reporter)
    return Context(benchmark.space, benchmark.skeleton_for(dataset), seed, truth, laboratory)


def reseeded(context: Context, seed: int) -> Context:
    """The same world with another seed, also of its networks."""
    laboratory: Any = context.laboratory
    return replace(context, seed=seed, laboratory=laboratory and replace(laboratory, seed=seed))
