"""`harness score`: scores of all architectures in a file, and their tau with every truth at hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import harness
from scipy.stats import kendalltau

from benchmarks.benchmark import benchmark
from benchmarks.convert import import_table
from benchmarks.errors import UsageError
from benchmarks.rows import read_estimates
from benchmarks.space import nasbench201
from benchmarks.truth import load_truth
from criteria import Context, score
from criteria.registry import criteria
from harness.report.scores import scores_table
from harness.report.summary import as_text
from harness.scoring.scores import SCHEMA, scored, truths_at_hand, verdicts, write_scores
from harness.store import read_frame

DIGITS = benchmark("digits201")
CONTEXT = Context(DIGITS.space, DIGITS.skeleton)
NOISE = """
from dataclasses import dataclass
import numpy as np
from benchmarks.seeds import derive
from criteria import Scorer, Scores

@dataclass(frozen=True)
class Noise(Scorer):
    undefined: int = 0

    def score(self, ctx):
        values = np.random.default_rng(derive(ctx.seed, "noise")).normal(size=len(ctx.space))
        values[:self.undefined] = np.nan
        return Scores(values, "noise", "dB")
"""


@pytest.fixture
def noise(tmp_path: Path) -> str:
    (tmp_path / "noise.py").write_text(NOISE)
    return f"{tmp_path}/noise.py:Noise"


def test_the_file_holds_every_architecture_and_can_be_measured(tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    content = harness(f"score --criterion flops --out {out} --json").json
    assert content["columns"] == ["score"]
    assert content["depends_on_seed"] is False
    columns, about = read_frame(out, {"schema": SCHEMA, "criterion": "flops", "benchmark": "digits201"})
    assert about["unit"] == "multiply-adds"
    assert columns["index"].tolist() == list(range(15_625))
    assert columns["arch"].tolist() == nasbench201().strings
    assert np.array_equal(columns["score"], score("flops", CONTEXT).values)
    assert np.array_equal(read_estimates(out, None, nasbench201()), columns["score"])
    measured = harness(f"measure {out} --json").json
    assert measured["tau"]["value"] == pytest.approx(content["truths"][0]["mean"])


def test_tau_is_that_of_scipy_on_each_population() -> None:
    content = harness("score --criterion nonlinear --json").json
    truth = load_truth("digits201/digits/test/60/full", "digits201").mean()
    values = score("nonlinear", CONTEXT).values
    assert [verdict["population"].split(",")[0] for verdict in content["truths"]] == ["all", "connected"]
    for verdict, name in zip(content["truths"], ("all", "connected"), strict=True):
        members = DIGITS.population(name, load_truth("digits201/digits/test/60/full", "digits201")).members
        assert verdict["tau"][0]["value"] == pytest.approx(kendalltau(values[members], truth[members]).statistic)
        assert (verdict["tau"][0]["n"], verdict["sd"]) == (len(members), None)


def test_seeds_are_told_apart_where_they_matter(noise: str, tmp_path: Path) -> None:
    out = tmp_path / "noise.parquet"
    content = harness(f"score --criterion {noise} --seed 5 --seeds 3 --out {out} --json").json
    assert content["seeds"] == [5, 6, 7]
    assert content["depends_on_seed"] is True
    assert content["columns"] == ["score_seed5", "score_seed6", "score_seed7"]
    values = [tau["value"] for tau in content["truths"][0]["tau"]]
    assert content["truths"][0]["mean"] == pytest.approx(np.mean(values))
    assert content["truths"][0]["sd"] == pytest.approx(np.std(values, ddof=1))
    said = harness(f"score --criterion {noise} --seeds 3").out
    assert "3 seeds, on which the scores depend" in said
    assert "noise (dB)" in said
    alone = harness(f"score --criterion {noise} --seeds 1 --json").json
    assert (alone["columns"], alone["depends_on_seed"]) == (["score_seed0"], None)


def test_undefined_scores_are_ranked_last_and_left_out(noise: str) -> None:
    known = np.flatnonzero(np.isfinite(load_truth("digits201/digits/test/60/full", "digits201").mean()))
    found = scored(criteria.get(f"{noise}[undefined=8000]"), CONTEXT, 1)
    whole = verdicts(found, DIGITS, truths_at_hand(DIGITS))[0]
    assert whole.taus[0].n > whole.finite[0].n > 0
    assert whole.taus[0].n == len(DIGITS.population("all", truths_at_hand(DIGITS)[0]).members) < len(known)
    text = as_text(scores_table(found, [whole], Path("x.parquet")))
    assert "8,000 architectures have no score" in text
    assert "without undefined scores" in text


def test_the_default_file_is_found_again_and_others_beside_it(results_home: Path, noise: str) -> None:
    files = [harness(f"score --criterion {line} --json").json["file"]
             for line in ("flops", "flops", "flops[live=true]", noise, f"{noise} --seed 1")]
    assert files[0] == files[1]
    assert len(set(files)) == 4
    assert {Path(file).parent for file in files} == {results_home / "scores"}


def test_the_same_scores_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert harness(f"score --criterion params --out {tmp_path}/{name}.parquet").code == 0
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_without_a_truth_there_are_scores_all_the_same(tmp_path: Path) -> None:
    said = harness(f"score --criterion flops --benchmark nasbench201 --out {tmp_path}/flops.parquet")
    assert said.code == 0
    assert "No truth is at hand" in said.out
    assert (tmp_path / "flops.parquet").exists()
    oracle = harness("score --criterion oracle --benchmark nasbench201")
    assert oracle.code == 2
    assert "a ground truth is needed" in oracle.err


@pytest.mark.parametrize(("line", "code", "word"), [
    ("", 2, "--criterion"), ("--criterion random", 2, "only splits"), ("--criterion flosp", 2, "did you mean 'flops'?"),
    ("--criterion flops --out x.csv", 2, ".parquet"), ("--criterion flops --truth no_such", 2, "No table has 'no_such'"),
    ("--criterion flops --seeds 0", 2, "--seeds"), ("--criterion flops --dataset cifar10", 2, "no dataset 'cifar10'"),
    ("--criterion flops --out /proc/none/x.parquet", 1, "Cannot write")])
def test_wrong_questions(line: str, code: int, word: str) -> None:
    said = harness(f"score {line}")
    assert said.code == code
    assert word in said.err


def test_a_second_truth_must_be_of_the_benchmark() -> None:
    with pytest.raises(UsageError, match="No table has"):
        truths_at_hand(DIGITS, ["v1_0/cifar10/test/200/full"])
    assert len(truths_at_hand(DIGITS, ["digits201/digits/test/60/full"])) == 1


def test_a_full_disk_leaves_no_file(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 250_000)
    found = scored(criteria.get("flops"), CONTEXT, 1)
    with pytest.raises(Exception, match="the disk is full"):
        write_scores(small_disk / "scores.parquet", found, criteria.get("flops"), DIGITS, "digits")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@pytest.mark.real_data
def test_every_truth_at_hand_is_used(shared_data: Path) -> None:
    import_table(shared_data / "nasbench201.parquet", "nasbench201")
    content = harness("score --criterion nonlinear --truth c10_test_200_v10 --json").json
    assert content["benchmark"] == "nasbench201"
    taus = {(verdict["truth_key"], verdict["population"]): round(verdict["mean"], 3) for verdict in content["truths"]}
    assert taus["v1_0/cifar10/test/200/full", "all"] == 0.565
    assert {key for key, _ in taus} == {"v1_0/cifar10/test/200/full", "nats/cifar10/test/200/full", "nats/cifar100/test/200/full",
                                        "nats/ImageNet16-120/test/200/full"}


def test_no_torch(tmp_path: Path) -> None:
    code = ("from harness.cli import main; main(['score', '--criterion', 'flops', '--json'])\n"
            "import sys; assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=dict(os.environ))
    assert json.loads(done.stdout)["criterion"] == "flops"
