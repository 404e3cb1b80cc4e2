"""Image archives in the official layouts, small: CIFAR-10 and CIFAR-100 in both forms, and the ImageNet16 batches."""

import pickle
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import file_digest, new
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.archive import ALGORITHMS, Archive, Source
from benchmarks.cifar import CIFAR10, CIFAR100
from benchmarks.imagenet16 import IMAGENET16
from benchmarks.images import Images

Entry = str | list[int] | list[str] | NDArray[np.uint8]


def python2(content: Mapping[str, Entry]) -> bytes:
    """A pickle in the opcodes of the CIFAR files: Python 2's protocol 2 with the array reduction of its numpy."""
    memo = iter(range(1, 1 << 20))

    def put() -> bytes:
        number = next(memo)
        return b"q" + bytes([number]) if number < 256 else b"r" + number.to_bytes(4, "little")

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")

    def entry(value: Entry) -> bytes:
        if isinstance(value, str):
            return text(value) + put()
        if isinstance(value, list):
            return b"]" + put() + b"(" + b"".join(number(item) if isinstance(item, int) else text(item) + put()
                                                 for item in value) + b"e"
        n, width = value.shape
        return (b"cnumpy.core.multiarray\n_reconstruct\n" + put() + b"cnumpy\nndarray\n" + put() + number(0) + b"\x85"
                + text("b") + b"\x87R" + put() + b"(" + number(1) + number(n) + number(width) + b"\x86cnumpy\ndtype\n" + put()
                + text("u1") + number(0) + number(1) + b"\x87R" + put() + b"(" + number(3) + text("|")
                + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff" + number(0) + b"tb\x89T" + value.size.to_bytes(4, "little")
                + value.tobytes() + b"tb")

    start = b"\x80\x02}" + put() + b"("
    return start + b"".join(text(key) + put() + entry(value) for key, value in content.items()) + b"u."


def python3(content: object, protocol: int = 3) -> bytes:
    """A pickle of Python 3, up to protocol 3, with the array reduction under its name in numpy 1."""
    return pickle.dumps(content, protocol).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def flat(images: Images) -> NDArray[np.uint8]:
    """uint8 [n, m]: the pixels of each image in one row."""
    return images.pixels.reshape(len(images), np.prod(images.pixels.shape[1:]))


def names(images: Images) -> list[str]:
    return [f"frog_s_{i:06}.png" for i in range(len(images))]


def coarse(images: Images) -> NDArray[np.int64]:
    """A coarse label for each fine one."""
    return images.labels // 5


def python10(images: Images) -> bytes:
    return python2({"batch_label": "training batch 1 of 5", "labels": images.labels.tolist(), "data": flat(images),
                    "filenames": names(images)})


def python100(images: Images) -> bytes:
    return python2({"filenames": names(images), "batch_label": "training batch 1 of 1", "fine_labels": images.labels.tolist(),
                    "coarse_labels": coarse(images).tolist(), "data": flat(images)})


def binary10(images: Images) -> bytes:
    return np.concatenate([images.labels.astype(np.uint8)[:, None], flat(images)], axis=1).tobytes()


def binary100(images: Images) -> bytes:
    both = np.stack([coarse(images), images.labels], axis=1).astype(np.uint8)
    return np.concatenate([both, flat(images)], axis=1).tobytes()


def imagenet16(images: Images) -> bytes:
    """As the authors' script pickled the batches: labels from 1, and the mean image beside them."""
    return python3({"data": flat(images), "labels": (images.labels + 1).tolist(), "mean": flat(images).sum(axis=0) / 1e3})


# The folder of a form -> how it writes a batch.
WRITERS: dict[str, Callable[[Images], bytes]] = {
    "cifar-10-batches-py": python10, "cifar-10-batches-bin": binary10,
    "cifar-100-python": python100, "cifar-100-binary": binary100, "ImageNet16": imagenet16,
}
# source, how many images each batch has in an archive of 500
SMALL: dict[str, tuple[Source, tuple[int, ...]]] = {
    "cifar10": (CIFAR10, (80, 80, 80, 80, 80, 100)),
    "cifar100": (CIFAR100, (300, 200)),
    "ImageNet16-120": (IMAGENET16, (24,) * 10 + (260,)),
}


def batches(dataset: str, seed: int = 5) -> list[Images]:
    """500 random images, all classes as often as may be: the training batches in order, then the test batch."""
    source, sizes = SMALL[dataset]
    side = 16 if source is IMAGENET16 else 32
    random = np.random.default_rng(seed)
    train = random.permutation(np.arange(sum(sizes[:-1])) % source.classes)
    labels = [*np.split(train, np.cumsum(sizes[:-2])), random.permutation(np.arange(sizes[-1]) % source.classes)]
    return [Images(random.integers(0, 256, (size, 3, side, side), dtype=np.uint8), mine)
            for size, mine in zip(sizes, labels, strict=True)]


def write(home: Path, archive: Archive, content: list[Images]) -> Archive:
    """Writes a folder of batches into `home`, and returns the archive with the checksums of what was written."""
    (home / archive.folder).mkdir(parents=True)
    sums = {}
    for (name, known), images in zip(archive.batches.items(), content, strict=True):
        written = WRITERS[archive.folder](images)
        (home / archive.folder / name).write_bytes(written)
        sums[name] = new(ALGORITHMS[len(known)], written).hexdigest()
    return replace(archive, batches=sums)


def pack(home: Path, archive: Archive) -> Archive:
    """Turns a folder of batches into the packed archive, members in reverse order, and returns it with its md5."""
    with tarfile.open(home / archive.tar, "w:gz") as tar:
        tar.add(home / archive.folder, archive.folder, recursive=False)
        for name in reversed(archive.batches):
            tar.add(home / archive.folder / name, f"{archive.folder}/{name}")
            (home / archive.folder / name).unlink()
    (home / archive.folder).rmdir()
    with (home / archive.tar).open("rb") as stream:
        return replace(archive, tar_md5=archive.tar_md5 and file_digest(stream, "md5").hexdigest())


def made(home: Path, dataset: str, form: int = 0, *, packed: bool = False) -> Source:
    """Writes the archive of 500 images into `home` in that form, and returns a source that knows its checksums."""
    source = SMALL[dataset][0]
    archive = write(home, source.archives[form], batches(dataset))
    if packed:
        archive = pack(home, archive)
    return replace(source, archives=tuple(archive if i == form else other for i, other in enumerate(source.archives)))
