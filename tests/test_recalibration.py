"""Recalibrated batch-norm: that of the very images is the batch's own, and no batch of the evaluation counts any more."""

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.cost import Skeleton
from benchmarks.images import load_images
from benchmarks.space import nasbench201
from criteria.network import Features
from harness.estimation.estimate import calibration_batches, estimate, question_images
from harness.estimation.recalibration import recalibrated
from harness.networks.layered import Layered
from harness.networks.mixture import Mixture
from harness.networks.supernet import Supernet
from harness.runs.spec import Estimation
from harness.training.task import SharedWeights

SPACE = nasbench201()
SKELETON = Skeleton(2, 1, 10, 8, 1)
# Among them a disconnected cell.
CODES = SPACE.codes[[0, int(np.flatnonzero(~SPACE.connected)[0]), 6111, 9930, 13714]]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def together(network: Supernet, images: Tensor, codes: np.ndarray) -> Tensor:
    """The forward pass of a GPU."""
    return network._together(images, [network._plan(tuple(code)) for code in codes.tolist()])


@pytest.fixture
def shown() -> tuple[Tensor, Tensor]:
    return question_images(load_images("digits"), Estimation(images=48))


def networks() -> list[SharedWeights]:
    return [Supernet(SPACE, SKELETON, 0), Layered(SPACE, SKELETON, 0, (3, 5)), Mixture(SPACE, SKELETON, 0, 2)]


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["supernet", "layers", "mixture"])
def test_calibrated_on_the_evaluated_batch_nothing_changes(kind: int, shown: tuple[Tensor, Tensor]) -> None:
    network, (images, _) = networks()[kind], shown
    with torch.no_grad():
        expected = network(images, CODES)
        with recalibrated(network, [images], CODES):
            torch.testing.assert_close(network(images, CODES), expected, rtol=1e-4, atol=1e-4)
            assert not torch.allclose(network(images[:5], CODES), expected[:, :5] + 1e-2)
        assert torch.equal(network(images, CODES), expected)


def test_architectures_that_run_together_have_statistics_of_their_own(shown: tuple[Tensor, Tensor],
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    network, (images, _) = networks()[0], shown
    assert isinstance(network, Supernet)
    with torch.no_grad(), recalibrated(network, [images[:32], images[32:]], CODES):
        expected = network(images[:7], CODES)
    monkeypatch.setattr(network, "forward", lambda some, codes: together(network, some, codes))
    with torch.no_grad(), recalibrated(network, [images[:32], images[32:]], CODES):
        torch.testing.assert_close(network(images[:7], CODES), expected, rtol=1e-4, atol=1e-4)


def test_estimates_do_not_depend_on_the_batch_any_more(shown: tuple[Tensor, Tensor]) -> None:
    network, (images, labels) = networks()[0], shown
    asked = Estimation(norm="recalibrated", calibration=40, batch=16)
    found = []
    for batch in (6, 48):
        with recalibrated(network, calibration_batches(load_images("digits"), asked), CODES):
            found.append(estimate(network, images, labels, CODES, batch)[1])
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found[0], estimate(network, images, labels, CODES, 48)[1])


def test_several_batches_give_the_moments_of_all_their_images(shown: tuple[Tensor, Tensor]) -> None:
    network, (images, _) = networks()[0], shown
    stems = []
    for batches in ([images], [images[:10], images[10:]]):
        with torch.no_grad(), recalibrated(network, batches, CODES[:1]):
            network(images[:4], CODES[:1], watch := Features())
        stems.append(watch.values[0])  # what enters the first batch-norm is the same in all batches
    torch.testing.assert_close(stems[0], stems[1], rtol=1e-5, atol=1e-5)


def test_calibration_images_are_of_the_training_half_and_shown_as_those_of_the_estimates() -> None:
    data = load_images("digits")
    assert calibration_batches(data, Estimation()) == ()
    batches = calibration_batches(data, Estimation(norm="recalibrated", calibration=50, batch=20))
    assert [len(batch) for batch in batches] == [20, 20, 10]
    more = torch.cat(list(calibration_batches(data, Estimation(norm="recalibrated", calibration=60, batch=20))))
    assert torch.equal(torch.cat(list(batches)), more[:50])
    plain = (data.train.pixels.astype(np.float32) / 255 - data.mean[0]) / data.std[0]
    clear = calibration_batches(as_they_are(data), Estimation(norm="recalibrated", calibration=50))
    for image in clear[0]:
        assert np.isclose(plain, image.numpy()).all(axis=(1, 2, 3)).any()


def as_they_are(data):  # type: ignore[no-untyped-def]
    """The digits, evaluated without augmentation."""
    from dataclasses import replace

    return replace(data, copies=1)
