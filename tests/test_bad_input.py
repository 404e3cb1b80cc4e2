"""Bad input ends with one sentence, the contract's exit code, and nothing written."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from command import TINY, Answer, harness, times

from benchmarks.cifar import CIFAR10
from benchmarks.errors import RunError
from benchmarks.folder import write_atomically
from benchmarks.space import nasbench201

RUN = f"run {TINY}"
PLUG_IN = '''
from dataclasses import dataclass

import numpy as np

from benchmarks.errors import RunError
from criteria.base import Scorer, Scores


@dataclass(frozen=True)
class Bad(Scorer):
    """Scores that nobody can use."""

    def score(self, ctx):
        n = len(ctx.space)
        {}
'''


def one_sentence(answer: Answer, code: int, *words: str) -> None:
    """The command ended with that code and one line on standard error that holds these words, and printed nothing else."""
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert answer.err.endswith("\n")
    assert answer.err.count("\n") == 1
    assert answer.err.rstrip("\n").endswith((".", "?"))
    for word in words:
        assert word in answer.err


def damaged(whole: bytes, damage: str) -> bytes:
    """A file's content cut in half, gone, or with another byte in its middle."""
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1:]
    return {"truncated": whole[:middle], "empty": b"", "flipped": flipped}[damage]


@pytest.fixture(autouse=True)
def nothing_is_written(results_home: Path, data_home: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Neither results nor data differ after a test, unless it says that it starts from a run or an import."""
    yield
    if "prepared" not in request.fixturenames:
        assert not results_home.exists()
        assert list(data_home.iterdir()) == []


# ---- usage


@pytest.mark.parametrize(("line", "words"), [
    ("--criterion nonlinera --k 3", ["Unknown criterion 'nonlinera'", "did you mean 'nonlinear'?"]),
    ("--criterion 'random[like=flop]' --k 3", ["Unknown criterion 'flop'", "did you mean 'flops'?"]),
    ("--criterion 'nonlinear[cuont=total]'", ["unknown parameter 'cuont'", "its parameters are count, rule, sizes, thresholds"]),
    ("--criterion 'nonlinear[count=totl]'", ["count must be path|live|total|sum, not 'totl'"]),
    ("--criterion 'nonlinear[count'", ["no selector", "write name or name[parameter=value,...]"]),
    ("--criterion flops --k 40", ["cannot make 40 parts", "say --k 28 or less"]),
    ("--criterion nonlinear --k 5", ["cannot make 5 parts", "give the cuts as nonlinear[thresholds=A+B]"]),
    ("--criterion none --k 3", ["cannot make 3", "say --k 1"]),
    ("--k 0", ["k=0", "choose k >= 1"]),
    ("--k three", ["'--k'", "see `harness run --help`"]),
    ("--criterion absent.py:Mine", ["absent.py:Mine", "check the path"]),
    ("--criterion ./setup.cfg:Mine", ["Unknown criterion", "./file.py:Class"]),
    ("--benchmark nasbench20", ["Unknown benchmark 'nasbench20'", "did you mean 'nasbench201'?"]),
    ("--dataset cifar10", ["digits201 has no dataset 'cifar10'", "choose one of digits"]),
    ("--sampler unifrom", ["Unknown sampler 'unifrom'", "did you mean 'uniform'?"]),
    ("--share prat", ["Unknown share 'prat'", "choose 'part'"]),
    ("--preset spso", ["Unknown preset 'spso'", "did you mean 'spos'?"]),
    ("--budget huge", ["Unknown budget 'huge'", "choose one of smoke, cpu, full"]),
    ("--population connectd", ["Unknown population 'connectd'", "choose one of all, connected, distinct"]),
    ("--estimator acuracy", ["Unknown estimator 'acuracy'", "did you mean 'accuracy'?", "angle, loss"]),
    ("--images train", ["'train'", "choose valid or test"]),
    ("--set estimation.images=100000", ["estimation.images=100000", "choose fewer, or 0 for all"]),
    ("--set recipe.lrr=1", ["no field 'recipe.lrr'", "did you mean 'recipe.lr'?"]),
    ("--set estimation.epochs=3", ["no field 'estimation.epochs'"]),
    ("--set recipe.lr=fast", ["'recipe.lr' takes float"]),
    ("--set recipe=5", ["'recipe' is a section", "set its fields"]),
    ("--set parent.recipe=5", ["'parent.recipe' is a section", "such as parent.recipe.batch="]),
    ("--set parent.network=wide", ["'parent.network' is a section", "such as parent.network.gamma="]),
    ("--set recipe.epochs=ten", ["'recipe.epochs' takes a number above 0"]),
    ("--set recipe.lr=nan", ["lr=nan", "need 0 <= lr_end <= lr"]),
    ("--set recipe.weight_decay=inf", ["weight_decay=inf"]),
    ("--set recipe.batch=1", ["recipe.batch=1", "batch >= 2"]),
    ("--set k=true", ["'k' takes int, not True"]),
    ("--set seed", ["--set takes field=value"]),
    ("--gamma 3", ["cannot be divided by gamma=3", "choose a gamma"]),
    ("--device cuad", ["Unknown device 'cuad'", "choose auto, cpu or cuda"]),
    ("--jobs -1", ["'--jobs'", "see `harness run --help`"]),
    ("--nosuch 1", ["No such option '--nosuch'", "see `harness run --help`"]),
    ("--truth digits/test", ["no truth key", "the form is source/dataset/split/epochs/train_on"]),
    ("--truth digits201/digits/tset/60/full", ["'tset' is no split", "choose one of valid, test, valtest"]),
    ("--truth digits201/digits/test/61/full", ["No table has", "did you mean 'digits201/digits/test/60/full'?"]),
    ("--truth no_such_column", ["No table has 'no_such_column'", "`harness data list`"]),
])
def test_a_wrong_question_is_a_usage_error(line: str, words: list[str]) -> None:
    one_sentence(harness(f"{RUN} {line}"), 2, *words)


@pytest.mark.parametrize(("text", "words"), [
    ("k = = 3", ["no TOML file", "correct it"]), ("k = 'three'", ["'k' takes int"]),
    ("[recipee]\nlr = 1", ["did you mean 'recipe'?"])])
def test_a_wrong_config_file_is_a_usage_error(text: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(text)
    one_sentence(harness(f"{RUN} --config {tmp_path}/run.toml"), 2, *words)


@pytest.mark.parametrize("path", ["absent.toml", "."])
def test_a_config_file_that_cannot_be_read_is_a_usage_error(path: str, tmp_path: Path) -> None:
    one_sentence(harness(f"{RUN} --config {tmp_path / path}"), 2, "Cannot read the config file", "check the path")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is at hand")
def test_cuda_without_cuda_is_a_usage_error() -> None:
    one_sentence(harness(f"{RUN} --device cuda"), 2, "No CUDA device", "use --device cpu")


@pytest.mark.parametrize(("line", "words"), [
    ("lits", ["No such command 'lits'", "did you mean 'list'?"]),
    ("list criterion", ["'criterion'", "see `harness list --help`"]),
    ("show no-such-run", ["no run 'no-such-run'", "`harness list runs`"]),
    ("show", ["Missing argument", "see `harness show --help`"]),
    ("diagnose --k 0", ["at least 1, not 0", "say --k 3"]), ("diagnose --k 5", ["cannot make 5 parts"]),
    ("diagnose --population al", ["Unknown population 'al'"]), ("diagnose --truth no_such", ["No table has 'no_such'"]),
    ("diagnose --criterion nonlinera", ["did you mean 'nonlinear'?"]),
    ("data import x.csv", ["'--as'", "see `harness data import --help`"]),
    ("data build nasbench201", ["is not built here", "`harness data import FILE --as nasbench201`"]),
    ("data build --jobs 0", ["'--jobs'"]), ("data build --classes 0", ["0 classes"])])
def test_wrong_questions_to_other_commands_are_usage_errors(line: str, words: list[str]) -> None:
    one_sentence(harness(line), 2, *words)


# ---- plug-ins


@pytest.mark.parametrize(("body", "words"), [
    ("raise ValueError('first line\\nsecond line')", ["it raised ValueError: first line second line", "plug.py:"]),
    ("raise SystemExit(0)", ["SystemExit"]),
    ("raise RunError('the scorer is broken; mend it.')", ["the scorer is broken; mend it."]),
    ("return Scores(np.full(n, np.nan), 'x')", ["all scores are NaN"]),
    ("return Scores(np.full(n, np.inf), 'x')", ["infinite", "must be NaN"]),
    ("return Scores(np.zeros(7), 'x')", ["there are 7 scores for 15625 architectures"]),
    ("return np.zeros(n)", ["must return Scores, not ndarray"])])
def test_a_plug_in_that_fails_is_a_failed_run(body: str, words: list[str], tmp_path: Path) -> None:
    plug = tmp_path / "plug.py"
    plug.write_text(PLUG_IN.format(body))
    one_sentence(harness(f"{RUN} --criterion {plug}:Bad --k 3"), 1, "failed", *words)
    one_sentence(harness(f"diagnose --criterion {plug}:Bad --k 3"), 1, "failed", *words)


def test_a_plug_in_that_cannot_be_imported_is_a_failed_run(tmp_path: Path) -> None:
    plug = tmp_path / "plug.py"
    plug.write_text("import no_such_module")
    one_sentence(harness(f"{RUN} --criterion {plug}:Bad"), 1, "cannot be imported", "repair")


def test_a_class_that_a_plug_in_does_not_have_is_a_usage_error(tmp_path: Path) -> None:
    plug = tmp_path / "plug.py"
    plug.write_text(PLUG_IN.format("return Scores(np.arange(n), 'x')"))
    one_sentence(harness(f"{RUN} --criterion {plug}:Bda"), 2, "has no class 'Bda'", "did you mean 'Bad'?")


# ---- tables and images


@pytest.fixture
def prepared(data_home: Path, tmp_path: Path) -> Path:
    """A whole table of the user's own, as the file in the data folder."""
    accuracy = np.random.default_rng(0).uniform(10, 90, 15_625).round(2)
    rows = (f"{arch},{value}\n" for arch, value in zip(nasbench201().strings, accuracy, strict=True))
    (tmp_path / "own.csv").write_text("arch,own\n" + "".join(rows))
    line = f"data import {tmp_path}/own.csv --as own --dataset digits --split test --epochs 60 --train-on full"
    assert harness(line).code == 0
    return data_home / "tables" / "own.parquet"


def test_an_absent_table_says_how_to_get_it() -> None:
    for line in (f"{RUN} --benchmark nasbench201", "diagnose --benchmark nasbench201", "data verify nasbench201"):
        one_sentence(harness(line), 3, "There is no table 'nasbench201'", "`harness data import FILE --as nasbench201`")


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped"])
def test_a_damaged_table_is_a_data_error(damage: str, prepared: Path, results_home: Path) -> None:
    prepared.write_bytes(damaged(prepared.read_bytes(), damage))
    before = times(prepared.parent)
    for line in (f"{RUN} --truth own", "diagnose --truth own", "data verify own"):
        one_sentence(harness(line), 3, "Table 'own'", "is damaged", "import it again")
    assert times(prepared.parent) == before
    assert not results_home.exists()


def test_a_truth_of_another_dataset_contradicts_the_question(prepared: Path, results_home: Path) -> None:
    one_sentence(harness("diagnose --benchmark nasbench201 --dataset cifar10 --truth own"), 2, "is about digits", "--dataset")
    one_sentence(harness(f"{RUN} --benchmark nasbench201 --dataset cifar10 --truth own"), 2, "is about digits", "--dataset")
    assert not results_home.exists()


def test_a_table_that_is_there_is_not_contradicted(prepared: Path, tmp_path: Path) -> None:
    before = times(prepared.parent)
    (tmp_path / "own.csv").write_text(f"arch,own\n{nasbench201().strings[0]},1.0\n")
    line = f"data import {tmp_path}/own.csv --as own --dataset digits --split test --epochs 60 --train-on full"
    one_sentence(harness(line), 3, "contradicts table 'own'", "--as")
    assert times(prepared.parent) == before


FIRST, SECOND = nasbench201().strings[:2]


@pytest.mark.parametrize(("text", "words"), [
    (f"arch,acc\n{FIRST},1\n{FIRST.replace('avg_pool_3x3', 'max_pool')},2\n", ["row 2", "max_pool"]),
    (f"arch,acc\n{FIRST},1\n{SECOND},2\n{FIRST},1\n", ["row 3", "stands twice", "keep one row per architecture"]),
    (f"arch,acc\n{FIRST},1\n{SECOND},2", ["does not end with a line break"]),
    (f"arch,acc\n{FIRST},101\n", ["101.0", "give per cent from 0 to 100"]),
    (f"arch,acc\n{FIRST},inf\n", ["inf"]),
    ("name,acc\na,1\n", ["does not say which architecture"]),
    ("", []),
    ("PAR1 and then nothing", ["no whole parquet", "download it again"]),
    (f'{{"{FIRST}": 1, "{FIRST}": 2}}', ["stands twice"])])
def test_a_wrong_source_is_a_data_error(text: str, words: list[str], tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    source.write_text(text)
    line = f"data import {source} --as mine --dataset digits --split test --epochs 60 --train-on full"
    one_sentence(harness(line), 3, str(source), *words)
    if "101" not in text:  # an estimate may be anything that is finite
        one_sentence(harness(f"measure {source}"), 3, str(source), *words)


def test_an_absent_source_is_a_data_error(tmp_path: Path) -> None:
    one_sentence(harness(f"measure {tmp_path}/absent.csv"), 3, "absent.csv", "give the path")
    one_sentence(harness(f"data import {tmp_path}/absent.csv --as mine"), 3, "absent.csv", "give the path")


@pytest.mark.parametrize(("options", "words"), [
    ("--as digits201", ["embedded", "import under another name"]), ("--as ../mine", ["no name of a table"]),
    ("--as mine", ["does not say what it holds", "--dataset"]),
    ("--as mine --dataset digits", ["add --split, --epochs, --train-on"]),
    ("--as mine --column no", ["no column 'no'"])])
def test_a_wrong_import_is_a_usage_error(options: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "source.csv").write_text(f"arch,acc\n{FIRST},1\n")
    one_sentence(harness(f"data import {tmp_path}/source.csv {options}"), 2, *words)


def test_images_of_the_wrong_md5_are_a_data_error(data_home: Path, prepared: Path, results_home: Path, tmp_path: Path) -> None:
    line = f"data import {tmp_path}/own.csv --as made_up --dataset cifar10 --split test --epochs 200 --train-on full"
    assert harness(line).code == 0
    run = f"{RUN} --benchmark nasbench201 --dataset cifar10 --truth made_up/cifar10/test/200/full"
    one_sentence(harness(run), 3, "CIFAR-10 is not in", "https://www.cs.toronto.edu")
    archive = CIFAR10.archives[0]
    (data_home / archive.folder).mkdir()
    one_sentence(harness(run), 3, "data_batch_1 cannot be read", "unpack cifar-10-python.tar.gz")
    for name in archive.batches:
        (data_home / archive.folder / name).write_bytes(b"not the batch")
    one_sentence(harness(run), 3, "data_batch_1 is damaged or another file", archive.batches["data_batch_1"])
    shutil.rmtree(data_home / archive.folder)
    (data_home / archive.tar).write_bytes(b"not the archive")
    one_sentence(harness(run), 3, archive.tar_md5)
    assert not results_home.exists()


# ---- folders and disks


@pytest.mark.parametrize("below", ["a file", "/proc", "/proc/self"])
def test_an_unwritable_results_folder_is_a_failed_run(below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_text("no folder")
    monkeypatch.setenv("HARNESS_RESULTS", str(tmp_path / below / "runs"))
    one_sentence(harness(RUN), 1, "HARNESS_RESULTS")
    assert (tmp_path / "a file").read_text() == "no folder"


def test_an_unwritable_data_folder_is_a_failed_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source.csv").write_text(f"arch,acc\n{FIRST},1\n")
    (tmp_path / "a file").write_text("no folder")
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "a file" / "data"))
    line = f"data import {tmp_path}/source.csv --as mine --dataset digits --split test --epochs 60 --train-on full"
    one_sentence(harness(line), 1, "Cannot write", "choose another folder")


def test_too_small_a_disk_is_said_before_any_work(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(small_disk / "runs"))
    one_sentence(harness(RUN), 1, "Only 0 MiB are free", "free some space")
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_during_a_run_is_a_failed_run(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RESULTS", str(small_disk / "runs"))
    monkeypatch.setattr("harness.runs.runner.FREE_BYTES", 0)
    answer = harness(RUN)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines()[-1].startswith("Error: Cannot write")
    assert answer.err.endswith("the disk is full; free some space or choose another folder.\n")
    assert "Traceback" not in answer.err
    assert not list(small_disk.rglob("*.tmp"))


def test_a_full_disk_leaves_the_old_file_and_nothing_else(small_disk: Path) -> None:
    path = small_disk / "file"
    write_atomically(path, b"old")
    with pytest.raises(RunError, match=r"the disk is full; free some space or choose another folder\.$") as caught:
        write_atomically(path, bytes(300 << 10))
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert [(each.name, each.read_bytes()) for each in small_disk.iterdir()] == [("file", b"old")]


# ---- damaged stages


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a finished run."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_RESULTS", str(home / "runs"))
        assert harness(RUN).code == 0
    return home / "runs"


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped"])
@pytest.mark.parametrize(("stage", "gone"), [
    ("partition.parquet", ["estimates-*", "metrics-*"]), ("supernet-1.safetensors", ["estimates-*", "metrics-*"]),
    ("training-1.safetensors", ["metrics-*"]), ("estimates-*.parquet", ["metrics-*"]), ("metrics-*.json", [])])
def test_a_damaged_stage_is_a_data_error_until_it_is_deleted(stage: str, gone: list[str], damage: str, trained: Path,
                                                             prepared: Path, results_home: Path) -> None:
    shutil.copytree(trained, results_home)
    folder = next(results_home.iterdir())
    for pattern in gone:
        for path in folder.glob(pattern):
            path.unlink()
    path = next(folder.glob(stage))
    whole = path.read_bytes()
    path.write_bytes(damaged(whole, damage))
    for _ in range(2):
        answer = harness(RUN)
        assert (answer.code, answer.out) == (3, ""), answer.err
        assert answer.err.splitlines()[-1].startswith(f"Error: {path} ")
        assert "delete it and run the same command again" in answer.err
        assert "Traceback" not in answer.err
    path.unlink()
    assert harness(RUN).code == 0
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_is_a_data_error_until_it_is_deleted(damage: str, trained: Path, prepared: Path,
                                                                  results_home: Path) -> None:
    shutil.copytree(trained, results_home)
    folder = next(results_home.iterdir())
    for path in (*folder.glob("metrics-*"), *folder.glob("estimates-*")):
        path.unlink()
    weights, checkpoint = folder / "supernet-2.safetensors", folder / "supernet-2.checkpoint"
    whole = weights.read_bytes()
    weights.unlink()
    checkpoint.write_bytes(whole[:5000] if damage == "truncated" else whole[:-1] + bytes([whole[-1] ^ 1]))
    answer = harness(RUN)
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.splitlines()[-1].startswith(f"Error: {checkpoint} ")
    assert not weights.exists()
    checkpoint.unlink()
    assert harness(RUN).code == 0
    assert weights.read_bytes() == whole


def test_a_damaged_run_does_not_hide_from_show_and_list(trained: Path, prepared: Path, results_home: Path) -> None:
    shutil.copytree(trained, results_home)
    folder = next(results_home.iterdir())
    (folder / "spec.json").write_text("{")
    one_sentence(harness("list runs"), 3, "spec.json cannot be read")
    one_sentence(harness(f"show {folder.name}"), 3, "spec.json cannot be read")
    (folder / "spec.json").unlink()
    assert harness(RUN).code == 0
    assert folder.name in harness("list runs --json").out


@pytest.mark.parametrize(("variable", "line"), [("HARNESS_DATA", "data list"), ("HARNESS_RESULTS", "list runs"),
                                                ("HARNESS_DATA", RUN)])
def test_a_path_too_long_for_the_system_is_one_sentence(variable: str, line: str, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(tmp_path / ("a" * 5000)))
    one_sentence(harness(line), 1, "longer than this system allows", variable)
