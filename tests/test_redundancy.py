"""What an official file says more than once: one value that does not fit is found, another edition's habits are no damage."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.convert.confined import Official, read_official
from benchmarks.convert.redundancy import check_redundancy
from benchmarks.errors import DataError
from tests import official

FACTS = {source: official.facts(source) for source in ("nats", "v1_0", "v1_1")}


def source_of(name: str, trials: NDArray[np.void]) -> Official:
    return Official(name, name, trials, 0, "")


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("architectures", [(0,), (0, 11), (0, 11, 284, 9930)])
def test_genuine_layouts_keep_their_promises(name: str, architectures: Sequence[int]) -> None:
    assert not check_redundancy(source_of(name, official.trials(fact for fact in FACTS[name] if fact.index in architectures)))


def changed(field: str, change: Callable[[float], float], architectures: Sequence[int]) -> Official:
    """A source in which one training of architecture 11 on CIFAR-10 says something else."""
    trials = official.trials(fact for fact in FACTS["nats"] if fact.index in architectures)
    chosen = np.flatnonzero((trials["index"] == 11) & (trials["dataset"] == 1) & (trials["epochs"] == 200))[0]
    trials[field][chosen] = change(trials[field][chosen])
    return source_of("nats", trials)


@pytest.mark.parametrize(("field", "change", "says"), [
    ("train_accuracy", lambda v: v - 1e-4, "as train accuracy of cifar10 after 200 epochs with seed 777, .* no whole images"),
    ("train_seconds", lambda v: v * 1.001, "as train seconds .* not what its other trainings on that data set say"),
    ("test_seconds", lambda v: v / 2, "as test seconds .* not what its other trainings"),
    ("latency", lambda v: v + 1e-6, "seconds per batch of 256 as train latency .* not what its other trainings"),
    ("params", lambda v: v + 0.001, "millions as train params .* which no cell has"),
    ("flops", lambda v: v * 2, "millions as train flops .* which no cell has"),
])
@pytest.mark.parametrize("architectures", [(11,), (0, 11, 284, 9930)])
def test_one_value_that_does_not_fit_is_stated(field: str, change: Callable[[float], float], says: str,
                                               architectures: Sequence[int]) -> None:
    stated = check_redundancy(changed(field, change, architectures))
    assert len(stated) == 1
    assert re.match(f"Architecture 11 has .* {says}", stated[0])


@pytest.mark.parametrize(("field", "change", "says"), [
    ("test_accuracy", lambda v: v + 0.003, "as test accuracy of cifar10 after 200 .* seed 777, which counts no whole images"),
    ("test_seconds", lambda v: 0.0, "0.0 seconds as test seconds .* which nothing takes"),
    ("params", lambda v: 0.0, "0.0 millions as train params .* which nothing takes"),
])
@pytest.mark.parametrize("architectures", [(11,), (0, 11, 284, 9930)])
def test_one_value_that_cannot_be_is_refused(field: str, change: Callable[[float], float], says: str,
                                             architectures: Sequence[int]) -> None:
    with pytest.raises(DataError, match=f"^Architecture 11 has .*{says}, so the file is damaged; get it again.$"):
        check_redundancy(changed(field, change, architectures))


@pytest.mark.real_data
def test_the_specimens_keep_their_promises(shared_data: Path) -> None:
    found = read_official(shared_data / "nats_specimens" / "NATS-tss-v1_0-3ffb9-simple")
    assert not check_redundancy(found)
    found.trials["valid_loss"] *= 2
    assert not check_redundancy(found)
    found.trials["valid_accuracy"][20] += 0.003
    with pytest.raises(DataError, match="counts no whole images"):
        check_redundancy(found)


def test_an_edition_with_other_habits_is_not_damaged() -> None:
    rng = np.random.default_rng(0)
    for fields in (("train_seconds",), ("valid_seconds", "test_seconds", "valtest_seconds"), ("latency",), ("flops",),
                   ("valid_accuracy", "test_accuracy", "valtest_accuracy")):
        trials = official.trials(FACTS["v1_1"])
        for field in fields:
            trials[field] *= rng.uniform(0.99, 1, len(trials))
        assert not check_redundancy(source_of("v1_1", trials))


def test_the_cost_of_another_cell_is_kept() -> None:
    facts = [replace(fact, params=fact.params + 0.028, flops=fact.flops + 3.93216) if fact.dataset == "cifar10" else fact
             for fact in FACTS["nats"] if fact.index == 0]
    assert not check_redundancy(source_of("nats", official.trials(facts)))
