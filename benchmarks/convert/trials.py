"""The trials of an official file as columns: one for each quantity, dataset, split, epochs and seed that has a value.

Two things are said once instead of once per seed. Times and latencies of v1_1 and NATS-Bench were calibrated afterwards and are
the same for every seed of an architecture; they have the seed "mean", and an architecture whose seeds differ has them under its
seeds instead. Parameters and FLOPs have closed forms (`benchmarks.cost`), so only what differs from them is kept: of about 1 % of
the architectures the files hold other numbers. Which column a number comes to depends on its source and its architecture alone,
so that a file and its pieces make one table.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks import cost
from benchmarks.benchmark import benchmark
from benchmarks.column import N_ARCH, NewColumn
from benchmarks.convert.confined import Official
from benchmarks.convert.naming import column_name
from benchmarks.errors import DataError
from benchmarks.pickles.record import DATASETS, FIELDS
from benchmarks.truth import TRAIN, TruthKey

HALF = "cifar10-valid"
MEASURED = ("seconds", "latency")
CALIBRATED = ("v1_1", "nats")
# Relative: what the order of a sum may change.
SAME = 1e-9
CLOSED = {"params": cost.params, "flops": cost.flops}
# Millions; the files give six decimals of a whole number.
HALF_A_UNIT = 5e-7


def official_columns(official: Official) -> list[NewColumn]:
    """Every column of an official source that has a value, accuracies and all else.

    Raises DataError for a trial that stands twice or of an architecture that there is not.
    """
    trials = official.trials
    if (trials["index"] >= N_ARCH).any() or (trials["dataset"] >= len(DATASETS)).any():
        raise DataError("It has trials of architectures or data sets that there are not; get the file again.")
    _refuse_twice(trials)
    columns = []
    for dataset in np.unique(trials["dataset"]):
        for epochs in np.unique(trials["epochs"]):
            chosen = trials[(trials["dataset"] == dataset) & (trials["epochs"] == epochs)]
            for field in FIELDS:
                columns += _columns(official.source, DATASETS[dataset], int(epochs), field, chosen)
    return columns


def place(field: str) -> tuple[str, str]:
    """The quantity and the split of a field of a trial; what belongs to the network itself has the split train."""
    split, _, quantity = field.rpartition("_")
    return quantity, split or TRAIN


def official_key(source: str, dataset: str, split: str, epochs: int) -> TruthKey:
    """The key of a split of an official dataset; cifar10-valid is CIFAR-10 of which one half was trained on."""
    return TruthKey(source, "cifar10" if dataset == HALF else dataset, split, epochs, "half" if dataset == HALF else "full")


def _columns(source: str, dataset: str, epochs: int, field: str, trials: NDArray[np.void]) -> list[NewColumn]:
    """One column per seed, one for all of them where they say the same, none where nothing is known."""
    quantity, split = place(field)
    key = official_key(source, dataset, split, epochs)
    seeds, column = np.unique(trials["seed"], return_inverse=True)
    values = np.full((N_ARCH, len(seeds)), np.nan)
    values[trials["index"], column] = trials[field]
    if quantity in CLOSED:
        values[np.abs(values - closed_form(quantity, key.dataset)[:, None]) <= HALF_A_UNIT] = np.nan
    known = ~np.isnan(values)
    if not known.any():
        return []
    columns = {str(seed): values[:, s] for s, seed in enumerate(seeds)}
    if quantity in MEASURED and source in CALIBRATED:
        first = values[np.arange(len(values)), known.argmax(axis=1)]
        # What is infinite is refused later.
        with np.errstate(invalid="ignore"):
            apart = np.abs(values - first[:, None]) > SAME * np.abs(first[:, None])
        agree = ~apart.any(axis=1)
        columns = {"mean": np.where(agree, first, np.nan),
                   **{seed: np.where(agree, np.nan, of_seed) for seed, of_seed in columns.items()}}
    return [NewColumn(column_name(key, seed, quantity), key, seed, of_seed, quantity)
            for seed, of_seed in columns.items() if not np.isnan(of_seed).all()]


def closed_form(quantity: str, dataset: str) -> NDArray[np.float64]:
    """float64 [n_arch], millions: what the networks of a data set have."""
    bench = benchmark("nasbench201")
    return CLOSED[quantity](bench.space, bench.skeleton_for(dataset)) / 1e6


def _refuse_twice(trials: NDArray[np.void]) -> None:
    names = trials[["index", "epochs", "dataset", "seed"]]
    order = np.argsort(names, order=("index", "epochs", "dataset", "seed"), kind="stable")
    again = np.flatnonzero(names[order][1:] == names[order][:-1])
    if len(again):
        index, epochs, dataset, seed = names[order[again[0]]].tolist()
        raise DataError(f"Architecture {index} has seed {seed} of {DATASETS[dataset]} after {epochs} epochs twice; get the "
                        "file again.")
