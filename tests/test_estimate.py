"""Estimates: one per function, shared by its cells; no chunk, worker or order changes a byte."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from benchmarks.benchmark import benchmark
from benchmarks.errors import DataError, RunError
from benchmarks.images import load_images
from benchmarks.space import nasbench201
from benchmarks.truth import GroundTruth, TruthKey
from harness.estimation import estimate as module
from harness.estimation.estimate import (
    TOP,
    Estimates,
    answer,
    best,
    estimate,
    gather,
    held_out_images,
    question_images,
    questions,
)
from harness.runs.spec import Estimation, Network, Recipe, RunSpec
from harness.scoring.sample import sample
from harness.training.checkpoint import write_tensors
from harness.training.sampling import Pool
from harness.training.task import Task
from harness.training.train import train

SPACE = nasbench201()
SPEC = RunSpec(network=Network(2, 1, 1), recipe=Recipe(passes=6, batch=16), estimation=Estimation(images=40, batch=16), k=2)
# Two parts and a few architectures in none.
LABEL = np.where(np.arange(len(SPACE)) % 11 == 10, -1, np.arange(len(SPACE)) % 2).astype(np.int16)
WANTED = np.sort(np.random.default_rng(0).choice(len(SPACE), 150, replace=False))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> list[Task]:
    """Two trained supernets."""
    folder = tmp_path_factory.mktemp("run")
    pool = Pool(tuple(np.flatnonzero((part == LABEL) & SPACE.connected) for part in (0, 1)))
    made = [Task(SPEC, supernet, pool, folder, "k", "cpu") for supernet in (0, 1)]
    for task in made:
        train(task, lambda *_: None)
    return made


def answered(tasks: Sequence[Task], folder: Path, wanted: NDArray[np.int64] = WANTED, workers: int = 1) -> Estimates:
    """All estimates, the chunks dealt out to so many workers, the last worker first."""
    asked = questions(tasks, LABEL, wanted, folder, "e")
    for question in asked:
        for worker in reversed(range(workers)):
            answer(question, range(len(question.chunks))[worker::workers], lambda *_: None)
    return gather(asked, LABEL, wanted)


@pytest.fixture(scope="module")
def expected(tasks: list[Task], tmp_path_factory: pytest.TempPathFactory) -> Estimates:
    return answered(tasks, tmp_path_factory.mktemp("expected"))


def same(one: Estimates, other: Estimates) -> bool:
    return one.accuracy.tobytes() == other.accuracy.tobytes() and one.loss.tobytes() == other.loss.tobytes()


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("workers", [1, 3])
def test_chunks_and_workers_change_no_byte(chunk: int, workers: int, tasks: list[Task], expected: Estimates, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    assert same(answered(tasks, tmp_path, workers=workers), expected)


def test_what_is_there_is_not_estimated_again(tasks: list[Task], expected: Estimates, tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 20)
    answered(tasks, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    first = min(files)
    first.unlink()
    assert same(answered(tasks, tmp_path), expected)
    assert [path for path, when in files.items() if path.stat().st_mtime_ns != when] == [first]


def test_estimates_are_where_they_were_wanted_and_a_part_is_there(expected: Estimates) -> None:
    estimated = np.zeros(len(SPACE), bool)
    estimated[WANTED[LABEL[WANTED] >= 0]] = True
    assert estimated.sum() < len(WANTED)
    np.testing.assert_array_equal(np.isfinite(expected.accuracy), estimated)
    np.testing.assert_array_equal(np.isfinite(expected.loss), estimated)
    assert (expected.accuracy[estimated] * 40 / 100 % 1).max() < 1e-9  # whole images of forty


def test_cells_of_one_function_share_an_estimate_within_a_supernet(tasks: list[Task], tmp_path: Path) -> None:
    sizes = np.bincount(SPACE.function_id)
    classes = np.argsort(-sizes, kind="stable")[:5]
    wanted = np.flatnonzero(np.isin(SPACE.function_id, classes))
    asked = questions(tasks, LABEL, wanted, tmp_path, "e")
    assert [len(question.members) for question in asked] == [5, 5]
    found = answered(tasks, tmp_path, wanted)
    for name in classes:
        for part in (0, 1):
            members = np.flatnonzero((SPACE.function_id == name) & (part == LABEL))
            assert len(members) > 1
            assert len(np.unique(found.loss[members])) == 1
    disconnected = np.flatnonzero(~SPACE.connected)
    assert SPACE.function_id[disconnected[0]] in classes


def test_an_estimate_is_what_the_network_says(tasks: list[Task], expected: Estimates) -> None:
    network = module.trained(tasks[1])
    images, labels = question_images(tasks[1].images, SPEC.estimation)
    index = int(WANTED[LABEL[WANTED] == 1][0])
    with torch.no_grad():
        logits = torch.cat([network(some, SPACE.codes[[index]])[0] for some in images.split(16)])
    assert expected.accuracy[index] == 100 * float((logits.argmax(1) == labels).double().mean())
    assert expected.loss[index] == pytest.approx(float(F.cross_entropy(logits.double(), labels)), rel=1e-6)
    accuracy, loss = estimate(network, images, labels, SPACE.codes[[index]], 16)
    assert (float(accuracy[0]), float(loss[0])) == (expected.accuracy[index], expected.loss[index])


def test_the_images_asked_about_are_the_first_of_one_fixed_order() -> None:
    data = load_images("digits")
    every, labels = question_images(data, Estimation())
    assert len(labels) == 418 * data.copies
    some, few = question_images(data, Estimation(images=100))
    assert torch.equal(some, every[:100])
    assert torch.equal(few, labels[:100])
    assert not torch.equal(question_images(data, Estimation(split="test"))[0], every)
    # What a sampler looks at is asked last, so that no other estimate is about images that training has seen.
    held, classes = held_out_images(data, 64)
    assert torch.equal(held, every[-64:])
    assert torch.equal(classes, labels[-64:])


@pytest.mark.parametrize(("damage", "says"), [
    (lambda content: content[:100], "delete it"), (lambda content: content[:-3] + b"\0" + content[-2:], "delete it")])
def test_a_damaged_partial_file_is_refused(damage, says: str, tasks: list[Task], tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    answered(tasks, tmp_path)
    path = tmp_path / "1-0.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=says):
        answered(tasks, tmp_path)


def test_partial_estimates_and_weights_of_another_supernet_are_refused(tasks: list[Task], tmp_path: Path) -> None:
    answered(tasks, tmp_path)
    (tmp_path / "1-0.safetensors").write_bytes((tmp_path / "0-0.safetensors").read_bytes())
    with pytest.raises(DataError, match="belongs to another run"):
        answered(tasks, tmp_path)
    with pytest.raises(DataError, match="belongs to another run"):
        module.trained(replace(tasks[0], key="other"))


def test_losses_that_are_not_finite_are_an_error(tasks: list[Task], tmp_path: Path) -> None:
    asked = questions(tasks, LABEL, WANTED, tmp_path, "e")
    for question in asked:
        for chunk, members in enumerate(question.chunks):
            tensors = {"accuracy": torch.full((len(members),), 10.0), "loss": torch.full((len(members),), torch.inf),
                       "members": torch.from_numpy(members)}
            write_tensors(question.partial(chunk), tensors, question.about)
    with pytest.raises(RunError, match="training diverged"):
        gather(asked, LABEL, WANTED)


# ---- which architectures


def test_the_sample_keeps_its_members_when_less_is_known() -> None:
    pool, rng = SPACE.population("connected"), np.random.default_rng(1)
    whole = sample(pool, pool, 500)
    assert len(whole) == 500
    assert (np.diff(whole) > 0).all()
    assert np.isin(whole, pool).all()
    known = pool[rng.random(len(pool)) < 0.9]
    some = sample(pool, known, 500)
    assert len(some) == 500
    assert np.isin(some, known).all()
    assert np.isin(whole[np.isin(whole, known)], some).all()
    assert np.isin(sample(pool, pool, 100), whole).all()
    few = pool[[3, 5, 8]]
    assert sample(pool, few, 100).tolist() == few.tolist()


def test_a_sample_of_a_partly_trained_table_is_uniform() -> None:
    # All members of a few large training classes: taking any of them would favour cells with few convolutions.
    bench = benchmark("digits201")
    order, classes = bench.drawing(), SPACE.training_id
    trained = np.isin(classes, classes[order[:300]])
    truth = truth_of(np.where(trained, 50.0, np.nan))
    judged = bench.population("connected", truth).members
    assert 200 < len(judged) < trained.sum() / 5
    assert set(judged) <= set(order[: len(judged) + 50])
    chosen = sample(SPACE.population("connected"), judged, 100)
    assert np.isin(chosen, judged).all()


def test_the_top_is_the_truth_s_best_and_ties_go_to_the_lower_index() -> None:
    truth = np.round(np.random.default_rng(2).uniform(10, 90, len(SPACE)))
    top = best(truth)
    assert len(top) == TOP
    assert truth[top].min() >= np.delete(truth, top).max()
    assert best(np.full(len(SPACE), 50.0)).tolist() == list(range(TOP))


def truth_of(mean: NDArray[np.float64]) -> GroundTruth:
    """A truth of digits201 with one trial."""
    return GroundTruth(TruthKey.parse("digits201/digits/test/60/full"), mean[:, None], ("0",), "", "digits201")
