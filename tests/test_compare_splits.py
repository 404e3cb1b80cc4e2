"""Several splits side by side: the table, the agreement, what fails, and the figures."""

import json
import subprocess
import sys
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from command import harness
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from benchmarks.benchmark import Population, benchmark
from benchmarks.convert import import_table
from benchmarks.errors import DataError, UsageError
from benchmarks.truth import GroundTruth, TruthKey
from criteria import Context, partition
from criteria.registry import criteria
from harness.figures import costs, violins
from harness.figures.lettering import shortened
from harness.figures.panels import colours, part_names
from harness.report.splits import lineup_table, sizes
from harness.report.summary import as_text
from harness.splits.rivals import Lineup, Refusal, compare_splits

BENCH = benchmark("nasbench201")
SPACE = BENCH.space
CONTEXT = Context(SPACE, BENCH.skeleton_for("cifar10"))
ALL = Population("all", np.arange(len(SPACE)))
KEY = TruthKey.parse("v1_0/cifar10/test/200/full")
RISING = GroundTruth(KEY, np.linspace(10, 95, len(SPACE))[:, None], ("mean",), "", "made up")
BROKEN = """
from dataclasses import dataclass
import numpy as np
from criteria import Scorer, Scores

@dataclass(frozen=True)
class Broken(Scorer):
    def score(self, ctx):
        raise ValueError("no luck")

@dataclass(frozen=True)
class Slow(Scorer):
    def score(self, ctx):
        while True:
            pass

@dataclass(frozen=True)
class Greedy(Scorer):
    def score(self, ctx):
        ctx.space.codes.setflags(write=True)
        ctx.space.codes[0] = 4
        return Scores(np.arange(len(ctx.space)), "index")
"""


def lineup(*names: str, k: int = 3, truth: GroundTruth = RISING, judged: Population = ALL, seeds: int = 1) -> Lineup:
    return compare_splits([criteria.get(name) for name in names], CONTEXT, k, truth, judged, seeds)


def test_a_row_says_what_its_split_is() -> None:
    found = lineup("nonlinear", "random[like=nonlinear]", "none", "oracle")
    assert [row.criterion for row in found.rows] == ["nonlinear", "random[like=nonlinear]", "none", "oracle"]
    nonlinear, chance, whole, oracle = found.candidates
    assert nonlinear.partition.sizes == (9105, 5520, 1000)
    assert sorted(chance.partition.sizes) == [1000, 5520, 9105]
    assert chance.scores is None
    assert (whole.partition.k, whole.separation.top_share) == (1, 1)
    assert oracle.scores == pytest.approx(1)
    assert oracle.null.percentile.eta2 == oracle.null.percentile.tau == 100
    assert [twins.apart for twins in nonlinear.twins] == [0, 0, 0]
    assert all(0 <= row.seconds < 5 for row in found.candidates)


def test_agreement_is_of_every_pair_once() -> None:
    found = lineup("nonlinear", "flops", "random")
    assert list(found.agreements) == [(0, 1), (0, 2), (1, 2)]
    one, other = (partition(name, CONTEXT, 3).label for name in ("nonlinear", "flops"))
    assert found.agreements[0, 1].adjusted_rand == pytest.approx(adjusted_rand_score(one, other))
    assert found.agreements[0, 1].adjusted_information == pytest.approx(adjusted_mutual_info_score(one, other))
    assert found.agreements[0, 2].adjusted_rand == pytest.approx(0, abs=0.001)
    text = as_text(lineup_table(found))
    assert f"{found.agreements[0, 1].adjusted_rand:.3f}" in text
    assert f"{found.agreements[0, 1].adjusted_information:.3f}" in text


def test_the_order_of_the_criteria_changes_nothing_but_the_order() -> None:
    one, other = lineup("nonlinear", "random", "flops"), lineup("flops", "nonlinear", "random")
    for row in one.candidates:
        twin = next(each for each in other.candidates if each.criterion == row.criterion)
        assert (twin.separation, twin.null.mean.eta2, twin.twins) == (row.separation, row.null.mean.eta2, row.twins)


def test_what_fails_is_named_and_the_others_are_compared(tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(BROKEN)
    found = lineup("nonlinear", f"{tmp_path}/plug.py:Broken", f"{tmp_path}/plug.py:Greedy", "flops", k=5)
    refused = {row.criterion.rpartition(":")[2]: row.reason for row in found.refusals}
    assert list(refused) == ["nonlinear", "Broken", "Greedy"]
    assert "cannot make 5 parts" in refused["nonlinear"]
    assert "ValueError: no luck" in refused["Broken"]
    assert "changed codes" in refused["Greedy"]
    assert [row.criterion for row in found.candidates] == ["flops"]
    assert found.candidates[0].partition.sizes == partition("flops", CONTEXT, 5).sizes
    text = as_text(lineup_table(found), 400)
    assert f"{found.refusals[0].criterion}: not compared. {found.refusals[0].reason}" in text
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["failed"][0]["criterion"] == "nonlinear"


def test_what_hangs_is_stopped_and_named(tmp_path: Path) -> None:
    (tmp_path / "plug.py").write_text(BROKEN)
    chosen = [criteria.get(name) for name in (f"{tmp_path}/plug.py:Slow", "nonlinear")]
    start = time.monotonic()
    found = compare_splits(chosen, CONTEXT, 3, RISING, ALL, time_limit=0.3)
    assert time.monotonic() - start < 10
    assert isinstance(found.rows[0], Refusal)
    assert "took longer than 0.3 s" in found.rows[0].reason
    assert [row.criterion for row in found.candidates] == ["nonlinear"]


def test_when_all_fail_there_is_a_table_of_reasons() -> None:
    found = lineup("nonlinear", k=5)
    assert found.candidates == ()
    assert "not compared" in as_text(lineup_table(found))


def test_what_cannot_be_asked() -> None:
    with pytest.raises(UsageError, match="'flops' stands twice"):
        lineup("flops", "nonlinear", "flops")
    with pytest.raises(DataError, match="no architecture of the population"):
        lineup("flops", truth=GroundTruth(RISING.key, np.full((len(SPACE), 1), np.nan), ("mean",), "", ""))


def test_stability_is_shown_when_asked_for() -> None:
    assert "seeds" not in as_text(lineup_table(lineup("flops", "random")))
    found = lineup("flops", "random", seeds=2)
    assert [row.stability.depends for row in found.candidates] == [False, True]
    assert "no seed" in as_text(lineup_table(found))


def test_many_sizes_are_a_range() -> None:
    rows = lineup("flops[rule=equal]", "oracle", k=7).candidates
    assert sizes(rows[0]) == f"{min(rows[0].partition.sizes):,} .. {max(rows[0].partition.sizes):,}"
    assert sizes(rows[0]).count("/") == 0


# ---- figures


def test_frames_hold_what_is_judged_and_in_a_part() -> None:
    accuracy = np.where(np.arange(len(SPACE)) % 5 == 0, np.nan, RISING.mean())
    truth = GroundTruth(RISING.key, accuracy[:, None], ("mean",), "", "made up")
    found = lineup("nonlinear", "oracle", truth=truth)
    frame = violins.lineup_frame(found, CONTEXT)
    for row in found.candidates:
        mine = frame[frame["panel"] == row.criterion]
        assert (set(mine["tau"]), set(mine["eta2"])) == ({row.separation.tau}, {row.separation.eta2})
        assert sorted(mine["index"]) == np.flatnonzero(np.isfinite(accuracy)).tolist()
        assert mine["part"].tolist() == row.partition.label[mine["index"]].tolist() == sorted(mine["part"])
        assert np.array_equal(mine["accuracy"], accuracy[mine["index"]])
    shared = costs.lineup_frame(found, CONTEXT)
    assert shared.groupby("panel")["architectures"].sum().tolist() == [len(found.members)] * 2
    assert shared.groupby("panel")[["flops", "params"]].apply(lambda each: len(each.drop_duplicates())).tolist() == [28, 28]


def test_figures_are_the_same_ones_from_their_data(tmp_path: Path) -> None:
    found = lineup("nonlinear", "none")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (violins, costs):
            frame = each.lineup_frame(found, CONTEXT)
            frame.to_csv(tmp_path / "data.csv", index=False)
            assert each.KIND.svg(each.KIND.read(tmp_path / "data.csv")) == each.KIND.svg(frame)


@pytest.mark.parametrize("count", [1, 20])
def test_few_and_many_architectures_are_drawn(count: int) -> None:
    connected = np.flatnonzero(SPACE.connected)[:count]
    found = lineup("flops", "nonlinear[count=total]", k=7, judged=Population("few", connected))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (violins, costs):
            figure = each.KIND.draw(each.lineup_frame(found, CONTEXT), 2)
            assert [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes] == ["flops", "nonlinear[count=total]"]


def test_nothing_to_draw_is_said() -> None:
    dead = Population("dead", np.flatnonzero(~SPACE.connected))
    with pytest.raises(DataError, match="nothing to draw"):
        violins.KIND.draw(violins.lineup_frame(lineup("flops", judged=dead), CONTEXT), 2)


def test_names_of_parts_fit_or_are_numbers() -> None:
    counts, cheap = lineup("nonlinear", "flops").candidates
    assert part_names(counts.partition.names, 1) == ["0..1", "2", "3"]
    assert part_names(counts.partition.names, 0.1) == part_names(cheap.partition.names, 0.3) == ["#0", "#1", "#2"]
    assert shortened("nonlinear[count=live]", 1) == "nonlinea…unt=live]"


def test_colours_differ_in_grey() -> None:
    for k in (1, 3, 8):
        grey = [0.299 * r + 0.587 * g + 0.114 * b for r, g, b, _ in colours(k)]
        assert all(later - earlier > 0.03 for earlier, later in pairwise(grey))


# ---- the command


def test_the_command_prints_draws_and_answers(tmp_path: Path) -> None:
    line = f"compare-splits nonlinear random oracle --k 3 --out {tmp_path}"
    said = harness(line)
    assert said.code == 0
    assert "9,105 / 5,520 / 1,000" in said.out
    assert (tmp_path / "violins.png").exists()
    assert (tmp_path / "agreement.png").exists()
    content = harness(f"{line} --json").json
    assert [row["criterion"] for row in content["criteria"]] == ["nonlinear", "random", "oracle"]
    assert len(content["agreement"]) == 3
    assert content["failed"] == []
    assert {Path(path).suffix for path in content["figures"]} == {".png", ".pdf", ".csv"}


def test_figures_lie_beside_the_runs_unless_said(results_home: Path) -> None:
    for names in ("nonlinear random", "nonlinear oracle"):
        assert harness(f"compare-splits {names}").code == 0
    folders = sorted(folder.name for folder in results_home.iterdir())
    assert len(folders) == 2
    assert all(name.startswith("splits-k3-digits201-digits-s0-") for name in folders)
    assert harness("list runs --json").json == {"runs": []}


def test_the_command_fails_when_a_criterion_does(tmp_path: Path) -> None:
    said = harness(f"compare-splits nonlinear flops --k 5 --out {tmp_path}")
    assert said.code == 1
    assert "nonlinear: not compared" in said.out
    assert "1 of 2 criteria could not be compared (nonlinear)" in said.err
    assert (tmp_path / "violins.png").exists()


@pytest.mark.parametrize(("line", "code", "word"), [
    ("", 2, "Missing argument"), ("nonlinera flops", 2, "did you mean 'nonlinear'?"), ("flops flops", 2, "stands twice"),
    ("flops --k 0", 2, "--k"), ("flops --time-limit 0", 2, "--time-limit"), ("flops --population al", 2, "Unknown population"),
    ("flops --benchmark nasbench201", 3, "There is no table")])
def test_wrong_questions_end_before_anything_is_scored(line: str, code: int, word: str, tmp_path: Path) -> None:
    said = harness(f"compare-splits {line} --out {tmp_path / 'none'}")
    assert said.code == code
    assert word in said.err
    assert not (tmp_path / "none").exists()


def test_no_torch_where_no_network_is_needed(tmp_path: Path) -> None:
    code = (f"from harness.cli import main; main(['compare-splits', 'flops', 'random', '--out', '{tmp_path}'])\n"
            "import sys; assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.real_data
def test_the_structural_splits_of_cifar10(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    start = time.process_time()
    content = harness("compare-splits nonlinear flops params random --benchmark nasbench201 --dataset cifar10 --json "
                      "--truth c10_test_200_v10").json
    assert time.process_time() - start < 20
    rows = {row["criterion"]: row for row in content["criteria"]}
    assert round(rows["nonlinear"]["tau"]["scores"], 3) == 0.565
    assert round(rows["nonlinear"]["tau"]["labels"], 3) == 0.478
    assert rows["nonlinear"]["random"]["percentile"]["eta2"] == 100
    assert rows["flops"]["parts"] == rows["params"]["parts"] == [5554, 5901, 4170]
    same = next(pair for pair in content["agreement"] if pair["criteria"] == ["flops", "params"])
    assert same["adjusted_rand"] == 1
    assert -1 < rows["random"]["random"]["percentile"]["eta2"] < 100
