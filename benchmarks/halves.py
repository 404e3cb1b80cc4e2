"""Which images train the weights and which judge them: class-balanced halves, ours or the official ones."""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError

# sha256 of the ascending indices, int64 little-endian, of the first and then the second half in the official files.
OFFICIAL_SPLITS = (
    "62dcf5d93047a0c7d8f4041df73532ffdd3c163c5eba6d6f59c7ae1218774444",  # cifar-split.txt: train, valid
    "6f31b81e23f809961e288cc77ffcc0027632d9d15ae7974c2507835d715644ba",  # cifar100-test-split.txt: xvalid, xtest
    "10fd99eb162676badd3d386b16674e1294be273be437111311c02054162a7ae2",  # imagenet-16-120-test-split.txt: xvalid, xtest
)


@dataclass(frozen=True, eq=False)
class Halves:
    """first, second: int64 [m], ascending and disjoint image indices; name: which split this is."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    name: str


def shuffled_classes(labels: NDArray[np.int64], seed: int) -> list[NDArray[np.int64]]:
    """The indices of each class of labels [n], in a seeded random order."""
    # RandomState, whose stream numpy has frozen: a split must stay the same under every future version.
    random = np.random.RandomState(seed)
    return [random.permutation(np.flatnonzero(labels == label)) for label in range(int(labels.max()) + 1)]


def halve(classes: list[NDArray[np.int64]], seed: int) -> Halves:
    """Two halves of the indices in `classes`, each class cut in half; the odd ones go to either side in turn.

    When the number of odd classes is odd itself, the last image is left out, so that both halves are equally large.
    """
    half = [len(members) // 2 for members in classes]
    spare = [members[-1] for members in classes if len(members) % 2]
    pairs = len(spare) // 2
    first = [members[:m] for members, m in zip(classes, half, strict=True)]
    second = [members[m : 2 * m] for members, m in zip(classes, half, strict=True)]
    first.append(np.array(spare[: 2 * pairs : 2], dtype=np.int64))
    second.append(np.array(spare[1 : 2 * pairs : 2], dtype=np.int64))
    return Halves(np.sort(np.concatenate(first)), np.sort(np.concatenate(second)), f"ours-s{seed}")


def halves_in(home: Path, file: str, labels: NDArray[np.int64], keys: tuple[str, str], seed: int) -> Halves:
    """The halves of labels [n] in the split file of `home`, where it has that file, else our own class-balanced ones."""
    path = home / file
    return read_split(path, len(labels), keys) if path.exists() else halve(shuffled_classes(labels, seed), seed)


def read_split(path: Path, n_image: int, keys: tuple[str, str] = ("train", "valid")) -> Halves:
    """The halves in a split file of NAS-Bench-201, JSON {"train": ["int", ["0", ...]], "valid": [...]} with these two keys.

    The name is "official" for the published splits and "file-" with 8 digits of its hash for any other. Raises DataError
    when it is not such a file or its indices are not two disjoint, equally large halves of 0..n_image-1.
    """
    cure = f"replace it by the official {path.name} of NAS-Bench-201, or remove it to use our own split"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        halves = [np.sort(np.array([int(index) for index in content[key][1]], dtype=np.int64)) for key in keys]
    except (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path} is not a split file ({type(error).__name__}: {error}); {cure}.") from None
    cover = np.array_equal(np.sort(np.concatenate(halves)), np.arange(n_image))
    if not cover or len(halves[0]) != len(halves[1]):
        raise DataError(f"{path} does not put each of the {n_image:,} images into exactly one of two equal halves "
                        f"'{keys[0]}' and '{keys[1]}'; {cure}.")
    digest = sha256(b"".join(half.astype("<i8").tobytes() for half in halves)).hexdigest()
    return Halves(halves[0], halves[1], "official" if digest in OFFICIAL_SPLITS else f"file-{digest[:8]}")
