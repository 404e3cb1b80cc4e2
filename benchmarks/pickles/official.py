"""The dictionaries of the official files, reduced to one record per training as soon as they are complete.

Source: `ArchResults` of NAS-Bench-201 (github.com/D-X-Y/NAS-Bench-201) and NATS-Bench (github.com/D-X-Y/NATS-Bench). Both write
the same dictionaries; NAS-Bench-201 calls the results of 12 epochs 'less' and those of 200 'full', NATS-Bench '12' and '200'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.pickles import result
from benchmarks.pickles.record import DATASETS, Trial
from benchmarks.pickles.result import SIZE_SPACE, Result
from benchmarks.pickles.values import REDUCED, shown
from benchmarks.pickles.window import Refused

ARCH_KEYS = frozenset({"arch_index", "arch_str", "all_results", "dataset_seed"})
# (family, key of the 12-epoch results, key of those of 200).
FAMILIES = (("nasbench201", "less", "full"), ("nats", "12", "200"))
SIZE_SPACE_KEYS = frozenset({"01", "12", "90"})
GENUINE = ("nothing of it was imported; get the official file again, from https://github.com/D-X-Y/NATS-Bench or "
           "https://github.com/D-X-Y/NAS-Bench-201")
MOST_SEED = 2**31 - 1

@dataclass(frozen=True, slots=True)
class Architecture:
    """What the file says about one architecture, at `epochs` (0 = both 12 and 200), as packed records."""

    index: int
    epochs: int
    family: str
    records: bytes


@dataclass(frozen=True)
class Found:
    """What a file holds.

    kind: "all" (a dictionary of architectures), "one" (a single architecture) or "meta" (the list of the space only).
    family: "nasbench201" or "nats"; "" for a meta file. records: of `record.RECORD`, one per training.
    """

    kind: str
    family: str
    records: bytes


class Reduction:
    """Reduces dictionaries while a file is read; `architectures` are the official strings by index."""

    def __init__(self, architectures: Sequence[str]) -> None:
        self._architectures = architectures

    def condense(self, state: dict[Any, Any]) -> None:
        """Replaces the content of a complete dictionary of results by its numbers; leaves every other as it is."""
        if "eval_acc1es" in state:
            if state.keys() >= result.KEYS:
                _reduce(state, result.result(state))
        elif "all_results" in state:
            if state.keys() >= ARCH_KEYS:
                _reduce(state, self._architecture(state))
        elif "12" in state or "full" in state or "less" in state:
            if state.keys() >= SIZE_SPACE_KEYS:
                raise Refused(*SIZE_SPACE)
            for family, short, long in FAMILIES:
                if state.keys() == {short, long}:
                    _reduce(state, _both(family, state[short], state[long]))

    def found(self, value: object) -> Found:
        """What the whole file holds, from what is left of it; Refused when it is none of the official layouts."""
        if type(value) is dict:
            if type(one := value.get(REDUCED)) is Architecture and one.family:
                return Found("one", one.family, one.records)
            if "meta_archs" in value and "arch2infos" in value:
                self._check_list(value["meta_archs"])
                return Found("meta", "", b"") if value["arch2infos"] is None else _all(value["arch2infos"])
        raise Refused("is none of the official layouts: neither the results of one architecture ('less' and 'full', or '12' and "
                      "'200') nor a dictionary of them ('meta_archs' and 'arch2infos')")

    def _check_list(self, architectures: object) -> None:
        if type(architectures) is not list or architectures != list(self._architectures):
            first = architectures[0] if type(architectures) is list and architectures else None
            if type(first) is str and _is_size(first):
                raise Refused(*SIZE_SPACE)
            raise Refused(f"lists other architectures than the official {len(self._architectures):,}, or in another order")

    def _architecture(self, state: dict[Any, Any]) -> Architecture:
        index, arch, seeds = state["arch_index"], state["arch_str"], state["dataset_seed"]
        if type(arch) is not str or type(index) is not int:
            raise Refused("holds an architecture whose index is no integer or whose name is no string")
        if _is_size(arch):
            raise Refused(*SIZE_SPACE)
        if not 0 <= index < len(self._architectures):
            raise Refused(f"holds an architecture of index {shown(index)}; there are 0 to {len(self._architectures) - 1}")
        if arch != self._architectures[index]:
            raise Refused(f"calls architecture {index} {shown(arch)}; officially it is {self._architectures[index]}")
        trials = _trials(index, arch, state["all_results"])
        if len(epochs := {trial.epochs for trial in trials}) != 1:
            raise Refused(f"holds results of architecture {index} that are not all of the same number of epochs")
        _check_seeds(index, trials, seeds)
        return Architecture(index, epochs.pop(), "", b"".join(trial.pack() for trial in trials))


def _reduce(state: dict[Any, Any], value: object) -> None:
    state.clear()
    state[REDUCED] = value


def _is_size(arch: str) -> bool:
    """Whether a name is one of the size search space, channels as in 8:16:24:32:40."""
    return all(part.isdigit() for part in arch.split(":")) and ":" in arch


def _trials(index: int, arch: str, results: object) -> list[Trial]:
    """The trainings of one architecture, by data set and seed; `results` is emptied, for the memo of the machine keeps it."""
    if type(results) is not dict or not results:
        raise Refused(f"holds no results of architecture {index}")
    trials = []
    for key, state in results.items():
        match key, state.get(REDUCED) if type(state) is dict else None:
            case (str() as dataset, int() as seed), Result() as found:
                pass
            case (str(), int()), _:
                raise Refused(f"lacks a part of the results of architecture {index}")
            case _:
                raise Refused(f"holds results of architecture {index} that are not under a data set and a seed")
        if (dataset, seed) != (found.dataset, found.seed):
            raise Refused(f"keeps the results of architecture {index} on {found.dataset} with seed {shown(found.seed)} under "
                          f"{shown(dataset)} and {shown(seed)}")
        if found.arch not in (None, arch):
            raise Refused(f"keeps results of another architecture under {index}")
        if not 0 <= seed <= MOST_SEED:
            raise Refused(f"holds a training of architecture {index} with the seed {shown(seed)}")
        trials.append(Trial(index, found.epochs, DATASETS.index(dataset), seed, found.values))
        state.clear()
    results.clear()
    return sorted(trials, key=lambda trial: (trial.dataset, trial.seed))


def _check_seeds(index: int, trials: list[Trial], seeds: object) -> None:
    """Refused unless `dataset_seed` lists exactly the trainings that are there."""
    listed = []
    if type(seeds) is dict:
        for dataset, numbers in seeds.items():
            if type(dataset) is str and type(numbers) is list and all(type(number) is int for number in numbers):
                listed += [(dataset, number) for number in numbers]
    if sorted(listed) != sorted((DATASETS[trial.dataset], trial.seed) for trial in trials):
        raise Refused(f"lists other seeds of architecture {index} than it has results of")


def _both(family: str, short: object, long: object) -> Architecture:
    """The results of 12 and of 200 epochs of one architecture."""
    parts = [part.pop(REDUCED, None) if type(part) is dict else None for part in (short, long)]
    match parts:
        case Architecture(epochs=12) as first, Architecture(epochs=200) as second if first.index == second.index:
            return Architecture(first.index, 0, family, first.records + second.records)
    raise Refused("does not hold the results of 12 and of 200 epochs of one architecture side by side, complete")


def _all(architectures: object) -> Found:
    """All architectures of a dictionary index -> results."""
    if type(architectures) is not dict or not architectures:
        raise Refused("holds no architectures under 'arch2infos'")
    found = []
    for index, state in architectures.items():
        one = state.get(REDUCED) if type(state) is dict else None
        if type(one) is not Architecture or not one.family:
            raise Refused(f"holds no complete results of architecture {shown(index)}")
        if type(index) is not int or one.index != index:
            raise Refused(f"keeps architecture {one.index} under index {shown(index)}")
        found.append(one)
    if len({one.family for one in found}) > 1:
        raise Refused("mixes the layouts of NAS-Bench-201 and NATS-Bench")
    found.sort(key=lambda one: one.index)
    return Found("all", found[0].family, b"".join(one.records for one in found))
