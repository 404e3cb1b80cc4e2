"""Augmentation: the same draws everywhere, and exactly the crop, flip, square and noise that were asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from benchmarks.images import Augmentation, ImageData, Images
from harness.training.augment import augment, evaluation_images, normalise

CIFAR = Augmentation(flip=True, pad=4)
ALL = Augmentation(flip=True, pad=2, occlude=3, noise=0.2)


def batch(n: int = 8, channels: int = 3, size: int = 8, seed: int = 0) -> torch.Tensor:
    """uint8 [n, channels, size, size] without a zero, so that what was set to zero can be seen."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, (n, channels, size, size), generator=generator, dtype=torch.uint8)


def image_data(copies: int, augmentation: Augmentation) -> ImageData:
    images = Images(batch(6).numpy(), np.arange(6) % 2)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)
    return ImageData("toy", 2, images, images, images, mean, std, augmentation, copies, "ours-s0")


def test_without_any_augmentation_only_the_scale_changes() -> None:
    images = batch()
    assert torch.equal(augment(images, Augmentation(), 0), images.float() / 255)


@pytest.mark.parametrize("augmentation", [CIFAR, ALL])
def test_the_seed_decides(augmentation: Augmentation) -> None:
    images = batch()
    kept = images.clone()
    first = augment(images, augmentation, 7)
    assert first.shape == images.shape
    assert first.dtype == torch.float32
    assert torch.equal(first, augment(images, augmentation, 7))
    assert not torch.equal(first, augment(images, augmentation, 8))
    assert torch.equal(images, kept)


@settings(max_examples=30)
@given(pad=st.integers(0, 3), flip=st.booleans(), size=st.integers(3, 9), channels=st.integers(1, 3),
       seed=st.integers(0, 2**63 - 1))
def test_every_image_is_a_window_of_its_padded_self(pad: int, flip: bool, size: int, channels: int, seed: int) -> None:
    images = batch(5, channels, size)
    result = augment(images, Augmentation(flip=flip, pad=pad), seed)
    padded = functional.pad(images, [pad] * 4).float() / 255
    for source, image in zip(padded, result, strict=True):
        windows = [source[:, top : top + size, left : left + size]
                   for top in range(2 * pad + 1) for left in range(2 * pad + 1)]
        if flip:
            windows += [window.flip(-1) for window in windows]
        assert any(torch.equal(image, window) for window in windows)


def test_every_shift_and_both_directions_occur_about_equally_often() -> None:
    image = torch.arange(1, 17, dtype=torch.uint8).view(1, 1, 4, 4)
    result = augment(image.repeat(18_000, 1, 1, 1), Augmentation(flip=True, pad=1), 3)
    _, counts = torch.unique(result.flatten(1), dim=0, return_counts=True)
    assert len(counts) == 18
    assert 850 < int(counts.min()) <= int(counts.max()) < 1150


@pytest.mark.parametrize("side", [1, 3, 8])
def test_the_square_is_whole_and_inside_and_alike_in_all_channels(side: int) -> None:
    images = batch(50)
    result = augment(images, Augmentation(occlude=side), 1)
    zero = result == 0
    assert torch.equal(zero[:, :1].expand_as(zero), zero)
    assert (zero[:, 0].flatten(1).sum(1) == side * side).all()
    assert (zero[:, 0].any(1).sum(1) == side).all()
    assert torch.equal(result[~zero], (images.float() / 255)[~zero])


def test_the_noise_has_its_standard_deviation() -> None:
    images = batch(200)
    noise = augment(images, Augmentation(noise=0.2), 2) - images.float() / 255
    assert float(noise.mean()) == pytest.approx(0, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.2, rel=0.02)


def test_whole_numbers_and_their_fractions_are_augmented_alike() -> None:
    images = batch()
    assert torch.equal(augment(images, ALL, 5), augment(images.float() / 255, ALL, 5))


def test_normalising_uses_each_channel_and_leaves_its_input_alone() -> None:
    images = batch()
    pixels = images.float() / 255
    kept = pixels.clone()
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.1, 0.05)
    expected = torch.stack([(pixels[:, c] - mean[c]) / std[c] for c in range(3)], 1)
    torch.testing.assert_close(normalise(pixels, mean, std), expected)
    assert torch.equal(normalise(images, mean, std), normalise(pixels, mean, std))
    assert torch.equal(pixels, kept)


def test_evaluation_images_without_copies_are_only_normalised() -> None:
    data = image_data(1, ALL)
    pixels, labels = evaluation_images(data, "valid", 0)
    assert torch.equal(pixels, normalise(torch.from_numpy(data.valid.pixels), data.mean, data.std))
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_evaluation_copies_differ_from_each_other_and_not_from_call_to_call() -> None:
    data = image_data(3, ALL)
    pixels, labels = evaluation_images(data, "test", 4)
    assert pixels.shape == (18, 3, 8, 8)
    assert labels.tolist() == [0, 1] * 9
    assert not torch.equal(pixels[:6], pixels[6:12])
    assert torch.equal(pixels, evaluation_images(data, "test", 4)[0])
    # Without corruption the copies show in which order the images stand: all of them, then all of them again.
    plain, _ = evaluation_images(image_data(2, Augmentation()), "test", 4)
    assert torch.equal(plain[:6], plain[6:])


@pytest.mark.gpu
@pytest.mark.parametrize("augmentation", [CIFAR, ALL])
def test_a_gpu_augments_as_a_cpu_does(augmentation: Augmentation) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    images = batch(64)
    on_gpu = augment(images.cuda(), augmentation, 11)
    assert on_gpu.is_cuda
    torch.testing.assert_close(on_gpu.cpu(), augment(images, augmentation, 11), rtol=1e-6, atol=1e-6)
