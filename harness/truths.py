"""The truth that a command is asked to use, and the benchmark and dataset that it is about."""

from dataclasses import dataclass

from benchmarks.benchmark import NAMES, Benchmark, benchmark
from benchmarks.errors import UsageError
from benchmarks.truth import GroundTruth, load_truth


@dataclass(frozen=True, eq=False)
class Subject:
    """What a question is about."""

    benchmark: Benchmark
    dataset: str
    truth: GroundTruth


def subject(name: str | None, dataset: str | None, key: str | None) -> Subject:
    """The benchmark, dataset and truth that are meant where any of them may be left out.

    A truth names its benchmark and dataset; a benchmark names its first dataset; a dataset its default truth. Raises
    UsageError when they contradict one another, DataError when the table is absent.
    """
    bench = benchmark(name or NAMES[0])
    if key is None:
        dataset = dataset or bench.datasets[0]
        key = bench.truth_for(dataset)
    truth = load_truth(key, bench.table)
    if name is None:
        bench = next((b for b in map(benchmark, NAMES) if truth.key.dataset in b.datasets), bench)
    return Subject(bench, dataset or truth.key.dataset, about(truth, key, bench, dataset or truth.key.dataset))


def about(truth: GroundTruth, key: str, bench: Benchmark, dataset: str) -> GroundTruth:
    """The truth itself; UsageError when it is not about that dataset of that benchmark."""
    if truth.key.dataset != bench.check_dataset(dataset):
        raise UsageError(f"Truth '{key}' is about {truth.key.dataset}, but this is about {dataset}; choose a truth of {dataset} "
                         "(`harness data list` shows them) or another --dataset.")
    return truth
