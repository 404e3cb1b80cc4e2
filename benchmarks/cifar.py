"""CIFAR-10 from its official python or binary archive, verified by md5 and read without executing a pickle.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

import pickletools
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest, md5
from pathlib import Path

import numpy as np

from benchmarks.errors import DataError
from benchmarks.folder import data_home
from benchmarks.halves import halve, read_split, shuffled_classes
from benchmarks.images import Augmentation, ImageData, Images

PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
SPLIT_FILE = "cifar-split.txt"
SPLIT_SEED = 0
SHAPE = (3, 32, 32)
N_PIXEL = 3 * 32 * 32
# Channel statistics in units of 0..255, as in the code of NAS-Bench-201.
MEAN = (125.3, 123.0, 113.9)
STD = (63.0, 62.1, 66.7)


def read_python_batch(content: bytes) -> Images:
    """The images of one python batch: a pickled dictionary with a list 'labels' and an array 'data' uint8 [n, 3072].

    The pickle is only parsed into its opcodes, never executed: the array is the one long byte string, the labels are
    the small integers between the key 'labels' and the next key.
    """
    labels: list[int] = []
    pixels = np.empty(0, np.uint8)
    in_labels = False
    for opcode, argument, position in pickletools.genops(content):
        if opcode.name == "BINSTRING" and isinstance(argument, str) and position is not None:
            # One byte of opcode and four of length stand before the string.
            pixels = np.frombuffer(content, np.uint8, len(argument), position + 5)
        elif opcode.name == "SHORT_BINSTRING":
            in_labels = argument == "labels"
        elif opcode.name == "BININT1" and isinstance(argument, int) and in_labels:
            labels.append(argument)
    return Images(pixels.reshape(len(labels), *SHAPE), np.array(labels, dtype=np.int64))


def read_binary_batch(content: bytes) -> Images:
    """The images of one binary batch: records of one label byte and 3,072 pixel bytes."""
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + N_PIXEL)
    return Images(records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64))


@dataclass(frozen=True)
class Archive:
    """One official form of CIFAR-10; batches: file name -> md5, the training batches in order, then the test batch."""

    tar: str
    tar_md5: str
    folder: str
    batches: Mapping[str, str]
    read: Callable[[bytes], Images]


# The md5 of both archives are printed on the official page; those of the binary batches were computed from the verified
# python batches, whose images they hold in the same order.
ARCHIVES = (
    Archive("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py", {
        "data_batch_1": "c99cafc152244af753f735de768cd75f", "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751", "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb", "test_batch": "40351d587109b95175f43aff81a1287e",
    }, read_python_batch),
    Archive("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin", {
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25", "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421", "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d", "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    }, read_binary_batch),
)


def load_cifar10() -> ImageData:
    """CIFAR-10 from the user's data folder: the search split's halves as train and valid, and the 10,000 test images.

    The split is `cifar-split.txt` where the data folder has one, else our own (seeded, each class cut in half).
    Raises DataError when the archive is absent, incomplete or of the wrong md5, or the split file is wrong.
    """
    return cifar10_in(data_home(), ARCHIVES)


def cifar10_in(home: Path, archives: Sequence[Archive]) -> ImageData:
    """`load_cifar10` from any folder, with any table of archives."""
    images, test = _read(home, archives)
    split_file = home / SPLIT_FILE
    halves = (read_split(split_file, len(images)) if split_file.exists()
              else halve(shuffled_classes(images.labels, SPLIT_SEED), SPLIT_SEED))
    mean, std = tuple(value / 255 for value in MEAN), tuple(value / 255 for value in STD)
    return ImageData("cifar10", 10, images.take(halves.first), images.take(halves.second), test, mean, std,
                     Augmentation(flip=True, pad=4), copies=1, split=halves.name)


def _read(home: Path, archives: Sequence[Archive]) -> tuple[Images, Images]:
    """All training images in the archive's order, and the test images, from the first form that `home` holds."""
    for archive in archives:
        folder, tar = home / archive.folder, home / archive.tar
        if folder.is_dir():
            batches = dict(_verified(_files(folder, archive), archive, home))
        elif tar.is_file():
            batches = dict(_verified(_members(tar, archive), archive, home))
        else:
            continue
        *train, test = (batches[name] for name in archive.batches)
        return Images(np.concatenate([batch.pixels for batch in train]),
                      np.concatenate([batch.labels for batch in train])), test
    python, binary = archives
    raise DataError(f"CIFAR-10 is not in {home}: get {python.tar} (or {binary.tar}) from {PAGE} and put it into that "
                    f"folder, packed as it is or unpacked as {python.folder} (or {binary.folder}).")


def _files(folder: Path, archive: Archive) -> Iterator[tuple[Path, bytes]]:
    for name in archive.batches:
        try:
            yield folder / name, (folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{folder / name} cannot be read ({error.strerror}): unpack {archive.tar} from {PAGE} "
                            f"again into {folder.parent}.") from None


def _members(tar: Path, archive: Archive) -> Iterator[tuple[Path, bytes]]:
    """The batches inside the packed archive, read by their exact names; nothing is written to disk."""
    try:
        with tar.open("rb") as stream:
            found = file_digest(stream, "md5").hexdigest()
    except OSError as error:
        raise DataError(f"{tar} cannot be read ({error.strerror}): make it readable, or get it from {PAGE} "
                        "again.") from None
    if found != archive.tar_md5:
        raise _wrong_md5(tar, archive.tar_md5, found, archive, tar.parent)
    wanted = {f"{archive.folder}/{name}" for name in archive.batches}
    with tarfile.open(tar, "r:gz") as members:
        for member in members:
            if member.name in wanted and (content := members.extractfile(member)) is not None:
                yield tar / member.name, content.read()


def _verified(files: Iterator[tuple[Path, bytes]], archive: Archive, home: Path) -> Iterator[tuple[str, Images]]:
    for path, content in files:
        expected, found = archive.batches[path.name], md5(content, usedforsecurity=False).hexdigest()
        if found != expected:
            raise _wrong_md5(path, expected, found, archive, home)
        yield path.name, archive.read(content)


def _wrong_md5(path: Path, expected: str, found: str, archive: Archive, home: Path) -> DataError:
    return DataError(f"{path} is damaged or another file: its md5 is {found} and should be {expected}; get "
                     f"{archive.tar} from {PAGE} again and put it into {home}.")
