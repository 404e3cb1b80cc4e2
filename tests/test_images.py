"""Digits and CIFAR-10: counts, splits, both official archives, and what is said when a file is absent or wrong."""

import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cifar
from benchmarks.errors import DataError, UsageError
from benchmarks.halves import halve, read_split, shuffled_classes
from benchmarks.images import Images, load_images

PYTHON, BINARY = cifar.ARCHIVES


# ---- digits


def test_digits_are_the_1797_bundled_images_split_without_overlap() -> None:
    data = load_images("digits")
    assert [len(images) for images in (data.train, data.valid, data.test)] == [960, 418, 418]
    assert data.train.pixels.shape == (960, 1, 8, 8)
    assert data.train.pixels.dtype == np.uint8
    assert data.train.labels.dtype == np.int64
    assert data.train.pixels.max() == 255
    every = [image.tobytes() for images in (data.train, data.valid, data.test) for image in images.pixels]
    assert len(set(every)) == len(every)  # the source holds no image twice, so this also proves the splits disjoint
    assert (data.classes, data.copies, data.split) == (10, 4, "ours-s0")


def test_digits_are_balanced_over_classes() -> None:
    data = load_images("digits")
    assert np.bincount(data.train.labels).tolist() == [96] * 10
    assert np.abs(np.bincount(data.valid.labels) - np.bincount(data.test.labels)).max() <= 1


def test_digits_never_change() -> None:
    data = load_images("digits")
    assert data.sha256 == load_images("digits").sha256
    assert data.sha256 == "3326298cb8700f04655c22eeae52b30880397d4695ae4289d745f39de3b002c1"
    scaled = data.train.pixels / 255
    assert data.mean[0] == pytest.approx(scaled.mean(), rel=1e-12)
    assert data.std[0] == pytest.approx(scaled.std(), rel=1e-12)


def test_reading_images_does_not_import_torch() -> None:
    code = "import sys, benchmarks.images as b; b.load_images('digits'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        load_images("cifar-10")
    with pytest.raises(UsageError, match="choose one of digits, cifar10"):
        load_images("xyz")
    with pytest.raises(UsageError, match="train, valid, test"):
        load_images("digits").select("validation")
    data = load_images("digits")
    assert data.select("valid") is data.valid


# ---- halves


def test_halving_an_odd_number_of_odd_classes_leaves_one_out() -> None:
    labels = np.repeat(np.arange(4), [5, 7, 4, 3])
    halves = halve(shuffled_classes(labels, 3), 3)
    assert len(halves.first) == len(halves.second) == 9
    assert len(np.intersect1d(halves.first, halves.second)) == 0
    assert np.abs(np.bincount(labels[halves.first]) - np.bincount(labels[halves.second])).max() <= 1
    again = halve(shuffled_classes(labels, 3), 3)
    assert np.array_equal(halves.first, again.first)
    assert not np.array_equal(halves.first, halve(shuffled_classes(labels, 4), 4).first)


def write_split(path: Path, train: list[int], valid: list[int]) -> Path:
    path.write_text(json.dumps({"train": ["int", [str(i) for i in train]], "valid": ["int", [str(i) for i in valid]]}))
    return path


def test_a_split_file_is_read_in_ascending_order(tmp_path: Path) -> None:
    halves = read_split(write_split(tmp_path / "s.txt", [4, 0, 3], [5, 1, 2]), 6)
    assert halves.first.tolist() == [0, 3, 4]
    assert halves.second.tolist() == [1, 2, 5]
    assert halves.name.startswith("file-")


@pytest.mark.parametrize(("train", "valid"), [
    ([0, 1, 2], [2, 3, 4]), ([0, 1], [3, 4, 5]), ([0, 1, 2], [3, 4, 6]), ([-1, 1, 2], [3, 4, 5]),
    ([0, 0, 1], [3, 4, 5]), ([0, 1, 2, 3, 4, 5], []), ([0, 1], [2, 3, 4, 5]),
])
def test_a_split_that_is_not_two_disjoint_halves_is_refused(tmp_path: Path, train: list[int], valid: list[int]) -> None:
    with pytest.raises(DataError, match=r"s\.txt does not put each of the 6 training images"):
        read_split(write_split(tmp_path / "s.txt", train, valid), 6)


@pytest.mark.parametrize("text", [
    "", "[]", "{}", "\x00", "[" * 100_000, '{"train": ["int"], "valid": 3}', '{"train": ["int", ["x"]]}',
    '{"train": ["int", ["99999999999999999999"]], "valid": ["int", ["1"]]}',
])
def test_a_file_that_is_no_split_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.txt").write_text(text)
    with pytest.raises(DataError, match=r"s\.txt is not a split file"):
        read_split(tmp_path / "s.txt", 6)


@pytest.mark.real_data
def test_the_official_split_is_recognised(shared_data: Path) -> None:
    halves = read_split(shared_data / "splits" / "cifar-split.txt", 50_000)
    assert halves.name == "official"
    assert halves.first[:5].tolist() == [0, 5, 7, 11, 13]
    assert len(halves.first) == len(halves.second) == 25_000


# ---- CIFAR-10, on archives of 20 images a batch in the official layouts


def python_batch(images: Images, label: str) -> bytes:
    """A batch in the opcodes of the official files: Python 2's pickle protocol 2 with numpy's old reduce."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    def small(value: int) -> bytes:
        return b"K" + bytes([value])

    data = images.pixels.tobytes()
    array = (b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08" + small(0) + b"\x85" + text("b")
             + b"\x87Rq\x09(" + small(1) + b"M" + len(images).to_bytes(2, "little") + b"M\x00\x0c\x86"
             + b"cnumpy\ndtype\nq\x0a" + text("u1") + small(0) + small(1) + b"\x87Rq\x0b(" + small(3) + text("|")
             + b"NNNJ\xff\xff\xff\xff"
             + b"J\xff\xff\xff\xff" + small(0) + b"tb\x89T" + len(data).to_bytes(4, "little") + data + b"tb")
    names = b"".join(text(f"frog_s_{i:06}.png") for i in range(len(images)))
    return (b"\x80\x02}q\x01(" + text("batch_label") + b"q\x02" + text(label) + b"q\x03"
            + text("labels") + b"q\x04]q\x05(" + b"".join(small(value) for value in images.labels.tolist())
            + b"e" + text("data") + b"q\x06" + array
            + text("filenames") + b"q\x0c]q\x0d(" + names + b"eu.")


def binary_batch(images: Images) -> bytes:
    labels = images.labels.astype(np.uint8)[:, None]
    return np.concatenate([labels, images.pixels.reshape(len(images), -1)], axis=1).tobytes()


def random_batches() -> list[Images]:
    random = np.random.default_rng(5)
    return [Images(random.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8), random.permutation(np.arange(20) % 10))
            for _ in range(6)]


def write_archive(home: Path, archive: cifar.Archive, batches: list[Images]) -> cifar.Archive:
    """Writes the archive as a folder, and returns it with the md5s of what was written."""
    (home / archive.folder).mkdir(parents=True)
    sums = {}
    for i, (name, images) in enumerate(zip(archive.batches, batches, strict=True), start=1):
        content = binary_batch(images) if name.endswith(".bin") else python_batch(images, f"training batch {i} of 5")
        (home / archive.folder / name).write_bytes(content)
        sums[name] = md5(content).hexdigest()
    return replace(archive, batches=sums)


def pack(home: Path, archive: cifar.Archive) -> cifar.Archive:
    """Turns the archive's folder into its tar, members in reverse order."""
    with tarfile.open(home / archive.tar, "w:gz") as tar:
        tar.add(home / archive.folder, archive.folder, recursive=False)
        for name in reversed(archive.batches):
            tar.add(home / archive.folder / name, f"{archive.folder}/{name}")
    for name in archive.batches:
        (home / archive.folder / name).unlink()
    (home / archive.folder).rmdir()
    return replace(archive, tar_md5=md5((home / archive.tar).read_bytes()).hexdigest())


def test_all_four_forms_hold_the_same_images(tmp_path: Path) -> None:
    batches = random_batches()
    loaded = []
    for kind, packed in ((PYTHON, False), (PYTHON, True), (BINARY, False), (BINARY, True)):
        home = tmp_path / f"{kind.folder}-{packed}"
        archive = write_archive(home, kind, batches)
        if packed:
            archive = pack(home, archive)
        loaded.append(cifar.cifar10_in(home, [archive, archive]))
    assert len({data.sha256 for data in loaded}) == 1
    data = loaded[0]
    assert np.array_equal(data.test.pixels, batches[5].pixels)
    assert np.array_equal(data.test.labels, batches[5].labels)
    assert np.bincount(data.train.labels).tolist() == np.bincount(data.valid.labels).tolist() == [5] * 10
    whole = {image.tobytes() for batch in batches[:5] for image in batch.pixels}
    assert {image.tobytes() for half in (data.train, data.valid) for image in half.pixels} == whole
    assert (data.split, data.copies, data.mean) == ("ours-s0", 1, (125.3 / 255, 123.0 / 255, 113.9 / 255))


def test_an_imported_split_is_used(tmp_path: Path) -> None:
    batches = random_batches()
    archive = write_archive(tmp_path, PYTHON, batches)
    write_split(tmp_path / "cifar-split.txt", list(range(0, 100, 2)), list(range(1, 100, 2)))
    data = cifar.cifar10_in(tmp_path, [archive, archive])
    assert np.array_equal(data.train.pixels[:10], batches[0].pixels[::2])
    assert np.array_equal(data.valid.labels[-10:], batches[4].labels[1::2])
    assert data.split.startswith("file-")


def test_a_wrong_md5_names_the_file_both_sums_and_the_cure(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, PYTHON, random_batches())
    path = tmp_path / archive.folder / "data_batch_3"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        cifar.cifar10_in(tmp_path, [archive, archive])
    for word in (str(path), md5(content).hexdigest(), archive.batches["data_batch_3"], archive.tar, cifar.PAGE):
        assert word in str(error.value)


def test_a_damaged_packed_archive_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    archive = pack(tmp_path, write_archive(tmp_path, BINARY, random_batches()))
    path = tmp_path / archive.tar
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=f"should be {archive.tar_md5}"):
        cifar.cifar10_in(tmp_path, [archive, archive])


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path, PYTHON, random_batches())
    (tmp_path / archive.folder / "test_batch").unlink()
    with pytest.raises(DataError, match=r"test_batch cannot be read .*unpack cifar-10-python\.tar\.gz"):
        cifar.cifar10_in(tmp_path, [archive, archive])


def test_absent_cifar_says_what_to_get_and_where_to_put_it(data_home: Path) -> None:
    with pytest.raises(DataError) as error:
        load_images("cifar10")
    for word in (str(data_home), "cifar-10-python.tar.gz", "https://www.cs.toronto.edu/~kriz/cifar.html",
                 "cifar-10-batches-py"):
        assert word in str(error.value)


@pytest.mark.real_data
def test_real_cifar_loads_from_both_official_forms(shared_data: Path, tmp_path: Path, data_home: Path) -> None:
    unpack = shared_data.parent / "tools" / "unpack_cifar10.py"
    subprocess.run([sys.executable, str(unpack), str(data_home)], check=True, capture_output=True)
    data = load_images("cifar10")
    assert [len(images) for images in (data.train, data.valid, data.test)] == [25_000, 25_000, 10_000]
    assert np.bincount(data.train.labels).tolist() == np.bincount(data.valid.labels).tolist() == [2_500] * 10
    assert data.test.labels[:5].tolist() == [3, 8, 8, 0, 6]
    # The published statistics are those of the 50,000 training images.
    pixels = np.concatenate([data.train.pixels, data.valid.pixels])
    assert pixels.mean(axis=(0, 2, 3)) == pytest.approx(cifar.MEAN, abs=0.06)

    binary = tmp_path / "binary" / BINARY.folder
    binary.mkdir(parents=True)
    for python_name, binary_name in zip(PYTHON.batches, BINARY.batches, strict=True):
        batch = cifar.read_python_batch((data_home / PYTHON.folder / python_name).read_bytes())
        if python_name == "data_batch_1":
            assert batch.labels[:5].tolist() == [6, 9, 9, 4, 1]
        (binary / binary_name).write_bytes(binary_batch(batch))
    assert cifar.cifar10_in(binary.parent, cifar.ARCHIVES).sha256 == data.sha256
