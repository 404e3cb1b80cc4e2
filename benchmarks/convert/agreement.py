"""What a table says twice must agree: most files carry no checksums, and a flipped bit gives another plausible number.

Four facts of the official results are checked: there are few seeds, an accuracy counts correct images, a mean is that of its
seeds, and valtest is the mean of valid and test, which are equally large. They find most damage, not all: the summary of an
import gives the sha256 of its source. What an official file says more than once beyond that is in `redundancy`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.column import ACCURACY, NewColumn
from benchmarks.convert.naming import NASLIB, SOURCES
from benchmarks.errors import DataError
from benchmarks.truth import TRAIN, TruthKey

OFFICIAL = tuple(source for source in SOURCES.values() if source != NASLIB)
# (dataset, split) -> images that the accuracy counts; of cifar10, valid is the half that was not trained on.
IMAGES = {
    ("cifar10", "test"): 10_000, ("cifar10", "valid"): 25_000,
    ("cifar100", "test"): 5_000, ("cifar100", "valid"): 5_000, ("cifar100", "valtest"): 10_000,
    ("ImageNet16-120", "test"): 3_000, ("ImageNet16-120", "valid"): 3_000, ("ImageNet16-120", "valtest"): 6_000,
}
# (dataset, train_on) -> images that were trained on.
TRAINED = {("cifar10", "full"): 50_000, ("cifar10", "half"): 25_000, ("cifar100", "full"): 50_000,
           ("ImageNet16-120", "full"): 151_700}
# epochs -> all seeds that an architecture can have; after 12 epochs on half of CIFAR-10 it has two.
SEEDS = {200: ("777", "888", "999"), 12: ("111",)}
SEEDS_12_HALF = ("111", "777")
# Means of one, two or three trials are all whole numbers of sixths of an image; float32 sums are off by 1e-5 of one.
SIXTHS, WHOLE = 6, 1e-3
# Where more values than this are no whole numbers the source was rounded; where fewer are, these few are damaged.
ROUNDED = 0.1
# Per cent: what rounding to two decimals may cost a mean, and a difference of two.
TOLERANCE = 0.02


def check_agreement(columns: Sequence[NewColumn]) -> None:
    """DataError, naming column and architecture, when columns [n_arch] contradict themselves or each other."""
    for column in columns:
        _has_its_seed(column)
    official = [column for column in columns if column.key.source in OFFICIAL and column.quantity == ACCURACY]
    for column in official:
        _counts_images(column)
    found = {(column.key, column.seed): column for column in official}
    for (key, seed), column in found.items():
        seeds = [found.get((key, s)) for s in _seeds(key)]
        if seed == "mean" and seeds and all(seeds):
            trials = np.stack([c.values for c in seeds if c is not None], axis=1)
            count = np.isfinite(trials).sum(axis=1)
            total = np.nansum(trials, axis=1)
            mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
            _compare(column, mean, "the mean of its seeds")
        if key.split == "valtest":
            halves = [found.get((replace(key, split=split), seed)) for split in ("valid", "test")]
            if halves[0] is not None and halves[1] is not None:
                _compare(column, (halves[0].values + halves[1].values) / 2, "the mean of valid and test")


def images(key: TruthKey) -> int | None:
    """How many images an accuracy of that key counts; None when that is not known."""
    return TRAINED.get((key.dataset, key.train_on)) if key.split == TRAIN else IMAGES.get((key.dataset, key.split))


def _has_its_seed(column: NewColumn) -> None:
    seeds = _seeds(column.key)
    if column.key.source in OFFICIAL and column.seed.isdigit() and seeds and column.seed not in seeds:
        raise DataError(f"Column {column.name} is of seed {column.seed}, and after {column.key.epochs} epochs the official files "
                        f"have {', '.join(seeds)} only; get the file again, or correct the name.")


def _seeds(key: TruthKey) -> tuple[str, ...]:
    return SEEDS_12_HALF if (key.epochs, key.train_on) == (12, "half") else SEEDS.get(key.epochs, ())


def _counts_images(column: NewColumn) -> None:
    count = images(column.key)
    if count is None:
        return
    sixths = column.values / 100 * count * SIXTHS
    broken = np.abs(sixths - np.rint(sixths)) > WHOLE
    if 0 < broken.sum() <= ROUNDED * np.isfinite(sixths).sum():
        i = int(np.flatnonzero(broken)[0])
        raise DataError(f"Column {column.name} has {column.values[i]} for architecture {i}, which counts no whole "
                        "images although its other values do, so the file is damaged; get it again.")


def _compare(column: NewColumn, expected: NDArray[np.float64], what: str) -> None:
    differ = np.flatnonzero(np.abs(column.values - expected) > TOLERANCE)
    if len(differ):
        i = int(differ[0])
        raise DataError(f"Column {column.name} has {column.values[i]} for architecture {i} and {what} is "
                        f"{expected[i]}, so the file is damaged; get it again.")
