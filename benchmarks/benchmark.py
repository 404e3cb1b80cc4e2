"""The benchmarks by name: a space, the network around its cells, the datasets and the default truth of each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.cost import NASBENCH201, Skeleton
from benchmarks.errors import UsageError
from benchmarks.seeds import derive
from benchmarks.space import Space, nasbench201
from benchmarks.suggestion import suggestion
from benchmarks.truth import GroundTruth

NAMES = ("digits201", "nasbench201")


@dataclass(frozen=True, eq=False)
class Benchmark:
    """One benchmark.

    skeleton: of the stand-alone networks, for the first dataset. shapes: dataset -> (classes, image side, channels).
    default_truth: dataset -> text of a TruthKey. table: the name of the ground-truth table.
    """

    name: str
    space: Space
    skeleton: Skeleton
    datasets: tuple[str, ...]
    shapes: Mapping[str, tuple[int, int, int]]
    default_truth: Mapping[str, str]
    table: str

    def check_dataset(self, dataset: str) -> str:
        """The dataset itself; UsageError when this benchmark has none of that name."""
        if dataset not in self.datasets:
            hint = suggestion(dataset, self.datasets) or ";"
            raise UsageError(f"Benchmark {self.name} has no dataset '{dataset}'{hint} "
                             f"choose one of {', '.join(self.datasets)}.")
        return dataset

    def skeleton_for(self, dataset: str) -> Skeleton:
        """The stand-alone network of a dataset: its classes, image side and image channels."""
        classes, size, channels = self.shapes[self.check_dataset(dataset)]
        return replace(self.skeleton, classes=classes, image_size=size, image_channels=channels)

    def drawing(self) -> NDArray[np.int64]:
        """int64 [n_arch]: the random order in which an embedded benchmark's architectures are met and their classes trained."""
        return np.random.default_rng(derive(0, self.name, "order")).permutation(len(self.space))

    def population(self, name: str, truth: GroundTruth) -> "Population":
        """The architectures of 'all', 'connected' or 'distinct' that this truth can judge.

        Of a benchmark that is only partly trained these are the uniform sample at the start of its drawing, whose classes are
        all trained: taking every architecture with a truth would favour large classes. Raises UsageError for an unknown name.
        """
        members, known = self.space.population(name), np.isfinite(truth.mean())
        if known[members].all():
            return Population(name, members)
        if truth.key.source != self.name:
            return Population(f"{name} with a truth", members[known[members]])
        order = self.drawing()
        drawn = order[: int(np.argmin(known[order]))]
        return Population(f"{name}, drawn uniformly", np.intersect1d(members, drawn))

    def truth_for(self, dataset: str) -> str:
        """The text of the default TruthKey of a dataset."""
        return self.default_truth[self.check_dataset(dataset)]


@dataclass(frozen=True, eq=False)
class Population:
    """Architectures that something is judged on: what they are called, and int64 [m] ascending official indices."""

    name: str
    members: NDArray[np.int64]


@cache
def benchmark(name: str) -> Benchmark:
    """The benchmark called `name`; UsageError with the closest name when there is none."""
    if name == "digits201":
        # Recipe A of the embedded benchmark: one cell per stage, 4 channels, 60 epochs.
        shapes = {"digits": (10, 8, 1)}
        truths = {"digits": "digits201/digits/test/60/full"}
        skeleton = Skeleton(channels=4, cells=1, classes=10, image_size=8, image_channels=1)
    elif name == "nasbench201":
        shapes = {"cifar10": (10, 32, 3), "cifar100": (100, 32, 3), "ImageNet16-120": (120, 16, 3)}
        truths = {dataset: f"nats/{dataset}/test/200/full" for dataset in shapes}
        skeleton = NASBENCH201
    else:
        hint = suggestion(name, NAMES) or ";"
        raise UsageError(f"Unknown benchmark '{name}'{hint} choose one of {', '.join(NAMES)}.")
    return Benchmark(name, nasbench201(), skeleton, tuple(shapes), MappingProxyType(shapes), MappingProxyType(truths),
                     table=name)
