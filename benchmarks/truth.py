"""Ground truth: which number it is (TruthKey) and its values per architecture and seed (GroundTruth)."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError

TRAIN = "train"
SPLITS = ("valid", "test", "valtest", TRAIN)
TRAIN_ON = ("full", "half")
MOST_EPOCHS = 999_999
# Of a part of a key, and of a table, which is a part of a file name.
LONGEST_NAME = 100
# Means of equal trials must stay ties whatever the order of the sum; accuracies carry at most 6 meaningful decimals.
MEAN_DECIMALS = 6


@dataclass(frozen=True, order=True)
class TruthKey:
    """Which number a truth is; written `source/dataset/split/epochs/train_on`, e.g. `v1_0/cifar10/test/200/full`.

    source: the official file (v1_0, v1_1, nats), the benchmark (digits201) or the imported table. split: valid, test,
    valtest (both together), or train (what was trained on, which is no truth). train_on: "full" = the whole training set,
    "half" = the 25,000 of the search split.
    """

    source: str
    dataset: str
    split: str
    epochs: int
    train_on: str

    def __post_init__(self) -> None:
        for field in ("source", "dataset"):
            value = getattr(self, field)
            if not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{LONGEST_NAME}}}", value):
                raise UsageError(f"'{value[:LONGEST_NAME]}' is no {field} of a truth key: use letters, digits, '_', '.' and '-', "
                                 f"at most {LONGEST_NAME}.")
        if self.split not in SPLITS:
            raise UsageError(f"'{self.split}' is no split of a truth key: choose one of {', '.join(SPLITS)}.")
        # What can be written into a table must be read from it again, so `parse` has no rule of its own.
        if not 1 <= self.epochs <= MOST_EPOCHS:
            raise UsageError(f"A truth key cannot have {self.epochs} epochs: give how long the networks trained, from 1 to "
                             f"{MOST_EPOCHS}.")
        if self.train_on not in TRAIN_ON:
            raise UsageError(f"'{self.train_on}' is no train_on of a truth key: choose full (the whole training set) "
                             "or half (the part that a search split trains on).")

    def __str__(self) -> str:
        return f"{self.source}/{self.dataset}/{self.split}/{self.epochs}/{self.train_on}"

    @classmethod
    def parse(cls, text: str) -> "TruthKey":
        """The key written as `text`; UsageError that says the form when it is none."""
        parts = text.strip().split("/")
        # The bound is Python's, not ours: it refuses to make a number of very many digits.
        if len(parts) != 5 or not re.fullmatch(r"[0-9]{1,99}", parts[3]):
            raise UsageError(f"'{text[:500]}' is no truth key: the form is source/dataset/split/epochs/train_on, "
                             "for example v1_0/cifar10/test/200/full.")
        return cls(parts[0], parts[1], parts[2], int(parts[3]), parts[4])


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The true accuracies of one key.

    accuracy: float64 [n_arch, n_seed], per cent, in official order; NaN = that trial is missing. seeds: the name of
    each column ("777", or "mean" where only means are known). sha256: of key, seeds and values. table: where it came
    from; column: the column name it was asked by, None when it was asked by key.
    """

    key: TruthKey
    accuracy: NDArray[np.float64]
    seeds: tuple[str, ...]
    sha256: str
    table: str
    column: str | None = None

    @cached_property
    def n_trials(self) -> NDArray[np.int64]:
        """int64 [n_arch]: values present; a mean counts as one."""
        count: NDArray[np.int64] = np.isfinite(self.accuracy).sum(axis=1)
        return count

    def mean(self) -> NDArray[np.float64]:
        """float64 [n_arch], per cent: the mean of the trials that exist, rounded to 6 decimals; NaN where none does."""
        total = np.where(np.isfinite(self.accuracy), self.accuracy, 0.0).sum(axis=1)
        mean = np.divide(total, self.n_trials, out=np.full(len(total), np.nan), where=self.n_trials > 0)
        rounded: NDArray[np.float64] = np.round(mean, MEAN_DECIMALS)
        return rounded

    @classmethod
    def from_api(cls, api: Any, key: "str | TruthKey") -> "GroundTruth":
        """The truth of a key from an opened `nas_201_api.NASBench201API` (2.1) or `nats_bench` (1.8, topology) object.

        It is equal to that of a table imported from the same file. Raises UsageError for another object and for a key that
        it does not have, DataError for one whose architectures are not the official ones.
        """
        from benchmarks.convert.api import truth_of_api

        return truth_of_api(api, TruthKey.parse(str(key)))

    @property
    def label(self) -> str:
        """The text that names this truth in tables and captions."""
        trials = self.n_trials[self.n_trials > 0]
        if self.seeds == ("mean",):
            what = "means"
        elif len(self.seeds) == 1:
            what = f"trial {self.seeds[0]}"
        elif len(trials) == 0:
            what = "no trials"
        else:
            low, high = trials.min(), trials.max()
            what = f"mean of {low if low == high else f'{low} to {high}'} seeds"
        name = f"{self.column} = {self.key}" if self.column else str(self.key)
        return f"{name} ({what}; {len(trials):,} architectures)"


def load_truth(key_or_column: str | TruthKey, table: str) -> GroundTruth:
    """The truth of a structured key, or of a column name, from `table`, else from the other table that has it.

    A key collects its seeds; a key without seeds, or the name of a column of means, gives seeds ("mean",). Where a key has
    seeds of some architectures and means of more, "mean" is one more column that holds those without a seed. Raises
    DataError when the table is absent or damaged, UsageError when no table has that key or column, or when it is no
    accuracy on images that were not trained on.
    """
    from benchmarks.table import find

    asked = str(key_or_column)
    if "/" in asked:
        refuse_no_truth(asked, TruthKey.parse(asked))
    found, columns, column = find(asked, table)
    refuse_no_truth(asked, columns[0].key, columns[0].quantity)
    return found.truth(columns, column)


def refuse_no_truth(asked: str, key: TruthKey, quantity: str = "accuracy") -> None:
    """UsageError for a number that architectures are not ranked by: a loss, a time, a cost, or one on the training images."""
    if quantity != "accuracy":
        raise UsageError(f"'{asked}' is no truth, for it holds {quantity} and a truth is an accuracy; choose a column of "
                         "accuracies (`harness data list` shows them).")
    if key.split == TRAIN:
        raise UsageError(f"'{asked}' is no truth, for it is about the images that were trained on; choose the split valid, "
                         "test or valtest.")
