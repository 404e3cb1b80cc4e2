"""ImageNet16-120: the first 120 classes of ImageNet at 16x16 pixels, from the official ImageNet16 batches.

Source: P. Chrabaszcz, I. Loshchilov and F. Hutter, "A Downsampled Variant of ImageNet as an Alternative to the CIFAR
datasets", arXiv:1707.08819, 2017; the choice of classes, the splits and the augmentation: X. Dong and Y. Yang,
"NAS-Bench-201", ICLR 2020.
"""

from pathlib import Path

import numpy as np

from benchmarks.archive import Archive, Source
from benchmarks.batch import read_pickled
from benchmarks.folder import data_home
from benchmarks.halves import halves_in
from benchmarks.images import Augmentation, ImageData, Images

CLASSES = 120
# All classes of the batches, whose labels start at 1.
ALL_CLASSES = 1000
SPLIT_FILE = "imagenet-16-120-test-split.txt"
SPLIT_SEED = 0
# Channel statistics in units of 0..255, as in the code of NAS-Bench-201.
MEAN = (122.68, 116.66, 104.01)
STD = (63.22, 61.26, 65.09)


def read_batch(content: bytes) -> Images:
    """The images of the first 120 classes in one batch: pickled 'data' uint8 [n, 768] and 'labels', 1 to 1,000."""
    images = read_pickled(content, "labels", (3, 16, 16))
    wrong = images.labels[(images.labels < 1) | (images.labels > ALL_CLASSES)]
    if len(wrong):
        raise ValueError(f"it has the label {wrong[0]}, and ImageNet's go from 1 to {ALL_CLASSES:,}")
    chosen = images.take(np.flatnonzero(images.labels <= CLASSES))
    return Images(chosen.pixels, chosen.labels - 1)


# The md5 of the batches stand in the code of NAS-Bench-201; none is published of the packed archive.
IMAGENET16 = Source("ImageNet16-120", CLASSES, "https://drive.google.com/drive/folders/1T3UIyZXUhMmIuJLOBMIYKAsJknAtrrO4", (
    Archive("ImageNet16.tar.gz", None, "ImageNet16", {
        "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91", "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
        "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87", "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
        "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d", "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
        "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564", "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
        "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4", "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
        "val_data": "3410e3017fdaefba8d5073aaa65e4bd6",
    }, read_batch),
))


def load_imagenet16() -> ImageData:
    """ImageNet16-120 from the user's data folder: 151,700 training images, and the halves of the 6,000 of its validation
    set as valid and test; uint8 [n, 3, 16, 16].

    The halves are those of `imagenet-16-120-test-split.txt` where the data folder has one, else our own (seeded, each class
    cut in half). Raises DataError when the archive is absent, incomplete or of the wrong md5, or the split file is wrong.
    """
    return imagenet16_in(data_home(), IMAGENET16)


def imagenet16_in(home: Path, source: Source) -> ImageData:
    """`load_imagenet16` from any folder, with any table of archives."""
    train, held_out = source.read(home)
    halves = halves_in(home, SPLIT_FILE, held_out.labels, ("xvalid", "xtest"), SPLIT_SEED)
    mean, std = tuple(value / 255 for value in MEAN), tuple(value / 255 for value in STD)
    return ImageData("ImageNet16-120", source.classes, train, held_out.take(halves.first), held_out.take(halves.second),
                     mean, std, Augmentation(flip=True, pad=2), copies=1, split=halves.name)
