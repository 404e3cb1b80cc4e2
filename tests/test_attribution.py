"""What factors are worth: effects by hand and by scipy, intervals that cover, designs that cannot be attributed, power."""

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from command import harness
from numpy.typing import NDArray
from records import finished
from scipy import stats

from benchmarks.errors import UsageError
from harness.experiments.attribution import Effect, attribute
from harness.experiments.factorial import Result, factorial, unequal, varied
from harness.experiments.observations import of_runs
from harness.experiments.power import detectable, detectable_between, pooled
from harness.experiments.sweep import Sweep
from harness.runs.collection import read_record
from harness.runs.spec import Network

FACTORS, LEVELS = ("share", "sampler"), (("all", "part"), ("uniform", "balanced", "sbs"))


def effects_of(values: NDArray[np.float64]) -> dict[str, Effect]:
    return {f"{effect.kind} {effect.contrast}": effect for effect in attribute(values, FACTORS, LEVELS)}


def results(values: NDArray[np.float64], passes: float = 100.0) -> list[Result]:
    """A result for every value [n_seed, 2, 3]."""
    return [Result({"share": LEVELS[0][i], "sampler": LEVELS[1][j]}, seed, float(values[seed, i, j]), passes, 1e9)
            for seed, i, j in product(*map(range, values.shape))]


def test_effects_are_differences_of_marginal_means() -> None:
    # share: +3 for part; sampler: 0, +1, +5; part gains 2 more by sbs. Seeds add 10 and 20 to everything, which is no effect.
    table = np.array([[0.0, 1.0, 5.0], [3.0, 4.0, 10.0]])
    found = effects_of(np.stack([table, table + 10, table + 20]))
    assert {name: effect.value for name, effect in found.items()} == pytest.approx({
        "mean all": 12, "mean part": 10 + 17 / 3, "mean uniform": 11.5, "mean balanced": 12.5, "mean sbs": 17.5,
        "main part - all": 11 / 3, "main balanced - uniform": 1, "main sbs - uniform": 6, "main sbs - balanced": 5,
        "interaction (part - all) x (balanced - uniform)": 0, "interaction (part - all) x (sbs - uniform)": 2,
        "interaction (part - all) x (sbs - balanced)": 2})
    assert found["mean all"].sd == pytest.approx(10)


def test_intervals_are_those_of_paired_t_tests() -> None:
    values = np.random.default_rng(0).normal(size=(5, 2, 3))
    found = effects_of(values)
    all_, part = values[:, 0].mean(axis=1), values[:, 1].mean(axis=1)
    test, main = stats.ttest_rel(part, all_), found["main part - all"]
    low, high = test.confidence_interval(0.95)
    assert (main.value, main.low, main.high, main.p) == pytest.approx((part.mean() - all_.mean(), low, high, test.pvalue))
    gain = (values[:, 1, 2] - values[:, 1, 0]) - (values[:, 0, 2] - values[:, 0, 0])
    both = found["interaction (part - all) x (sbs - uniform)"]
    assert (both.low, both.high) == pytest.approx(tuple(stats.ttest_1samp(gain, 0).confidence_interval(0.95)))
    worst = max(effect.p_holm for name, effect in found.items() if name.startswith("main"))
    assert all(effect.p <= effect.p_holm <= worst <= 1 for name, effect in found.items() if name.startswith("main"))


def test_intervals_cover_nothing_in_95_of_100_cases_without_effects() -> None:
    rng, n = np.random.default_rng(1), 600
    covered = {"main": 0, "interaction": 0}
    for _ in range(n):
        # Seeds that are better as a whole do not disturb pairs.
        values = rng.normal(size=(4, 2, 2)) + 3 * rng.normal(size=(4, 1, 1))
        for effect in attribute(values, ("a", "b"), (("0", "1"), ("0", "1"))):
            if effect.kind != "mean" and effect.factors != ("b",):
                covered[effect.kind] += effect.low <= 0 <= effect.high
    error = (0.95 * 0.05 / n) ** 0.5
    assert all(abs(count / n - 0.95) < 4 * error for count in covered.values())


def test_one_seed_gives_effects_and_no_intervals() -> None:
    main = effects_of(np.arange(6.0).reshape(1, 2, 3))["main part - all"]
    assert main.value == 3
    assert np.isnan([main.low, main.high, main.p, main.p_holm]).all()
    assert main.to_json()["low"] is None


# ---- designs


def test_a_factorial_is_found_in_rows_in_any_order() -> None:
    values = np.random.default_rng(2).normal(size=(3, 2, 3))
    rows = results(values)
    rows = [rows[i] for i in [0, *np.random.default_rng(3).permutation(len(rows) - 1) + 1]]
    made = factorial(rows)
    again = {(seed, made.levels[0][i], made.levels[1][j]): made.values[seed, i, j]
             for seed, i, j in product(range(3), range(2), range(3))}
    assert again == {(row.seed, *row.levels.values()): row.tau for row in rows}
    assert (made.factors, made.seeds, made.left_out) == (FACTORS, (0, 1, 2), {})


def test_runs_that_have_little_in_common_are_refused_before_all_cells_are_listed() -> None:
    levels = [{f"field {i}": str(i == run) for i in range(60)} for run in range(4)]
    with pytest.raises(UsageError, match=r"No seed has all 16 cells of field 0 x field 1 x field 2 x field 3: seed 0 lacks "):
        factorial([Result(each, 0, 0.5, 60, 1e9) for each in levels])
    levels = [{f"field {i}": str(i % 4 == run) for i in range(60)} for run in range(4)]
    with pytest.raises(UsageError, match=r"These 4 runs differ in 60 fields \(field 0, .* and others\), too many "):
        factorial([Result(each, 0, 0.5, 60, 1e9) for each in levels])


def test_a_seed_that_lacks_a_cell_is_left_out_and_named() -> None:
    rows = results(np.zeros((3, 2, 3)))
    made = factorial([row for row in rows if (row.seed, *row.levels.values()) != (1, "part", "sbs")])
    assert made.seeds == (0, 2)
    assert made.left_out == {1: "share=part sampler=sbs"}
    undefined = np.zeros((2, 2, 3))
    undefined[1, 0, 1] = np.nan
    assert factorial(results(undefined)).left_out == {1: "share=all sampler=balanced"}


def test_designs_that_say_nothing_are_refused() -> None:
    rows = results(np.zeros((2, 2, 3)))
    half = [row for row in rows if row.levels["share"] == "all" or row.levels["sampler"] == "sbs"]
    with pytest.raises(UsageError, match=r"No seed has all 6 cells of share x sampler: seed 0 lacks share=part sampler=uniform, "
                                         r"share=part sampler=balanced; .*--where"):
        factorial(half)
    with pytest.raises(UsageError, match="Nothing but the seed differs between these 2 runs"):
        factorial([rows[0], rows[6]])
    with pytest.raises(UsageError, match=r"Two runs with different results are share=all sampler=uniform of seed 0"):
        factorial([*rows, Result(rows[0].levels, 0, 1.0, 100, 1e9)])


def test_budgets_are_compared_where_they_are_not_the_question() -> None:
    short, long = (results(np.zeros((1, 2, 3)), passes) for passes in (100, 300))
    assert unequal(short, "passes") is None
    ends = unequal([*short, *long], "passes")
    assert ends is not None
    assert [end.passes for end in ends] == [100, 300]
    varied = [Result({**row.levels, "recipe.passes": str(row.passes)}, 0, 0.0, row.passes, 1e9) for row in (*short, *long)]
    assert unequal(varied, "passes") is None


def test_what_a_sampler_only_looks_at_is_among_its_passes(tmp_path: Path) -> None:
    records = []
    for sampler, trained in (("uniform", 600), ("greedy", 360)):
        [file] = finished(tmp_path, 0.5, criterion="none", k=1, sampler=sampler).glob("metrics-*")
        record = read_record(file)
        records.append(replace(record, budget=replace(record.budget, passes=trained)))
    found = of_runs(records)
    assert [(result.levels["sampler"], result.passes) for result in found] == [("uniform", 600), ("greedy", 600)]
    assert unequal(found, "passes") is None


# ---- power


def test_factors_are_named_by_their_flags_and_their_levels_do_not_depend_on_the_order_of_runs(tmp_path: Path) -> None:
    records = []
    for share, sampler, gamma in product(("part", "all"), ("sbs", "uniform", "balanced"), (10, 2)):
        [file] = finished(tmp_path, 0.5, share=share, sampler=sampler, network=Network(20, gamma)).glob("metrics-*")
        records.append(read_record(file))
    for order in (records, records[::-1]):
        found = varied(of_runs(order))
        assert found == {"sampler": ("uniform", "balanced", "sbs"), "share": ("all", "part"), "gamma": ("2", "10")}


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    assert detectable(1.0, 10) == pytest.approx(0.996, abs=1e-3)  # as G*Power has it
    assert np.isnan(detectable(1.0, 1))
    true = detectable(0.02, 5)
    drawn = np.random.default_rng(4).normal(true, 0.02, size=(20_000, 5))
    assert (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.015)


def test_means_of_several_cells_show_smaller_differences() -> None:
    assert detectable_between(0.02, 1, 5) == pytest.approx(detectable(0.02 * 2**0.5, 5))
    assert detectable_between(0.02, 8, 5) == pytest.approx(detectable(0.01, 5))


def test_the_spread_over_seeds_is_pooled() -> None:
    found = pooled([[1.0, 3.0], [10.0, 10.0, 13.0], [5.0]])
    assert found is not None
    assert (found.sd, found.values, found.groups) == (pytest.approx((8 / 3) ** 0.5), 5, 2)
    assert pooled([[1.0], []]) is None


# ---- the command, on published runs


PUBLISHED = f"attribute {Path(__file__).parents[1] / 'results/published/digits201-controls'}"


def test_published_runs_are_attributed(tmp_path: Path) -> None:
    found = harness(f"{PUBLISHED} --where criterion=nonlinear --out {tmp_path}/figure --json")
    effects = {(effect["kind"], effect["contrast"]): effect for effect in found.json["effects"]}
    assert found.json["factors"] == {"sampler": ["uniform", "sbs"], "share": ["all", "part"]}
    assert found.json["seeds"] == [0, 1, 2, 3, 4]
    # results/README.md: means 0.628, 0.560, 0.541 and 0.217.
    assert effects["main", "sbs - uniform"]["value"] == pytest.approx((0.628 + 0.541 - 0.560 - 0.217) / 2, abs=1e-3)
    assert effects["interaction", "(sbs - uniform) x (part - all)"]["value"] == pytest.approx(
        (0.541 - 0.217) - (0.628 - 0.560), abs=2e-3)
    assert found.json["warnings"][0].startswith("Budgets are unequal: FLOPs run from 109 G")
    assert [name.rpartition(".")[2] for name in found.json["files"]] == ["png", "pdf", "csv"]
    assert (tmp_path / "figure.csv").read_text().count("\n") == 1 + len(effects)
    said = harness(f"{PUBLISHED} --where criterion=nonlinear").out
    assert "share: part - all" in said
    assert "sampler (2) x share (2), seeds 0, 1, 2, 3, 4" in said


def test_attributing_does_not_import_torch() -> None:
    code = "import sys, harness.experiments.observations, harness.report.attribution; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_what_cannot_be_attributed_is_said() -> None:
    assert "No seed has all 12 cells of criterion x sampler x share" in harness(PUBLISHED).err
    assert harness(f"{PUBLISHED} --where sampler=sbbs").err == (
        "Error: No run has sampler=sbbs; did you mean 'sbs'? choose from sbs, uniform.\n")
    assert harness(f"{PUBLISHED} --where samplr=sbs").err.startswith(
        "Error: No run has a field 'samplr'; did you mean 'sampler'? choose from ")
    assert harness(f"{PUBLISHED} --where sampler").err == (
        "Error: --where sampler is no condition; write --where FIELD=VALUE.\n")
    assert "choose from benchmark, dataset, criterion, k, " in harness(f"{PUBLISHED} --where criterion=oracle --where foo=1").err
    assert "was not judged on 'top 150'" in harness(f"{PUBLISHED} --population 'top 150'").err


@pytest.mark.parametrize("where", ["", "--where share=all", "--where foo=1"])
def test_a_sweep_of_which_nothing_is_finished_is_said(where: str) -> None:
    sweep = Sweep.of(("seed",), [({"seed": seed}, [{"seed": seed, "recipe": {"passes": 12}}]) for seed in (0, 1)])
    sweep.write()
    answer = harness(f"attribute {sweep.name} {where}")
    assert (answer.code, answer.err) == (
        2, f"Error: None of the runs of {sweep.name} is finished; run the sweep first.\n")


def test_a_level_that_all_runs_have_is_no_error() -> None:
    budget = Path(__file__).parents[1] / "results/published/digits201-budget"
    answer = harness(f"attribute {budget} --where criterion=nonlinear --where sampler=sbs --json")
    assert answer.code == 0
    assert list(answer.json["factors"]) == ["recipe.passes", "share"]


def test_runs_that_differ_in_too_much_are_refused_in_one_sentence() -> None:
    published = Path(__file__).parents[1] / "results/published"
    answer = harness(f"attribute {published / 'efs-nas-table1-smoke'}")
    assert answer.code == 2
    assert answer.err.startswith("Error: These 12 runs differ in 10 fields (criterion, k, sampler, share, gamma, ")
    assert len(answer.err) < 300
    # A parent is one field, whatever is in it.
    answer = harness(f"attribute {published / 'digits201-controls'} {published / 'digits201-factorial'} --where sampler=sbs "
                     "--where share=part")
    assert "No seed has all 64 cells of criterion x k x gamma x recipe.passes x parent: seed 0 lacks " in answer.err
    edges = harness(f"attribute {published / 'digits201-factorial'} --where criterion=edge --json")
    assert list(edges.json["factors"]) == ["gamma"]  # their parents differ in it, too
    only = harness(f"attribute {published / 'digits201-controls'} --where sampler=sbs --where share=part --json")
    assert list(only.json["factors"]) == ["criterion"]
