"""The command line keeps the contract of its commands: what they print, what they do twice, what beats what."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pytest
from command import TINY, Answer, harness, times

from benchmarks.errors import UsageError
from benchmarks.space import nasbench201
from harness.cli import harness as group
from harness.presets import read_config, resolve

TAU = {"value", "low", "high", "n", "ties", "ceiling", "population", "variant"}
RUN = f"run --criterion nonlinear --k 3 {TINY}"


@dataclass(frozen=True)
class Finished:
    """A finished tiny run: its results folder, its own folder, and what the command said."""

    home: Path
    folder: Path
    answer: Answer


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    home = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(home))
        patch.setenv("HARNESS_DATA", str(home / "data"))
        answer = harness(f"{RUN} --json")
    return Finished(home, Path(answer.json["run"]), answer)


@pytest.fixture
def finished(original: Finished, results_home: Path) -> Finished:
    """A copy of the finished run in this test's own results folder."""
    shutil.copytree(original.home, results_home)
    return Finished(results_home, results_home / original.folder.name, original.answer)


def unchanged(before: dict[str, int], after: dict[str, int]) -> bool:
    """No file of results was written again; the lock and the provenance are none."""
    return all(after[name] == when for name, when in before.items() if name not in (".lock", "provenance.json"))


def write_truth(path: Path, seed: int) -> None:
    """A made-up accuracy for every architecture."""
    accuracy = np.random.default_rng(seed).uniform(10, 90, 15_625).round(2)
    rows = (f"{arch},{value}\n" for arch, value in zip(nasbench201().strings, accuracy, strict=True))
    path.write_text("arch,mine_acc\n" + "".join(rows))


# ---- run


def test_a_run_prints_one_object_and_nothing_else(original: Finished) -> None:
    found = original.answer.json
    assert original.answer.out.count("\n") == 1
    assert set(found) == {"run", "key", "tau", "parts", "budget"}
    assert found["parts"] == [9105, 5520, 1000]
    assert set(found["tau"]) == TAU
    assert found["tau"]["variant"] == "b"
    assert found["tau"]["population"].startswith("sample of 12 connected")
    assert found["tau"]["n"] == 12
    assert found["tau"]["low"] <= found["tau"]["value"] <= found["tau"]["high"]
    assert found["budget"]["passes"] == 60
    assert found["budget"]["images"] == 60 * 64
    assert found["budget"]["supernets"] == 3
    assert re.fullmatch(r"nonlinear-k3-digits201-digits-s0-[0-9a-f]{12}", original.folder.name)


def test_a_run_says_its_forecast_and_where_its_results_are(original: Finished) -> None:
    lines = original.answer.err.splitlines()
    assert "9,105 / 5,520 / 1,000 architectures, predicted: " in lines[0]
    assert f"Results: {original.folder}" in lines
    assert Path(lines[-1].removeprefix("Figure: ")).is_file()


def test_a_run_leaves_one_file_a_stage_and_nothing_half_done(original: Finished) -> None:
    key = original.answer.json["key"]
    names = {path.name for path in original.folder.iterdir()}
    estimates = {name for name in names if re.fullmatch(r"estimates-[0-9a-f]{12}\.parquet", name)}
    assert len(estimates) == 1
    assert names - estimates == {
        ".lock", "spec.json", "partition.parquet", f"metrics-{key}.json", "provenance.json",
        *(f"supernet-{i}.safetensors" for i in range(3)), *(f"training-{i}.safetensors" for i in range(3)),
        *(f"accuracy-per-part-{key}.{kind}" for kind in ("csv", "pdf", "png"))}


def test_a_second_call_does_nothing_and_says_where_the_results_are(finished: Finished) -> None:
    before = times(finished.home)
    again = harness(f"{RUN} --json")
    assert again.json == {**finished.answer.json, "run": str(finished.folder)}
    assert again.err.splitlines()[0] == f"Already finished: {finished.folder}"
    assert times(finished.home) == before


def test_device_and_jobs_are_no_part_of_a_run(finished: Finished) -> None:
    before = times(finished.home)
    assert harness(RUN.replace("--jobs 1", "--jobs 3").replace("--device cpu", "--device auto")).code == 0
    assert times(finished.home) == before


def test_without_json_a_table_is_printed(finished: Finished) -> None:
    said = harness(RUN).out
    for part in ("tau-b", "ceil", "9,105", "5,520", "1,000", "random parts of the same sizes", "Budget: 3 supernets", "Time: "):
        assert part in said


def test_another_truth_retrains_nothing(finished: Finished, tmp_path: Path) -> None:
    write_truth(tmp_path / "mine.csv", 1)
    said = harness(f"data import {tmp_path}/mine.csv --as mine --dataset digits --split test --epochs 60 --train-on full")
    assert said.code == 0
    before = times(finished.folder)
    other = harness(f"{RUN} --truth mine_acc --json")
    assert other.json["run"] == str(finished.folder)
    assert other.json["key"] != finished.answer.json["key"]
    assert other.json["budget"] == finished.answer.json["budget"]
    after = times(finished.folder)
    assert unchanged(before, after)
    shown = harness(f"show {finished.folder.name} --json").json
    truths = {metrics["key"]: metrics["truth_key"] for metrics in shown["metrics"].values()}
    assert truths == {finished.answer.json["key"]: "digits201/digits/test/60/full", other.json["key"]: "mine/digits/test/60/full"}
    # The whole space has this truth, so the sample is joined by its best.
    assert set(shown["metrics"][f"metrics-{other.json['key']}.json"]["populations"]) == {"sample of 12 connected", "top 150"}


def test_another_population_neither_retrains_nor_estimates_anew(finished: Finished) -> None:
    before = times(finished.folder)
    other = harness(f"{RUN} --population connected --json").json
    assert other["key"] != finished.answer.json["key"]
    after = times(finished.folder)
    assert unchanged(before, after)
    assert {name.split("-")[0] for name in set(after) - set(before)} == {"metrics", "accuracy"}


def test_the_loss_can_rank_instead_of_the_accuracy_without_estimating_anew(finished: Finished) -> None:
    before = times(finished.folder)
    other = harness(f"{RUN} --estimator loss --json").json
    assert other["key"] != finished.answer.json["key"]
    after = times(finished.folder)
    assert unchanged(before, after)


def test_one_shot_needs_no_number_of_parts() -> None:
    found = harness(f"run --criterion none {TINY} --json").json
    assert found["parts"] == [15625]
    assert found["budget"]["supernets"] == 1
    assert found["budget"]["passes"] == 60


def test_share_all_trains_one_supernet_over_the_same_parts() -> None:
    found = harness(f"{RUN} --share all --json").json
    assert found["parts"] == [9105, 5520, 1000]
    assert found["budget"]["supernets"] == 1
    assert found["budget"]["passes"] == 60
    assert sorted(path.name for path in Path(found["run"]).glob("supernet-*")) == ["supernet-0.safetensors"]


def test_uniform_sampling_spends_the_same_passes() -> None:
    found = harness(f"{RUN} --sampler uniform --json").json
    assert found["budget"]["passes"] == 60
    assert found["budget"]["supernets"] == 3


def test_the_random_control_has_the_sizes_of_the_criterion() -> None:
    found = harness(f"run --criterion 'random[like=nonlinear]' --k 3 {TINY} --json").json
    assert found["parts"] == [9105, 5520, 1000]


def test_negative_seeds_are_seeds() -> None:
    assert resolve({"seed": -1}).seed == -1


# ---- flags, config, presets, budgets


def test_flags_beat_the_config_file_which_beats_defaults(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("k = 4\nseed = 7\nbudget = 'cpu'\nsampler = 'uniform'\n[recipe]\nlr = 0.3\nmomentum = 0.5\n")
    spec = resolve(read_config(config), {"seed": 2, "recipe": {"lr": 0.01}})
    assert (spec.k, spec.seed, spec.sampler) == (4, 2, "uniform")
    assert (spec.recipe.lr, spec.recipe.momentum) == (0.01, 0.5)
    assert spec.recipe.passes == resolve({"budget": "cpu"}).recipe.passes != resolve().recipe.passes


def test_every_flag_reaches_the_spec_of_the_run(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("seed = 7\nsampler = 'uniform'\n[recipe]\nlr = 0.3\n")
    found = harness(f"{RUN} --config {config} --seed 2 --gamma 2 --images test --set recipe.lr=0.05 --json").json
    spec = harness(f"show {found['run']} --json").json["spec"]
    assert (spec["seed"], spec["sampler"], spec["network"]["gamma"], spec["recipe"]["lr"]) == (2, "uniform", 2, 0.05)
    assert spec["estimation"] == {"architectures": 12, "batch": 64, "images": 64, "split": "test", "norm": "batch",
                                  "calibration": 512}
    assert "-s2-" in found["run"]


def test_passes_that_are_asked_for_beat_the_epochs_of_a_budget() -> None:
    assert resolve({"benchmark": "nasbench201", "budget": "full", "recipe": {"passes": 60}}).recipe.passes == 60


def test_epochs_are_turned_into_passes() -> None:
    one, three = (resolve({"criterion": "none", "sampler": "uniform", "recipe": {"epochs": n}}).recipe.passes for n in (1, 3))
    assert three == pytest.approx(3 * one, abs=2)
    sbs = resolve({"recipe": {"epochs": 1}}).recipe.passes
    assert sbs == 3 * one
    with pytest.raises(UsageError, match="takes a number above 0"):
        resolve({"recipe": {"epochs": "ten"}})


# ---- list and show


@pytest.mark.parametrize(("kind", "some"), [
    ("criteria", {"nonlinear", "params", "flops", "none", "random", "oracle"}), ("benchmarks", {"digits201", "nasbench201"}),
    ("samplers", {"uniform", "balanced", "sbs", "strict", "greedy"}),
    ("estimators", {"accuracy", "loss", "angle"}), ("presets", {"spos", "efs-nas"}), ("runs", set())])
def test_list_shows_what_there_is(kind: str, some: set[str]) -> None:
    found = harness(f"list {kind} --json").json
    assert set(found) == {kind}
    assert {entry["name"] for entry in found[kind]} >= some
    said = harness(f"list {kind}").out
    assert all(name in said for name in some)


def test_list_without_a_kind_shows_all_kinds(finished: Finished) -> None:
    found = harness("list --json").json
    assert set(found) == {"criteria", "benchmarks", "samplers", "estimators", "figures", "presets", "runs"}
    assert [entry["name"] for entry in found["runs"]] == [finished.folder.name]
    assert found["runs"][0]["state"] == "finished"


def test_show_finds_a_run_by_path_name_and_hash(finished: Finished) -> None:
    by = [harness(f"show {text} --json").json for text in (finished.folder, finished.folder.name, finished.folder.name[-12:-6])]
    assert by[0] == by[1] == by[2]
    assert set(by[0]) == {"run", "spec", "metrics", "provenance"}
    assert by[0]["provenance"]["supernet-0"]["packages"]["torch"]
    assert "tau-b" in harness(f"show {finished.folder.name}").out


def test_show_says_when_a_run_is_not_finished(finished: Finished) -> None:
    for path in finished.folder.glob("metrics-*"):
        path.unlink()
    assert "is not finished." in " ".join(harness(f"show {finished.folder.name}").out.split())
    assert harness("list runs --json").json["runs"][0]["state"] == "unfinished"


# ---- data, measure, diagnose


def test_tables_are_imported_listed_and_verified(tmp_path: Path) -> None:
    write_truth(tmp_path / "mine.csv", 1)
    line = f"data import {tmp_path}/mine.csv --as mine --dataset digits --split test --epochs 60 --train-on full --json"
    first, second = harness(line).json, harness(line).json
    assert (first["architectures"], first["missing"], first["changed"], second["changed"]) == (15625, 0, True, False)
    listed = harness("data list --json").json["truths"]
    assert {"table": "mine", "key": "mine/digits/test/60/full", "columns": ["mine_acc"], "seeds": ["mean"],
            "other_columns": []} in listed
    assert "digits201/digits/test/60/full" in {entry["key"] for entry in listed}
    checked = harness("data verify mine digits201 --json").json
    assert set(checked) == {"mine", "digits201"}
    assert checked["mine"]["sha256"] == first["logical_sha256"]


def test_measure_gives_a_perfect_estimate_a_tau_of_one(tmp_path: Path) -> None:
    write_truth(tmp_path / "mine.csv", 1)
    harness(f"data import {tmp_path}/mine.csv --as mine --dataset digits --split test --epochs 60 --train-on full")
    found = harness(f"measure {tmp_path}/mine.csv --truth mine_acc --json").json
    assert set(found["tau"]) == TAU
    assert found["tau"]["value"] == pytest.approx(1.0)
    assert (found["tau"]["n"], found["tau"]["population"]) == (15625, "all")
    assert found["truth_key"] == "mine/digits/test/60/full"


def test_diagnose_needs_no_training() -> None:
    found = harness("diagnose --criterion nonlinear --k 3 --json").json
    assert [part["size"] for part in found["parts"]] == [9105, 5520, 1000]
    assert set(found["tau"]["labels"]) == TAU
    assert "9,105" in harness("diagnose").out


@pytest.mark.real_data
def test_published_estimates_and_scores_on_the_real_truth(shared_data: Path) -> None:
    assert harness(f"data import {shared_data}/nasbench201.parquet --as nasbench201").code == 0
    about = "--benchmark nasbench201 --dataset cifar10 --truth c10_test_200_v10"
    for column, value in (("few_shot", 0.5503), ("one_shot", 0.4855)):
        tau = harness(f"measure {shared_data}/fsnas_estimates.parquet --column {column} {about} --json").json["tau"]
        assert tau["value"] == pytest.approx(value, abs=5e-5)
        assert (tau["n"], tau["population"]) == (15625, "all")
    found = harness("diagnose --criterion nonlinear --k 3 --truth c10_test_200_v10 --json").json
    assert found["tau"]["scores"]["value"] == pytest.approx(0.565, abs=5e-4)
    assert found["tau"]["labels"]["value"] == pytest.approx(0.478, abs=5e-4)
    assert found["tau"]["labels"]["n"] == found["n"] == 15625
    assert [part["size"] for part in found["parts"]] == [9105, 5520, 1000]


# ---- help, and what is imported


def commands(inside: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in inside.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")
        yield f"{path}{name}", command


COMMANDS = dict(commands(group))
HELP = [line.strip() for name in ("", *COMMANDS) for line in harness(f"{name} --help").out.splitlines()]
EXAMPLES = sorted({line.partition("   ")[0] for line in HELP if line.startswith("harness ")})
QUICK = [line for line in EXAMPLES if line.split()[1] in ("list", "diagnose") and "nasbench201" not in line]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name: str) -> None:
    said = harness(f"{name} --help")
    assert said.code == 0
    assert "--json" in said.out or isinstance(COMMANDS[name], click.Group)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_in_help_are_commands(example: str) -> None:
    words = shlex.split(example)[1:]
    command: click.Command = group
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    given = command.make_context("", words).params  # raises for an option or argument that is none
    if command.name == "run":
        asked = ("criterion", "k", "benchmark", "dataset", "budget")
        assert resolve({name: value for name, value in given.items() if name in asked and value is not None})


@pytest.mark.parametrize("example", [*QUICK, "harness data list"])
def test_quick_examples_in_help_run(example: str) -> None:
    assert harness(example.removeprefix("harness ")).code == 0


@pytest.mark.parametrize("line", ["--help", "run --help", "list", "list runs --json", "data list", "run --criterion nonlinera"])
def test_what_needs_no_network_does_not_import_torch(line: str, finished: Finished) -> None:
    code = ("import sys\nfrom harness.cli import main\n"
            "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\nsys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code, *shlex.split(line)], capture_output=True, timeout=60,
                          env=dict(os.environ)).returncode == 0


def test_reports_do_not_import_torch() -> None:
    code = ("import sys, harness.figures.parts, harness.report.summary, harness.report.diagnosis, harness.splits.diagnosis\n"
            "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_json_of_a_run_is_all_that_a_process_prints(finished: Finished) -> None:
    code = "from harness.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *shlex.split(f"{RUN} --json")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert set(json.loads(done.stdout)) == {"run", "key", "tau", "parts", "budget"}
