"""What the name of a column says: which truth it holds, or that it holds none.

The names are those of public extracts: `c10_test_200`, `c10valid_valid_200_s777`, `c10_test_200_v11_t0`. A bare name is
the mean over the trials of the NATS-Bench file; `_v10` and `_v11` are means of the two NAS-Bench-201 files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, UsageError
from benchmarks.truth import TruthKey

# prefix -> dataset, what was trained on, the splits that exist. "c10valid" is the official dataset cifar10-valid.
DATASETS = {
    "c10": ("cifar10", "full", ("test",)),
    "c10valid": ("cifar10", "half", ("valid", "test")),
    "c100": ("cifar100", "full", ("valid", "test", "valtest")),
    "in16": ("ImageNet16-120", "full", ("valid", "test", "valtest")),
}
SOURCES = {None: "nats", "v10": "v1_0", "v11": "v1_1", "onetrial": "nats-onetrial"}
ACCURACY = re.compile(r"(?P<prefix>c10valid|c10|c100|in16)_(?P<split>valid|test|valtest)_(?P<epochs>12|200)"
                      r"(?:_(?P<source>v10|v11|onetrial))?(?:_s(?P<seed>\d+)|_t(?P<trial>[0-2]))?")
# Columns that describe an architecture, its cost or its trials: no accuracies, and nothing to ask about.
DESCRIPTION = re.compile(r"op_e\d\d|naslib_tuple|iso_str|n_trials_\w+|(params|flops)(_\w+)?|\w+_(train_time|cost)_\d+")
# Which seeds an architecture with so many trials has in file v1_1: a single trial is seed 888.
V11_SEEDS = {0: (), 1: ("888",), 2: ("777", "888"), 3: ("777", "888", "999")}


@dataclass(frozen=True)
class Meaning:
    """Which truth a column holds and which of its trials; `trial` is a position whose seed differs by architecture."""

    key: TruthKey
    seed: str
    trial: int | None = None


def meaning(column: str) -> Meaning | None:
    """What a column of that name holds, None when the name does not say."""
    match = ACCURACY.fullmatch(column)
    if match is None:
        return None
    dataset, train_on, splits = DATASETS[match["prefix"]]
    trial = match["trial"]
    if match["split"] not in splits or (trial is not None and match["source"] != "v11"):
        return None
    key = TruthKey(SOURCES[match["source"]], dataset, match["split"], int(match["epochs"]), train_on)
    seed = match["seed"] or ("onetrial" if match["source"] == "onetrial" else "mean")
    return Meaning(key, seed, None if trial is None else int(trial))


def is_description(column: str) -> bool:
    """The column is known to hold no accuracy."""
    return DESCRIPTION.fullmatch(column) is not None


@dataclass(frozen=True, eq=False)
class Values:
    """One column on its way into a table: float64 [n_row] in per cent, NaN = missing."""

    name: str
    meaning: Meaning
    values: NDArray[np.float64]


def trials_to_seeds(columns: list[Values], counts: Mapping[str, NDArray[np.float64]]) -> list[Values]:
    """The same columns with those of trials (`_t0`, `_t1`, `_t2`) rewritten into one per seed.

    counts: the columns `n_trials_*` [n_row], where there are any. Raises UsageError when one of the three columns is
    missing, DataError when trials have a gap or are not as many as `n_trials_v11` says.
    """
    kept = [column for column in columns if column.meaning.trial is None]
    for key in sorted({column.meaning.key for column in columns if column.meaning.trial is not None}):
        trials = {c.meaning.trial: c for c in columns if c.meaning.key == key and c.meaning.trial is not None}
        first = next(iter(trials.values()))
        stem = first.name.rsplit("_t", 1)[0]
        if len(trials) < 3:
            raise UsageError(f"Column {first.name} is the trial of another seed in each architecture, and only "
                             f"{stem}_t0, _t1 and _t2 together say which; import all three.")
        table = np.stack([trials[t].values for t in range(3)], axis=1)
        present = ~np.isnan(table)
        count = present.sum(axis=1)
        wrong = present != (np.arange(3) < count[:, None])
        if "n_trials_v11" in counts:
            wrong |= (count != counts["n_trials_v11"])[:, None]
        if wrong.any():
            row = int(np.flatnonzero(wrong.any(axis=1))[0])
            raise DataError(f"Columns {stem}_t0.._t2 in row {row + 1}: the trials present are not the first ones, or "
                            "not as many as n_trials_v11 says; correct the file.")
        seeds = {seed: np.full(len(table), np.nan) for seed in V11_SEEDS[3]}
        for n, names in V11_SEEDS.items():
            for trial, seed in enumerate(names):
                seeds[seed][count == n] = table[count == n, trial]
        for seed, values in seeds.items():
            kept.append(Values(f"{stem}_s{seed}", replace(first.meaning, seed=seed, trial=None), values))
    return kept
