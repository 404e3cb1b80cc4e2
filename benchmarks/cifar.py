"""CIFAR-10 and CIFAR-100 from their official python or binary archives.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the splits, the augmentation and the
channel statistics: X. Dong and Y. Yang, "NAS-Bench-201", ICLR 2020.
"""

from pathlib import Path

import numpy as np

from benchmarks.archive import Archive, Source
from benchmarks.batch import read_pickled
from benchmarks.folder import data_home
from benchmarks.halves import halves_in
from benchmarks.images import Augmentation, ImageData, Images

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SPLIT_SEED = 0
SHAPE = (3, 32, 32)
N_PIXEL = 3 * 32 * 32
AUGMENTATION = Augmentation(flip=True, pad=4)


def read_python10(content: bytes) -> Images:
    """The images of one python batch of CIFAR-10."""
    return read_pickled(content, "labels", SHAPE)


def read_python100(content: bytes) -> Images:
    """The images of one python batch of CIFAR-100, with their fine labels."""
    return read_pickled(content, "fine_labels", SHAPE)


def read_binary10(content: bytes) -> Images:
    """The images of one binary batch of CIFAR-10: records of one label byte and 3,072 pixel bytes."""
    return _records(content, 1)


def read_binary100(content: bytes) -> Images:
    """The images of one binary batch of CIFAR-100: records of a coarse and a fine label byte and 3,072 pixel bytes."""
    return _records(content, 2)


def _records(content: bytes, n_label: int) -> Images:
    """The images of records whose last label byte is the label."""
    width = n_label + N_PIXEL
    if len(content) % width:
        raise ValueError(f"its {len(content):,} bytes are no whole number of records of {width:,}")
    records = np.frombuffer(content, np.uint8).reshape(-1, width)
    return Images(records[:, n_label:].reshape(-1, *SHAPE), records[:, n_label - 1].astype(np.int64))


# The md5 of the packed archives are printed on the official page; those of the binary batches of CIFAR-10 were computed from
# the verified python batches, whose images they hold in the same order.
CIFAR10 = Source("CIFAR-10", 10, PAGE, (
    Archive("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py", {
        "data_batch_1": "c99cafc152244af753f735de768cd75f", "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751", "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb", "test_batch": "40351d587109b95175f43aff81a1287e",
    }, read_python10),
    Archive("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin", {
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25", "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421", "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d", "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    }, read_binary10),
), "harness data fetch cifar10")
# The md5 of the python batches are torchvision's, the sha1 of the binary ones MXNet's.
CIFAR100 = Source("CIFAR-100", 100, PAGE, (
    Archive("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", "cifar-100-python", {
        "train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    }, read_python100),
    Archive("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", "cifar-100-binary", {
        "train.bin": "e207cd2e05b73b1393c74c7f5e7bea451d63e08e", "test.bin": "8fb6623e830365ff53cf14adec797474f5478006",
    }, read_binary100),
), "harness data fetch cifar100")
# Channel statistics in units of 0..255, as in the code of NAS-Bench-201.
MEAN10, STD10 = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
MEAN100, STD100 = (129.3, 124.1, 112.4), (68.2, 65.4, 70.4)


def load_cifar10() -> ImageData:
    """CIFAR-10 from the user's data folder: the search split's halves as train and valid, and the 10,000 test images.

    The split is `cifar-split.txt` where the data folder has one, else our own (seeded, each class cut in half).
    Raises DataError when the archive is absent, incomplete or of the wrong checksum, or the split file is wrong.
    """
    return cifar10_in(data_home(), CIFAR10)


def load_cifar100() -> ImageData:
    """CIFAR-100 from the user's data folder: the 50,000 training images, and the halves of the 10,000 test images as valid
    and test; fine labels.

    The halves are those of `cifar100-test-split.txt` where the data folder has one, else our own (seeded, each class cut in
    half). Raises DataError when the archive is absent, incomplete or of the wrong checksum, or the split file is wrong.
    """
    return cifar100_in(data_home(), CIFAR100)


def cifar10_in(home: Path, source: Source) -> ImageData:
    """`load_cifar10` from any folder, with any table of archives."""
    images, test = source.read(home)
    halves = halves_in(home, "cifar-split.txt", images.labels, ("train", "valid"), SPLIT_SEED)
    return ImageData("cifar10", source.classes, images.take(halves.first), images.take(halves.second), test,
                     _scaled(MEAN10), _scaled(STD10), AUGMENTATION, copies=1, split=halves.name)


def cifar100_in(home: Path, source: Source) -> ImageData:
    """`load_cifar100` from any folder, with any table of archives."""
    train, held_out = source.read(home)
    halves = halves_in(home, "cifar100-test-split.txt", held_out.labels, ("xvalid", "xtest"), SPLIT_SEED)
    return ImageData("cifar100", source.classes, train, held_out.take(halves.first), held_out.take(halves.second),
                     _scaled(MEAN100), _scaled(STD100), AUGMENTATION, copies=1, split=halves.name)


def _scaled(values: tuple[float, ...]) -> tuple[float, ...]:
    """From units of 0..255 to 0..1."""
    return tuple(value / 255 for value in values)
