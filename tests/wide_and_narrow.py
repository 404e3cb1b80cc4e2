"""How alike wide and narrow supernets rank the best, inside parts and across them."""

from collections.abc import Iterable

import numpy as np

from harness.measures.tau import decompose
from harness.runs.collection import Record
from harness.runs.evidence import estimates_of, partition_of, truth_of

BEST = 150
# Criterion, share and sampler.
Method = tuple[str, str, str]


def agreement(records: Iterable[Record], criterion: str = "") -> dict[Method, tuple[dict[int, float], dict[int, float]]]:
    """For each method with runs at gamma 1 and 2: tau-b between their estimates of the best, within parts and across, by seed.

    Parts are those of the runs, or of the runs by that criterion with the same seed.
    """
    pairs: dict[tuple[Method, int], dict[int, Record]] = {}
    for record in records:
        spec = record.spec
        pairs.setdefault(((spec.criterion, spec.share, spec.sampler), spec.seed), {})[spec.network.gamma] = record
    cut = {record.spec.seed: record for (method, _), pair in pairs.items() for record in pair.values() if method[0] == criterion}
    found: dict[Method, tuple[dict[int, float], dict[int, float]]] = {}
    for (method, seed), pair in pairs.items():
        if set(pair) == {1, 2}:
            within, across = found.setdefault(method, ({}, {}))
            within[seed], across[seed] = _agreement(pair[1], pair[2], cut.get(seed, pair[1]))
    return found


def _agreement(wide: Record, narrow: Record, cut: Record) -> tuple[float, float]:
    truth, columns = truth_of(wide), [estimates_of(record) for record in (wide, narrow)]
    both = np.intersect1d(columns[0]["index"], columns[1]["index"])
    true = truth.mean()[both]
    best = both[np.argsort(-true, kind="stable")[:BEST]]  # without a truth come last
    one, other = (each["accuracy"][np.searchsorted(each["index"], best)] for each in columns)
    parts = decompose(one, other, partition_of(cut, truth, estimates_of(cut))[0].label[best])
    return parts.within, parts.across
