"""Images as arrays: those that train the weights, those behind the estimates, those behind the truth; augmentation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import UsageError
from benchmarks.suggestion import suggestion

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Images:
    """pixels: uint8 [n, channels, height, width], 0 = black; labels: int64 [n], the class 0..classes-1 of each."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> "Images":
        """The images at `index` int64 [m], in that order."""
        return Images(self.pixels[index], self.labels[index])


@dataclass(frozen=True)
class Augmentation:
    """What is drawn anew for each image at each step, in this order.

    pad: random crop after zero-padding by that many pixels, before normalising (0 = none); flip: left and right
    exchanged for half of the images; occlude: side of a random square inside the image set to zero (0 = none); noise:
    standard deviation of added Gaussian noise, in units of the 0..1 pixel range (0 = none).
    """

    flip: bool = False
    pad: int = 0
    occlude: int = 0
    noise: float = 0.0


@dataclass(frozen=True, eq=False)
class ImageData:
    """One data set, split for a search: train (weights), valid (estimates), test (truth).

    mean, std: per channel, of pixels scaled to 0..1. copies: valid and test images are judged as that many augmented
    copies under a fixed seed; 1 means as they are, not augmented. split: which images are where, "ours-s0", "official",
    or "file-" with a hash for an imported split that is not the official one.
    sha256: of every pixel and label of train, valid and test, in order.
    """

    name: str
    classes: int
    train: Images
    valid: Images
    test: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmentation: Augmentation
    copies: int
    split: str
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha256()
        for images in (self.train, self.valid, self.test):
            digest.update(repr(images.pixels.shape).encode())
            digest.update(np.ascontiguousarray(images.pixels).data)
            digest.update(images.labels.astype("<i8").tobytes())
        object.__setattr__(self, "sha256", digest.hexdigest())

    def select(self, split: str) -> Images:
        """The images of 'train', 'valid' or 'test'; UsageError for any other name."""
        if split not in SPLITS:
            raise UsageError(f"Unknown image split '{split}'; choose one of {', '.join(SPLITS)}.")
        images: Images = getattr(self, split)
        return images


def _digits() -> ImageData:
    from benchmarks.digits import load_digits

    return load_digits()


def _cifar10() -> ImageData:
    from benchmarks.cifar import load_cifar10

    return load_cifar10()


def _cifar100() -> ImageData:
    from benchmarks.cifar import load_cifar100

    return load_cifar100()


def _imagenet16() -> ImageData:
    from benchmarks.imagenet16 import load_imagenet16

    return load_imagenet16()


# Readers import what they read with (scikit-learn, tarfile) only when their data set is asked for.
READERS: dict[str, Callable[[], ImageData]] = {
    "digits": _digits, "cifar10": _cifar10, "cifar100": _cifar100, "ImageNet16-120": _imagenet16,
}


def load_images(dataset: str) -> ImageData:
    """The images of a data set; UsageError for an unknown name, DataError when its files are absent or wrong."""
    if dataset not in READERS:
        hint = suggestion(dataset, READERS) or f"; choose one of {', '.join(READERS)}."
        raise UsageError(f"There are no images called '{dataset}'{hint}")
    return READERS[dataset]()
