"""The diagnosis of a split: published taus, closed forms, the null, and what is left out."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.benchmark import Population, benchmark
from benchmarks.convert import import_table
from benchmarks.errors import DataError, UsageError
from benchmarks.truth import GroundTruth, TruthKey, load_truth
from criteria.base import Context
from criteria.registry import criteria
from harness.report.diagnosis import diagnosis_table
from harness.report.summary import MISSING, as_text
from harness.splits.diagnosis import diagnose

BENCH = benchmark("nasbench201")
SPACE = BENCH.space
CONTEXT = Context(SPACE, BENCH.skeleton_for("cifar10"))
ALL = Population("all", np.arange(len(SPACE)))
KEY = TruthKey.parse("v1_0/cifar10/test/200/full")


HALF_BLIND = """
from dataclasses import dataclass
import numpy as np
from criteria.base import Scorer, Scores

@dataclass(frozen=True)
class HalfBlind(Scorer):
    def score(self, ctx):
        index = np.arange(len(ctx.space), dtype=np.float64)
        return Scores(np.where(index % 2 == 0, np.nan, index), "index")
"""


def truth_of(accuracy: NDArray[np.float64]) -> GroundTruth:
    return GroundTruth(KEY, accuracy[:, None], ("mean",), "", "made by a test")


def few(n: int = 300) -> GroundTruth:
    """A truth of n architectures only, which rises with their index."""
    accuracy = np.full(len(SPACE), np.nan)
    accuracy[::len(SPACE) // n] = np.linspace(10, 95, len(accuracy[::len(SPACE) // n]))
    return truth_of(accuracy)


@pytest.mark.real_data
def test_published_taus_of_nonlinear(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    found = diagnose(criteria.get("nonlinear"), CONTEXT, 3, load_truth("c10_test_200_v10", "nasbench201"), ALL)
    assert found.n == 15_625
    assert found.scores is not None
    assert round(found.scores.value, 3) == 0.565
    assert round(found.labels.value, 3) == 0.478
    assert [(part.name, part.size, part.connected, part.top) for part in found.parts] == [
        ("0..1", 9105, 8764, 0), ("2", 5520, 5520, 85), ("3", 1000, 1000, 71)]
    assert found.parts[2].best == 6111  # the best of all by this truth, 94.37 %
    assert found.parts[2].enrichment == pytest.approx(71 / 156 / (1000 / 15_625))
    assert found.null.low.tau < 0 < found.null.high.tau < 0.02
    assert found.null.mean.eta2 == pytest.approx(2 / 15_624, rel=0.9)  # (k - 1) / (n - 1) by chance
    assert found.oracle is not None
    assert found.separation.rank_eta2 < found.oracle.rank_eta2 < 1
    assert found.separation.top_share == pytest.approx(85 / 156)
    assert found.separation.top_enrichment == found.parts[1].enrichment
    assert found.null.percentile.tau == found.null.percentile.eta2 == 100
    assert found.null.percentile.top_entropy == 0
    # Of the published range 0.073306 .. 1.531546 M; two and three convolutions on a way cost at least those of 1x1.
    assert [part.params.low for part in found.parts] == [73_306, 129_306, 157_306]
    assert found.parts[2].params.high == 1_531_546


def test_a_truth_of_few_architectures() -> None:
    truth = few()
    found = diagnose(criteria.get("nonlinear"), CONTEXT, 3, truth, BENCH.population("connected", truth))
    known = np.isfinite(truth.mean()) & SPACE.connected
    assert found.n == known.sum() == sum(part.n for part in found.parts) == found.labels.n
    assert [part.size for part in found.parts] == [9105, 5520, 1000]
    assert sum(part.top for part in found.parts) == round(0.01 * found.n)
    for part in found.parts:
        assert part.low <= part.q1 <= part.median <= part.q3 <= part.high == truth.mean()[part.best]
        assert part.best_arch == SPACE.strings[part.best]
    found_one = diagnose(criteria.get("none"), CONTEXT, 1, truth, ALL)
    assert found_one.scores is None
    assert np.isnan(found_one.labels.value)
    assert json.loads(json.dumps(found_one.to_json(), allow_nan=False))["separation"]["tau"] is None


def test_undefined_scores_are_judged_twice(tmp_path: Path) -> None:
    (tmp_path / "half_blind.py").write_text(HALF_BLIND)
    found = diagnose(criteria.get(f"{tmp_path}/half_blind.py:HalfBlind"), CONTEXT, 2, few(625), ALL)
    assert found.scores is not None
    assert found.scores_finite is not None
    assert found.n_undefined == found.n_unassigned == 7813
    assert found.scores.n == found.n > found.scores_finite.n == found.labels.n
    assert found.scores_finite.value == pytest.approx(1)
    text = as_text(diagnosis_table(found))
    assert "undefined ones ranked last" in text
    assert "in no part" in text


def test_controls_of_a_truth_with_too_few_values() -> None:
    found = diagnose(criteria.get("nonlinear"), CONTEXT, 3, truth_of(np.full(len(SPACE), 50.0)), ALL)
    assert found.oracle is None
    assert found.oracle_labels is None
    assert found.to_json()["oracle"] is None
    assert MISSING in as_text(diagnosis_table(found))


def test_what_cannot_be_diagnosed() -> None:
    nonlinear = criteria.get("nonlinear")
    with pytest.raises(DataError, match="no architecture of the population"):
        diagnose(nonlinear, CONTEXT, 3, truth_of(np.full(len(SPACE), np.nan)), ALL)
    with pytest.raises(UsageError, match="Unknown population"):
        BENCH.population("some", few())
    with pytest.raises(UsageError, match="merges are declared"):
        diagnose(nonlinear, CONTEXT, 7, few(), ALL)


def test_a_criterion_that_uses_the_truth_gets_this_one() -> None:
    found = diagnose(criteria.get("oracle"), replace(CONTEXT, truth=None), 3, few(), ALL)
    assert found.labels == found.oracle_labels


def test_json_and_table_say_the_same() -> None:
    found = diagnose(criteria.get("flops"), CONTEXT, 3, few(), ALL)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(content["tau"]) == {"scores", "scores_finite", "labels", "oracle"}
    assert set(content["tau"]["labels"]) == {"value", "low", "high", "n", "ties", "ceiling", "population", "variant"}
    assert content["random"]["draws"] == 200
    text = as_text(diagnosis_table(found), 60)
    assert f"{content['tau']['labels']['value']:.3f}" in text
    assert "…" not in text
    assert all(f"{part['size']:,}" in text for part in content["parts"])


def test_whether_the_seed_matters_and_how_much() -> None:
    still = diagnose(criteria.get("flops"), CONTEXT, 3, few(), ALL, seeds=3).stability
    assert (still.seeds, still.depends, still.rand) == ((0, 1), False, 1)
    moving = diagnose(criteria.get("random"), CONTEXT, 3, few(), ALL, seeds=3).stability
    assert (moving.seeds, moving.depends) == ((0, 1, 2), True)
    assert moving.adjusted_rand == pytest.approx(0, abs=0.002)
    assert moving.rand == pytest.approx(5 / 9, abs=0.002)  # of 9 pairs of parts, 1/3 * 1/3 + 2/3 * 2/3 agree by chance
    silent = diagnose(criteria.get("flops"), CONTEXT, 3, few(), ALL)
    assert silent.stability.depends is None
    assert "not asked for" in as_text(diagnosis_table(silent))


def test_twins_and_passes_are_told() -> None:
    found = diagnose(criteria.get("flops"), CONTEXT, 3, few(), ALL)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [twins["equivalence"] for twins in content["twins"]] == ["cell", "function", "training"]
    assert all(twins["architectures"] > 6000 for twins in content["twins"])  # dead edges cost FLOPs
    assert content["passes"]["edges"] == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    for sampler in content["passes"]["samplers"]:
        assert sum(sampler["passes"]) == pytest.approx(1000)
    text = as_text(diagnosis_table(found), 60)
    assert "torn" in text
    assert "of 1,000 passes under sbs" in text


def test_no_torch() -> None:
    code = ("import sys, harness.splits.diagnosis, harness.splits.rivals, harness.scoring.scores\n"
            "import harness.report.diagnosis, harness.report.summary, harness.figures.parts, harness.report.splits\n"
            "import harness.figures.violins, harness.figures.costs\n"
            "found = {'torch', 'pandas', 'matplotlib', 'seaborn', 'sklearn'} & set(sys.modules)\nassert not found, found")
    subprocess.run([sys.executable, "-c", code], check=True)
