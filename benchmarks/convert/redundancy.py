"""What an official file says more than once, so that damage shows although most of its forms carry no checksums.

In the genuine files an accuracy counts whole images; times and latencies were calibrated after the trainings and are the same
for every training of an architecture on one data set; parameters and FLOPs are those of some cell of the space (about one
architecture in a hundred has those of another). Not every edition keeps to all of it (the times of v1_0 were not calibrated),
so each is looked at where most of a file keeps to it. Losses are said once and not checked.

What a truth is made of is refused then: the accuracies of evaluations, which public extracts show of all architectures, each
counting images. Of the rest we know specimens and the code that wrote them. One genuine number among hundreds of thousands that
is unlike the others would keep its file out for good, and no truth depends on it: it comes in as it stands, and is stated.
Source: the genuine specimens of NATS-Bench, and the code that wrote them (github.com/D-X-Y/AutoDL-Projects).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.column import ACCURACY, QUANTITIES
from benchmarks.convert.agreement import images
from benchmarks.convert.confined import Official
from benchmarks.convert.trials import CLOSED, HALF_A_UNIT, MEASURED, SAME, closed_form, official_key, place
from benchmarks.errors import DataError
from benchmarks.pickles.record import DATASETS, FIELDS
from benchmarks.truth import TRAIN

# Of an image: genuine values are off by 1e-5 of one (float32 in the last batch).
WHOLE = 1e-4


@dataclass(frozen=True, eq=False)
class _Part:
    """Values of one field of the trainings on one data set: trials structured [n], values float64 [n], none missing."""

    source: str
    dataset: str
    field: str
    trials: NDArray[np.void]

    @property
    def values(self) -> NDArray[np.float64]:
        return np.asarray(self.trials[self.field], dtype=np.float64)


@dataclass(frozen=True)
class _Case:
    """How many values break a promise that the others keep, what they break, and the first of them."""

    count: int
    what: str
    first: str


def check_redundancy(official: Official) -> tuple[str, ...]:
    """What is odd about an official source, in words: of each promise how many values break it, and the first of them.

    Raises DataError, naming the first training, when an accuracy of an evaluation counts no whole images although most do, and
    for times and costs that are zero.
    """
    parts = [_Part(official.source, dataset, field, trials[~np.isnan(trials[field])])
             for number, dataset in enumerate(DATASETS)
             for trials in [official.trials[official.trials["dataset"] == number]] for field in FIELDS]
    odd: list[_Case] = []
    for quantity in (*MEASURED, *CLOSED):
        _refuse(_found([(part, part.values == 0) for part in _of(parts, quantity)], "nothing takes"))
    # Evaluations, trainings and latencies were measured and calibrated separately.
    for training in (True, False):
        of = [part for part in parts if (place(part.field)[1] == TRAIN) == training]
        uncounted = _broken(_of(of, ACCURACY), _uncounted, "counts no whole images")
        if training:
            odd += uncounted
        else:
            _refuse(uncounted)
        for quantity in MEASURED:
            odd += _broken(_of(of, quantity), _uncalibrated, "is not what its other trainings on that data set say")
        for quantity in CLOSED:
            odd += _broken(_of(of, quantity), _of_no_cell, "no cell has")
    return tuple(f"{case.first}, which {case.what}" + (f"; {case.count - 1:,} more" if case.count > 1 else "") for case in odd)


def _refuse(cases: Sequence[_Case]) -> None:
    for case in cases:
        raise DataError(f"{case.first}, which {case.what}, so the file is damaged; get it again.")


def _of(parts: Iterable[_Part], quantity: str) -> list[_Part]:
    return [part for part in parts if place(part.field)[0] == quantity]


def _broken(parts: list[_Part], broken: Callable[[_Part], tuple[NDArray[np.bool_], int]], what: str) -> list[_Case]:
    """broken: which values [n] break the promise, and how many could. Nothing where it is no promise, as half break it."""
    found = [broken(part) for part in parts]
    if sum(int(bad.sum()) for bad, _ in found) * 2 >= sum(able for _, able in found):
        return []
    return _found([(part, bad) for part, (bad, _) in zip(parts, found, strict=True)], what)


def _found(parts: Sequence[tuple[_Part, NDArray[np.bool_]]], what: str) -> list[_Case]:
    count = sum(int(bad.sum()) for _, bad in parts)
    for part, bad in parts:
        if bad.any():
            trial = part.trials[bad.argmax()]
            quantity, split = place(part.field)
            value = float(trial[part.field])
            first = (f"Architecture {trial['index']} has {value!r} {QUANTITIES[quantity]} as {split} {quantity} "
                     f"of {part.dataset} after {trial['epochs']} epochs with seed {trial['seed']}")
            return [_Case(count, what, first)]
    return []


def _uncounted(part: _Part) -> tuple[NDArray[np.bool_], int]:
    count = images(official_key(part.source, part.dataset, place(part.field)[1], 200))
    if count is None:
        return np.zeros(len(part.trials), bool), 0
    exact = part.values / 100 * count
    return np.abs(exact - np.rint(exact)) > WHOLE, len(exact)


def _uncalibrated(part: _Part) -> tuple[NDArray[np.bool_], int]:
    """What differs from the median of its architecture; an architecture with one training says nothing."""
    if not len(part.trials):
        return np.zeros(0, bool), 0
    values = part.values / part.trials["epochs"] if part.field == "train_seconds" else part.values
    index = part.trials["index"]
    order = np.lexsort((values, index))
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    count = np.diff(starts, append=len(order))
    median = np.repeat(values[order][starts + (count - 1) // 2], count)
    bad = np.zeros(len(order), bool)
    bad[order] = np.abs(values[order] - median) > SAME * median
    return bad, int(count[count > 1].sum())


def _of_no_cell(part: _Part) -> tuple[NDArray[np.bool_], int]:
    known = np.unique(closed_form(place(part.field)[0], official_key(part.source, part.dataset, TRAIN, 200).dataset))
    nearest = np.abs(known[np.searchsorted((known[1:] + known[:-1]) / 2, part.values)] - part.values)
    return nearest > HALF_A_UNIT, len(nearest)
