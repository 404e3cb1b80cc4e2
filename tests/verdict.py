"""What becomes of a changed source: refused in one sentence, or right, or wrong in a way that nobody can see.

The oracle: an import that is accepted gives every number of the genuine file, or gives none where the change took it away. Where
a file says a number only once and no checksum covers it, a change to another number that can be is no damage that anybody could
see. `visible` lists what is said more than once: none of that may be wrong, unless the summary of the import states it as odd.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.column import ACCURACY, N_ARCH
from benchmarks.truth import TRAIN
from tests.layouts import CHOSEN, CLOSED, NAN, SPACE, TRIALS, Facts, Layout, skeleton

# The sentence that a source is refused with, or its facts and what is said to be odd about them.
Said = str | tuple[Facts, Sequence[str]]
IMAGES = {
    "cifar10/test/full": 10_000, "cifar10/valid/half": 25_000, "cifar10/test/half": 10_000, "cifar100/valid/full": 5_000,
    "cifar100/test/full": 5_000, "cifar100/valtest/full": 10_000, "ImageNet16-120/test/full": 3_000,
    "cifar10/train/half": 25_000, "cifar100/train/full": 50_000, "cifar10/train/full": 50_000,
    "ImageNet16-120/train/full": 151_700, "ImageNet16-120/valid/full": 3_000, "ImageNet16-120/valtest/full": 6_000}
OFFICIAL = ("nats", "v1_0", "v1_1")


def sentence(message: str, layout: Layout) -> bool:
    """One line that ends as a sentence and names the file or its folder."""
    names = Path(layout.file).parts if layout.beside else (Path(layout.file).name,)
    return len(message.splitlines()) == 1 and message.endswith(".") and any(name in message for name in names)


def together(found: Facts, facts: Facts) -> Facts:
    """Times of an architecture whose trainings differ come under its seeds; here the one that differs most from the facts."""
    made = Facts()
    for (quantity, key, seed), values in found.items():
        mean = quantity, key, "mean"
        place = mean if quantity in ("seconds", "latency") and mean in facts else (quantity, key, seed)
        if place in made:
            nearer = np.abs(values - facts[mean]) < np.abs(made[place] - facts[mean])
            values = np.where(np.isnan(values) | nearer, made[place], values)
        made[place] = values
    return made


@dataclass(frozen=True)
class Difference:
    """One number that an import gives otherwise than the genuine file: old or new may be missing (NaN)."""

    place: tuple[str, str, str]
    index: int
    old: float
    new: float


def differences(found: Facts, facts: Facts) -> list[Difference]:
    """Where two sets of facts differ by more than a thousandth of an image or a float32."""
    differ, nothing = [], np.full(N_ARCH, NAN)
    found = together(found, facts)
    for place in {**facts, **found}:
        old, new = facts.get(place, nothing), found.get(place, nothing)
        tolerance = 6e-6 if place[0] == ACCURACY else 2e-7 * np.abs(old)
        same = (np.isnan(old) & np.isnan(new)) | (np.abs(old - new) <= tolerance)
        differ += [Difference(place, int(i), float(old[i]), float(new[i])) for i in np.flatnonzero(~same)]
    return differ


def visible(differ: Sequence[Difference], found: Facts, layout: Layout, way: str) -> Iterator[tuple[str, Difference]]:
    """The differences that the source itself contradicts, and how; a contradiction with "odd" need only be stated."""
    moved = {(d.place, d.old) for d in differ if np.isnan(d.new)} if layout.once else set()
    for d in differ:
        quantity, key, _ = d.place
        if way in layout.sealed:
            yield "in spite of a checksum", d
        elif np.isnan(d.new):
            # No byte takes a result away: the file lists its seeds once more.
            if layout.pickled and way in ("bytes", "inside") and quantity in (ACCURACY, "loss"):
                yield "lost", d
        elif quantity in CLOSED and layout.pickled:
            # What an official file says beside the closed form is kept as such, if some cell has it.
            if np.abs(CLOSED[quantity](SPACE, skeleton(key)) / 1e6 - d.new).min() > 1e-6:
                yield "odd", d
        elif np.isnan(d.old) and (layout.pickled or d.place not in layout.facts or d.index not in CHOSEN):
            renamed = way in layout.named and any(np.array_equal(found[d.place], values, equal_nan=True)
                                                  for values in layout.facts.values())
            if not renamed and (d.place, d.new) not in moved:
                yield "a number out of nothing", d
        elif layout.pickled and quantity in ("seconds", "latency"):
            yield "odd", d
        elif quantity == ACCURACY and key.split("/")[0] in OFFICIAL:
            yield from contradicted(d, found, layout.pickled)


def contradicted(d: Difference, found: Facts, pickled: bool) -> Iterator[tuple[str, Difference]]:
    """Whole images, the mean of the seeds, the mean of the halves."""
    _, key, seed = d.place
    source, dataset, split, epochs, train_on = key.split("/")
    values = found[d.place]
    parts = 1 if pickled else 6
    counts = values / 100 * IMAGES[f"{dataset}/{split}/{train_on}"] * parts
    broken = np.abs(counts - np.rint(counts)) > 1.5e-3
    if broken[d.index] and (pickled or broken.sum() <= 0.1 * np.isfinite(values).sum()):
        yield "odd" if split == "train" else "no whole images", d
    nothing = np.full(N_ARCH, NAN)
    of = {part: found.get((ACCURACY, f"{source}/{dataset}/{part}/{epochs}/{train_on}", seed), nothing)[d.index]
          for part in ("valid", "test", "valtest")}
    if abs(of["valtest"] - (of["valid"] + of["test"]) / 2) > 0.021:
        yield "not the mean of its halves", d
    trials, mean = [found.get((ACCURACY, key, trial)) for trial in TRIALS], found.get((ACCURACY, key, "mean"))
    there = [trial[d.index] for trial in trials if trial is not None]
    if epochs == "200" and mean is not None and len(there) == len(TRIALS) and abs(mean[d.index] - np.nanmean(there)) > 0.021:
        yield "not the mean of its seeds", d


def stated(d: Difference, oddities: Sequence[str]) -> bool:
    """Whether one of the oddities is about such a number."""
    training = f"/{TRAIN}/" in d.place[1]
    return any(f" {split} {d.place[0]} of " in odd for odd in oddities
               for split in ("train", "valid", "test", "valtest") if (split == TRAIN) == training)


def judged(said: Said, layout: Layout, way: str) -> tuple[str, list[str]]:
    """What became of a changed source, and for each number that nobody can see to be wrong its quantity; fails for any other."""
    if isinstance(said, str):
        assert sentence(said, layout), said
        return "refused", []
    found, oddities = said
    differ = differences(found, layout.facts)
    faults = list(visible(differ, found, layout, way))
    silent = [(how, d) for how, d in faults if how != "odd" or not stated(d, oddities)]
    assert not silent, silent[:5]
    odd = [d for _, d in faults]
    unseen = [d.place[0] for d in differ if not np.isnan(d.new) and d not in odd]
    return "changed" if unseen else "stated" if odd else "less" if differ else "equal", unseen
