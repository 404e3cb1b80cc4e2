"""How far a split separates good architectures from bad ones, and how far random splits of the same sizes do so.

All measures are sums over parts, so that hundreds of random splits are judged at once.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 200
TOP_SHARE = 0.01
# Labels that are looked at in one go: few enough for a processor's cache.
CHUNK = 1 << 18
# Equal splits have equal measures, whatever the order in which their sums are taken.
DECIMALS = 12
Labels = NDArray[np.int16]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Separation:
    """How much of the accuracy the part numbers say.

    tau: tau-b of the part numbers. eta2: the share of the variance of the accuracies that lies between the parts; rank_eta2:
    the same of their ranks (ties share the mean rank). NaN where there is no variance. top_share: the largest share of the best
    1 % that one part holds; top_enrichment: that share over the part's share of all, 1 = as by chance; top_entropy: bits, of
    the shares that the parts hold of the best 1 %, 0 = all in one part. NaN where no part holds one of them.
    """

    tau: float
    eta2: float
    rank_eta2: float
    top_share: float
    top_enrichment: float
    top_entropy: float


@dataclass(frozen=True)
class Null:
    """The separations of random splits of the same sizes: mean, 5th and 95th percentile of `draws`.

    percentile: where the split itself falls among them, the per cent of them that it exceeds, counting equals half; NaN where
    all of them equal it, as for one part only.
    """

    mean: Separation
    low: Separation
    high: Separation
    percentile: Separation
    draws: int


def separation(label: Labels, true: Floats) -> Separation:
    """label int16 [n], -1 = in no part; true float64 [n], per cent, without NaN. The best 1 % are those of all n."""
    return Separation(*separations(label[None], true)[0].tolist())


def null(label: Labels, true: Floats, members: NDArray[np.int64], seed: int, draws: int = DRAWS) -> Null:
    """The labels [n_arch] of a split dealt out anew among what it has in a part, judged on the same members, `draws` times."""
    rng = np.random.default_rng(seed)
    inside = np.flatnonzero(label >= 0)
    own = np.array(astuple(separation(label[members], true[members])))
    tables = []
    for rows in _chunks(draws, len(label)):
        dealt = np.tile(label, (rows, 1))
        dealt[:, inside] = rng.permuted(dealt[:, inside], axis=1)
        tables.append(separations(dealt[:, members], true[members]))
    table = np.concatenate(tables)
    low, high = np.percentile(table, (5, 95), axis=0).tolist()
    own, rounded = np.round(own, DECIMALS), np.round(table, DECIMALS)
    below, equal = (rounded < own).mean(axis=0), (rounded == own).mean(axis=0)
    percentile = np.where(np.isnan(own) | (equal == 1), np.nan, 100 * (below + equal / 2))
    return Null(Separation(*table.mean(axis=0).tolist()), Separation(*low), Separation(*high),
                Separation(*percentile.tolist()), draws)


def eta2(label: Labels, values: Floats) -> float:
    """Between-part share of the sum of squares of values [n]; label int16 [n], 0..; NaN where all values are equal."""
    if not len(values) or np.ptp(values) == 0:
        return float("nan")
    size = np.bincount(label)
    centred = values - values.mean()
    total = np.bincount(label, centred)
    return float((total[size > 0] ** 2 / size[size > 0]).sum() / (centred ** 2).sum())


def best(true: Floats) -> NDArray[np.int64]:
    """int64 [m]: the best 1 % of true [n], at least one, from the best on; ties at the border go to the first in order."""
    return np.argsort(-true, kind="stable")[:max(1, round(TOP_SHARE * len(true)))]


def separations(labels: NDArray[np.int16], true: Floats) -> Floats:
    """float64 [n_split, 6]: the fields of `Separation` for each row of labels int16 [n_split, n], -1 = in no part."""
    if not labels.shape[1]:
        return np.full((len(labels), 6), np.nan)
    order = np.argsort(true, kind="stable")
    is_top = np.zeros(len(true))
    is_top[best(true)] = 1
    true, is_top, labels = true[order] - true.mean(), is_top[order], labels[:, order]
    start, stop = (np.searchsorted(true, true, side) for side in ("left", "right"))
    rows = _chunks(len(labels), len(true))
    return np.concatenate([_chunk(part, true, is_top, start, stop) for part in np.split(labels, np.cumsum(rows)[:-1])])


def _chunks(rows: int, width: int) -> list[int]:
    most = max(1, CHUNK // width)
    return [min(most, rows - begin) for begin in range(0, rows, most)]


def _chunk(labels: NDArray[np.int16], true: Floats, is_top: Floats, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Floats:
    """The same for architectures in ascending order of truth; start, stop [n]: where the ties of each begin and end."""
    inside = labels >= 0
    inside = inside[:1] if inside.all() else inside  # then one row stands for all
    before = _before(inside)
    n, ties, ranks = before[:, -1], before[:, stop] - before[:, start], (before[:, start] + before[:, stop] + 1) / 2
    concordant = np.zeros(len(labels), np.int64)
    size, top, total, rank_total = np.zeros((4, len(labels), max(int(labels.max()), 0) + 1))
    for part in range(size.shape[1]):
        mine = labels == part
        # Of two architectures the one with the lower truth is counted when it is in this part.
        lower = _before(mine)[:, start]
        concordant += (lower * (np.sign(labels - part, dtype=np.int16) * inside)).sum(axis=1, dtype=np.int64)
        size[:, part] = mine.sum(axis=1)
        total[:, part], top[:, part] = (mine @ np.stack((true, is_top), axis=1)).T
        rank_total[:, part] = (mine * ranks).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        untied = _pairs(n) - _pairs(size).sum(axis=1), _pairs(n) - (inside * (ties - 1)).sum(axis=1) / 2
        tau = concordant / np.sqrt(untied[0] * untied[1])
        etas = [_eta2(size, part_total, values * inside, n) for part_total, values in ((total, true), (rank_total, ranks))]
        etas = [np.where(untied[1] > 0, eta, np.nan) for eta in etas]
        row, largest, found = np.arange(len(labels)), top.argmax(axis=1), top.sum(axis=1, keepdims=True)
        share = top[row, largest] / is_top.sum()
        enrichment = share / (size[row, largest] / len(true))
        shares = top / found
        entropy = -np.where(shares > 0, shares * np.log2(shares), 0).sum(axis=1) + 0.0
    tops = [np.where(found[:, 0] > 0, values, np.nan) for values in (share, enrichment, entropy)]
    return np.stack([np.where(untied[0] * untied[1] > 0, tau, np.nan), *etas, *tops], axis=1)


def _before(flags: NDArray[np.bool_]) -> NDArray[np.int32]:
    """int32 [rows, n + 1]: how many flags [rows, n] stand before each position."""
    count = np.zeros((len(flags), flags.shape[1] + 1), np.int32)
    np.cumsum(flags, axis=1, out=count[:, 1:])
    return count


def _pairs(n: Floats | NDArray[np.int32]) -> Floats:
    return np.asarray(n, np.float64) * (n - 1.0) / 2


def _eta2(size: Floats, total: Floats, values: Floats, n: NDArray[np.int32]) -> Floats:
    """Between-part share of the sum of squares of values [rows or 1, n_arch], from sizes and totals of parts [rows, k]."""
    whole = values.sum(axis=1) ** 2 / n
    between = np.divide(total ** 2, size, out=np.zeros_like(total), where=size > 0).sum(axis=1)
    share: Floats = (between - whole) / ((values ** 2).sum(axis=1) - whole)
    return share
