"""Networks of a sample of architectures only: what is measured, judged, written and said; and which weights are asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import harness

from benchmarks.benchmark import benchmark
from benchmarks.errors import UsageError
from benchmarks.truth import load_truth
from criteria import Context, criteria, partition, score
from criteria.mask import Mask
from criteria.tree import closeness, divide
from harness.report.scores import scores_table
from harness.report.splits import lineup_table
from harness.report.summary import as_text
from harness.scoring.laboratory import Laboratory, _Known
from harness.scoring.sample import judged_on, sampled
from harness.scoring.scores import SCHEMA, scored, scores_file
from harness.scoring.world import weights_of, with_supernet
from harness.splits.rivals import Lineup, compare_splits
from harness.store import read_frame

DIGITS = benchmark("digits201")
SPACE = DIGITS.space
TRUTH = load_truth("digits201/digits/test/60/full", "digits201")
OURS = sampled(DIGITS, TRUTH, 30)
# l2_norm is the cheapest of the network criteria.
CHEAP = "l2_norm[batch=4]"


def context(home: Path, members: np.ndarray | None = None) -> Context:
    return Context(SPACE, DIGITS.skeleton_for("digits"), 0, TRUTH, Laboratory("digits201", "digits", jobs=1, home=home), members)


def lineup(ctx: Context, *names: str) -> Lineup:
    judged = judged_on(DIGITS, TRUTH, "all", None if ctx.members is None else len(ctx.members))
    return compare_splits([criteria.get(name) for name in names], ctx, 3, TRUTH, judged)


def test_scores_of_a_sample_are_measured_written_and_judged_there(tmp_path: Path) -> None:
    for name in (CHEAP, "flops"):
        line = f"score --criterion '{name}' --architectures 30 --out {tmp_path}/s.parquet --jobs 1 --seeds 1 --json"
        content = harness(line).json
        columns, _ = read_frame(tmp_path / "s.parquet", {"schema": SCHEMA, "population": OURS.name})
        values = columns["score_seed0"]
        assert np.flatnonzero(np.isfinite(values)).tolist() == OURS.members.tolist()
        assert content["population"] == OURS.name == "sample of 30 connected, drawn uniformly"
        assert [(each["population"], each["tau"][0]["n"]) for each in content["truths"]] == [(OURS.name, 30)]
    assert np.array_equal(values[OURS.members], score("flops", Context(SPACE, DIGITS.skeleton)).values[OURS.members])
    found = [scored(criteria.get("flops"), context(tmp_path), 1, sample) for sample in (OURS, None)]
    assert len({scores_file(each, criteria.get("flops"), DIGITS, "digits") for each in found}) == 2
    text = as_text(scores_table(found[0], (), tmp_path))
    assert "Scored: sample of 30 connected" in text
    assert "have no score" not in text


def test_splits_are_compared_on_the_same_sample(tmp_path: Path) -> None:
    found = lineup(context(tmp_path, OURS.members), "nonlinear", CHEAP, f"random[like={CHEAP}]", "random[like=nonlinear]")
    assert found.members.tolist() == OURS.members.tolist()
    whole, ours, chance, other = found.candidates
    assert whole.partition.sizes == (9105, 5520, 1000) == tuple(sorted(other.partition.sizes, reverse=True))
    assert sorted(ours.partition.sizes) == sorted(chance.partition.sizes) == [10, 10, 10]
    assert np.array_equal(chance.partition.label < 0, ours.partition.label < 0)
    assert (ours.partition.label != chance.partition.label).any()
    # Random splits have the sample in their parts, too.
    assert ours.null.mean.top_share == pytest.approx(1)
    assert ours.null.mean.eta2 == pytest.approx(2 / 29, abs=0.02)
    text = as_text(lineup_table(found), 400)
    assert "10 / 10 / 10 (15,595 in no part)" in text
    assert "Splits on sample of 30 connected" in text


def test_the_commands_take_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.figures.kind.Kind.write", lambda *_: ())
    said = harness(f"compare-splits nonlinear '{CHEAP}' --architectures 30 --jobs 1 --json").json
    assert (said["population"], [row["n_unassigned"] for row in said["criteria"]]) == (OURS.name, [0, 15_595])
    found = harness(f"diagnose --criterion '{CHEAP}' --architectures 30 --jobs 1 --seeds 1 --json").json
    assert (found["population"], found["n"], found["n_unassigned"]) == (OURS.name, 30, 15_595)
    assert [part["n"] for part in found["parts"]] == [10, 10, 10]
    assert found["tau"]["scores"] == found["tau"]["scores_finite"]


@pytest.mark.parametrize("line", ["score --criterion flops --architectures 1",
                                  "diagnose --criterion flops --architectures 9 --population distinct",
                                  "compare-splits flops --architectures 9 --population nobody"])
def test_samples_that_cannot_be(line: str) -> None:
    assert harness(line).code == 2


def test_disconnected_architectures_are_in_no_part_and_kept_measurements_are_only_read(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context(tmp_path)
    assert isinstance(ctx.laboratory, Laboratory)
    folder = tmp_path / ctx.laboratory._name(criteria.get("naswot"))  # type: ignore[arg-type]
    kept = _Known(folder / "measurements.parquet", {"schema": "measurements/1", "key": folder.name})
    kept.values = {int(i): float(i) for i in np.unique(SPACE.function_id, return_index=True)[1] if SPACE.connected[i]}
    folder.mkdir()
    kept.save()
    monkeypatch.setattr("harness.scoring.laboratory._work", None)
    ours = lineup(ctx, "nonlinear", "naswot").candidates[1].partition
    assert ours.n_unassigned == 341 == (~SPACE.connected).sum()
    assert ours.summary.endswith("(341 in no part)")


# ---- trees by what networks are


def test_a_tree_by_a_network_metric_cuts_by_the_mean_over_the_sample(tmp_path: Path) -> None:
    members = sampled(DIGITS, TRUTH, 60).members
    ctx = context(tmp_path, members)
    values = score(CHEAP, ctx).values
    whole = Mask.whole(SPACE)
    means = [np.nanmean(values[whole.only(3, (op,)).holds(SPACE.codes)]) for op in range(5)]
    made = partition(f"metric_tree[metric={CHEAP},edges=3]", ctx)
    cut = divide(whole.allowed[3], closeness(np.array(means)), balanced=False)
    assert made.names == (whole.only(3, cut.first).text(SPACE, (3,)), whole.only(3, cut.second).text(SPACE, (3,)))
    assert made.n_unassigned == 0
    with pytest.raises(UsageError, match=r"none of the 60 architectures of the sample has a score in .*; take a larger sample"):
        partition(f"metric_tree[metric={CHEAP},edges=0+1+2+3]", ctx)


# ---- whose weights


def test_the_supernet_of_a_run_is_for_criteria_that_can_ask_one(results_home: Path) -> None:
    matching, flops = criteria.get("gradient_matching"), criteria.get("flops")
    (results_home / "some-run").mkdir(parents=True)
    (results_home / "some-run" / "spec.json").write_text("{}")
    asked = with_supernet([flops, matching], "some-run")
    assert asked == [flops, replace(matching, supernet="some-run")]  # type: ignore[type-var]
    assert [weights_of(each) for each in (flops, matching, asked[1])] == [None, "at initialisation", "run some-run"]
    for chosen, run, word in (([flops], "some-run", "None of these criteria"), ([matching], "nowhere", "There is no run")):
        with pytest.raises(UsageError, match=word):
            with_supernet(chosen, run)
    assert harness("diagnose --criterion flops --supernet some-run").code == 2


def test_the_tables_say_whose_weights_were_asked() -> None:
    selector = "gradient_matching[levels=1,batches=1,batch=4]"
    said = harness(f"diagnose --criterion '{selector}' --seeds 1 --jobs 1")
    assert "gradient_matching[batch=4,batches=1,levels=1] asked the weights: at initialisation." in said.out, said.err
