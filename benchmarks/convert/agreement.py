"""What a source says twice must agree: most files carry no checksums, and a flipped bit gives another plausible number.

Three facts of the official results are checked: an accuracy counts correct images, a mean is that of its seeds, and
valtest is the mean of valid and test, which are equally large. They find most damage, not all: the summary of an import
gives the sha256 of its source.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.convert.naming import SOURCES, V11_SEEDS, Values
from benchmarks.errors import DataError
from benchmarks.truth import TruthKey

# (dataset, split) -> images that the accuracy counts; of cifar10, valid is the half that was not trained on.
IMAGES = {
    ("cifar10", "test"): 10_000, ("cifar10", "valid"): 25_000,
    ("cifar100", "test"): 5_000, ("cifar100", "valid"): 5_000, ("cifar100", "valtest"): 10_000,
    ("ImageNet16-120", "test"): 3_000, ("ImageNet16-120", "valid"): 3_000, ("ImageNet16-120", "valtest"): 6_000,
}
# Means of one, two or three trials are all whole numbers of sixths of an image; float32 sums are off by 1e-5 of one.
SIXTHS, WHOLE = 6, 1e-3
# Where more values than this are no whole numbers the source was rounded; where fewer are, these few are damaged.
ROUNDED = 0.1
# Per cent: what rounding to two decimals may cost a mean, and a difference of two.
TOLERANCE = 0.02


def check_agreement(columns: Sequence[Values]) -> None:
    """DataError, naming column and architecture, when columns [n_arch] contradict themselves or each other."""
    official = [column for column in columns if column.meaning.key.source in SOURCES.values()]
    for column in official:
        _counts_images(column)
    found = {(column.meaning.key, column.meaning.seed): column for column in official}
    for (key, seed), column in found.items():
        seeds = [found.get((key, s)) for s in V11_SEEDS[3]]
        if seed == "mean" and all(seeds):
            trials = np.stack([c.values for c in seeds if c is not None], axis=1)
            count = np.isfinite(trials).sum(axis=1)
            total = np.nansum(trials, axis=1)
            mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
            _compare(column, mean, "the mean of its seeds")
        if key.split == "valtest":
            halves = [found.get((_with_split(key, split), seed)) for split in ("valid", "test")]
            if halves[0] is not None and halves[1] is not None:
                _compare(column, (halves[0].values + halves[1].values) / 2, "the mean of valid and test")


def _with_split(key: TruthKey, split: str) -> TruthKey:
    return TruthKey(key.source, key.dataset, split, key.epochs, key.train_on)


def _counts_images(column: Values) -> None:
    key = column.meaning.key
    sixths = column.values / 100 * IMAGES[key.dataset, key.split] * SIXTHS
    broken = np.abs(sixths - np.rint(sixths)) > WHOLE
    if 0 < broken.sum() <= ROUNDED * np.isfinite(sixths).sum():
        i = int(np.flatnonzero(broken)[0])
        raise DataError(f"Column {column.name} has {column.values[i]} for architecture {i}, which counts no whole "
                        "images although its other values do, so the file is damaged; get it again.")


def _compare(column: Values, expected: NDArray[np.float64], what: str) -> None:
    differ = np.flatnonzero(np.abs(column.values - expected) > TOLERANCE)
    if len(differ):
        i = int(differ[0])
        raise DataError(f"Column {column.name} has {column.values[i]} for architecture {i} and {what} is "
                        f"{expected[i]}, so the file is damaged; get it again.")
