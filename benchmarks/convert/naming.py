"""What the name of a column says: which number it holds, or that it holds none.

The names are those of public extracts: `c10_test_200`, `c10valid_valid_200_s777`, `c10_test_200_v11_t0`. A bare name is
the mean over the trials of the NATS-Bench file; `_v10` and `_v11` are means of the two NAS-Bench-201 files. Other
quantities stand after the split: `c10_test_loss_200_s777`, `c10_train_seconds_200`. `CIFAR10TestAccuracy200Epochs` is
how github.com/v-tao/nats-bench-landscape writes `nats_bench.csv`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.column import ACCURACY, QUANTITIES
from benchmarks.errors import DataError, UsageError
from benchmarks.truth import TRAIN, TruthKey

# prefix -> dataset, what was trained on, the splits that exist. "c10valid" is the official dataset cifar10-valid.
DATASETS = {
    "c10": ("cifar10", "full", (TRAIN, "test")),
    "c10valid": ("cifar10", "half", (TRAIN, "valid", "test")),
    "c100": ("cifar100", "full", (TRAIN, "valid", "test", "valtest")),
    "in16": ("ImageNet16-120", "full", (TRAIN, "valid", "test", "valtest")),
}
NASLIB = "naslib"
ONE_TRIAL = "nats-onetrial"
SOURCES = {None: "nats", "v10": "v1_0", "v11": "v1_1", "onetrial": ONE_TRIAL, NASLIB: NASLIB}
NUMBER = re.compile(rf"(?P<prefix>c10valid|c10|c100|in16)_(?P<split>train|valid|test|valtest)"
                    rf"(?:_(?P<quantity>{'|'.join(q for q in QUANTITIES if q != ACCURACY)}))?_(?P<epochs>12|200)"
                    r"(?:_(?P<source>v10|v11|onetrial|naslib))?(?:_s(?P<seed>\d+)|_t(?P<trial>[0-2]))?")
# What public extracts call the time that the whole training took.
TRAIN_TIME = re.compile(r"(c10valid|c10|c100|in16)_train_time_(12|200)")
LANDSCAPE = re.compile(r"(?P<dataset>\w+?)TestAccuracy(?P<epochs>12|200)Epochs")
# How that file spells a dataset -> our prefix. Its first edition spelled them otherwise and drew one trial of each
# architecture at random (of 12 epochs there is only one).
LANDSCAPE_MEANS = {"CIFAR10": "c10", "CIFAR100": "c100", "ImageNet": "in16"}
LANDSCAPE_DRAWS = {"Cifar10": "c10", "Cifar100": "c100", "ImageNet16": "in16"}
# Columns that describe an architecture, its cost or its trials: no measurements, and nothing to ask about.
DESCRIPTION = re.compile(r"op_e\d\d|naslib_tuple|iso_str|UniqueString|n_trials_\w+|(params|flops)(_\w+)?|\w+_cost_\d+")
# Which seeds an architecture with so many trials has in file v1_1: a single trial is seed 888.
V11_SEEDS = {0: (), 1: ("888",), 2: ("777", "888"), 3: ("777", "888", "999")}


@dataclass(frozen=True)
class Meaning:
    """Which number a column holds and which of its trials; `trial` is a position whose seed differs by architecture."""

    key: TruthKey
    seed: str
    trial: int | None = None
    quantity: str = ACCURACY


def meaning(column: str) -> Meaning | None:
    """What a column of that name holds, None when the name does not say."""
    column = _in_our_words(column)
    match = NUMBER.fullmatch(column)
    if match is None:
        return None
    dataset, train_on, splits = DATASETS[match["prefix"]]
    trial = match["trial"]
    if match["split"] not in splits or (trial is not None and match["source"] != "v11"):
        return None
    key = TruthKey(SOURCES[match["source"]], dataset, match["split"], int(match["epochs"]), train_on)
    if not is_there(key):
        return None
    seed = match["seed"] or ("onetrial" if match["source"] == "onetrial" else "mean")
    return Meaning(key, seed, None if trial is None else int(trial), match["quantity"] or ACCURACY)


def _in_our_words(column: str) -> str:
    """The name as we would write it; unchanged when it is no other's name for the same."""
    if match := TRAIN_TIME.fullmatch(column):
        return f"{match[1]}_train_seconds_{match[2]}"
    if match := LANDSCAPE.fullmatch(column):
        dataset, epochs = match["dataset"], match["epochs"]
        if dataset in LANDSCAPE_MEANS:
            return f"{LANDSCAPE_MEANS[dataset]}_test_{epochs}"
        if dataset in LANDSCAPE_DRAWS:
            return f"{LANDSCAPE_DRAWS[dataset]}_test_{epochs}" + ("_onetrial" if epochs == "200" else "")
    return column


def is_there(key: TruthKey) -> bool:
    """The number is one that its source has; True for sources that are none of SOURCES."""
    return key.source not in SOURCES.values() or key in numbers_of(key.source)


@cache
def numbers_of(source: str) -> tuple[TruthKey, ...]:
    """Every number of an official file, of the random draws from it, or of NASLib, in order."""
    return tuple(TruthKey(source, dataset, split, epochs, train_on) for dataset, train_on, splits in DATASETS.values()
                 for split in splits for epochs in (12, 200) if _has(source, dataset, split, epochs, train_on))


def _has(source: str, dataset: str, split: str, epochs: int, train_on: str) -> bool:
    half = (dataset, train_on) == ("cifar10", "half")
    if source == "v1_0":
        # Its results of 12 epochs are those of cifar10-valid alone.
        return epochs == 200 or half
    if source == ONE_TRIAL:
        return (split, epochs) == ("test", 200) and not half
    return source != NASLIB or (split, epochs) == ("valid", 200)


def mean_key(column: str) -> TruthKey | None:
    """The key whose mean accuracy a column of that name would be; None when the name does not say so."""
    meant = meaning(column)
    return meant.key if meant is not None and meant == Meaning(meant.key, "mean") else None


def column_name(key: TruthKey, seed: str, quantity: str = ACCURACY) -> str:
    """The name that `meaning` understands, for a key of an official source or of NASLib."""
    prefix = next(p for p, (dataset, train_on, _) in DATASETS.items() if (dataset, train_on) == (key.dataset, key.train_on))
    source = next(name for name, source in SOURCES.items() if source == key.source)
    parts = (prefix, key.split, None if quantity == ACCURACY else quantity, str(key.epochs), source,
             None if seed == "mean" else f"s{seed}")
    return "_".join(part for part in parts if part)


def is_description(column: str) -> bool:
    """The column is known to hold no measurement."""
    return DESCRIPTION.fullmatch(column) is not None


@dataclass(frozen=True, eq=False)
class Values:
    """One column of a source: float64 [n_row], NaN = missing, in the unit of its quantity."""

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
