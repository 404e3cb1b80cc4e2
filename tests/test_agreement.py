"""How alike splits are, which twins they tear apart, and which operations their parts would train."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, rand_score

from benchmarks.cost import Skeleton
from benchmarks.space import nasbench201
from criteria import Context, Scorer, Scores, partition, register
from criteria.base import Partition
from harness.scoring.scores import scored
from harness.scoring.world import reseeded
from harness.splits.agreement import agreement, stability
from harness.splits.exposure import exposures
from harness.splits.twins import twins
from harness.training.sampling import Pool, samplers

SPACE = nasbench201()
CONTEXT = Context(SPACE, Skeleton())


def test_agreement_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for k, other_k in ((2, 2), (3, 5), (1, 4)):
        one, other = rng.integers(0, k, 300).astype(np.int16), rng.integers(0, other_k, 300).astype(np.int16)
        found = agreement(one, other)
        assert found.rand == pytest.approx(rand_score(one, other))
        assert found.adjusted_rand == pytest.approx(adjusted_rand_score(one, other))
        assert found.adjusted_information == pytest.approx(adjusted_mutual_info_score(one, other), abs=1e-12)


def test_agreement_knows_no_names_and_no_outsiders() -> None:
    rng = np.random.default_rng(0)
    one = rng.integers(0, 3, 300).astype(np.int16)
    renamed = np.array([2, 0, 1], np.int16)[one]
    assert (agreement(one, renamed).rand, agreement(one, renamed).adjusted_rand) == (1, 1)
    assert agreement(one, renamed).adjusted_information == pytest.approx(1)
    partly = np.where(np.arange(300) < 100, np.int16(-1), renamed)
    assert (agreement(one, partly).adjusted_rand, agreement(one, partly).n) == (1, 200)
    nothing = agreement(one, np.full(300, -1, np.int16))
    assert nothing.n == 0
    assert nothing.to_json() == {"rand": None, "adjusted_rand": None, "adjusted_information": None, "n": 0}
    whole = np.zeros(300, np.int16)
    assert agreement(whole, whole).adjusted_rand == 1


@dataclass(frozen=True)
class Balance:
    """A laboratory that measures nothing but its seed."""

    seed: int = 0

    def measure(self, scorer: object, members: object = None) -> NDArray[np.float64]:
        return np.random.default_rng(self.seed).normal(size=len(SPACE))


@register("weighed_in_a_test")
@dataclass(frozen=True)
class Weighed(Scorer):
    """What the laboratory says."""

    needs: ClassVar[frozenset[str]] = frozenset({"network"})

    def score(self, ctx: Context) -> Scores:
        return Scores(ctx.need_laboratory().measure(self), "weight")


def test_another_seed_is_one_of_the_networks_too() -> None:
    context = replace(CONTEXT, laboratory=Balance(7), seed=7)
    found = stability(Weighed(), context, partition(Weighed(), context, 3), 2)
    assert (found.seeds, found.depends) == ((7, 8), True)
    assert found.adjusted_rand == pytest.approx(0, abs=0.01)
    assert scored(Weighed(), context, 3).depends
    assert reseeded(CONTEXT, 3).laboratory is None


def test_live_counts_never_tear_twins_apart_and_flops_do() -> None:
    for criterion in ("nonlinear", "nonlinear[count=live]", "none"):
        made = partition(criterion, CONTEXT, 1 if criterion == "none" else 3)
        assert [(each.apart, each.architectures) for each in twins(made.label, SPACE)] == [(0, 0)] * 3
    torn = twins(partition("flops", CONTEXT, 3).label, SPACE)
    assert all(each.apart > 0 for each in torn)
    assert torn[0].architectures <= torn[1].architectures <= torn[2].architectures  # each sense implies the next


def test_twins_counted_one_by_one() -> None:
    label = np.where(np.arange(len(SPACE)) % 11 == 0, -1, np.arange(len(SPACE)) % 3).astype(np.int16)
    classes = defaultdict(list)
    for index, name in enumerate(SPACE.function_id.tolist()):
        if label[index] >= 0:
            classes[name].append(int(label[index]))
    several = [parts for parts in classes.values() if len(parts) > 1]
    apart = [parts for parts in several if len(set(parts)) > 1]
    found = twins(label, SPACE)[1]
    assert (found.classes, found.apart, found.architectures) == (len(several), len(apart), sum(map(len, apart)))


def test_expected_passes_are_those_of_the_samplers() -> None:
    made = partition("nonlinear", CONTEXT, 3)
    pool = Pool.of(made, SPACE)
    for found in exposures(made, SPACE):
        assert found.passes.sum() == pytest.approx(1000)
        assert found.operations.sum(axis=2) == pytest.approx(np.tile(found.passes[:, None], (1, 6)))
        sampler, counted, steps = samplers.get(found.sampler), Counter(), 4000
        for step in range(steps):
            counted.update((each.part, int(SPACE.codes[each.architecture, 3])) for each in sampler.draw(pool, 0, step))
        drawn = np.array([[counted[part, op] for op in range(5)] for part in range(3)]) * 1000 / counted.total()
        assert drawn == pytest.approx(found.operations[:, 3], abs=5 * np.sqrt(1000 * 1000 / counted.total() / 4))


def test_passes_of_a_part_that_cannot_be_trained() -> None:
    label = np.where(SPACE.connected, 0, 1).astype(np.int16)
    uniform, balanced = exposures(Partition(label, ("alive", "dead"), None), SPACE)
    assert uniform.passes.tolist() == pytest.approx([1000, 0])
    assert np.isnan(balanced.passes).all()
    assert balanced.to_json()["passes"] == [None, None]
