"""Digits, CIFAR-10, CIFAR-100, ImageNet16-120: counts, splits, official archives; what is said when a file is absent or wrong."""

import gzip
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from hashlib import md5, sha1
from pathlib import Path

import archives
import numpy as np
import pytest
from command import TINY, harness

from benchmarks import cifar, imagenet16
from benchmarks.archive import Source
from benchmarks.errors import DataError, UsageError
from benchmarks.halves import halve, read_split, shuffled_classes
from benchmarks.images import ImageData, Images, load_images
from benchmarks.space import nasbench201

# How a data set is made from a folder and a table of archives, and its split file with the keys of its halves.
LOADERS = {"cifar10": cifar.cifar10_in, "cifar100": cifar.cifar100_in, "ImageNet16-120": imagenet16.imagenet16_in}
SPLITS = {"cifar10": ("cifar-split.txt", "train", "valid"), "cifar100": ("cifar100-test-split.txt", "xvalid", "xtest"),
          "ImageNet16-120": ("imagenet-16-120-test-split.txt", "xvalid", "xtest")}
# Every form of every data set: (data set, position of the archive).
FORMS = [(name, i) for name, (source, _) in archives.SMALL.items() for i in range(len(source.archives))]


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
    for wrong, right in (("cifar-10", "cifar10"), ("cifar-100", "cifar100"), ("imagenet16", "ImageNet16-120")):
        with pytest.raises(UsageError, match=f"did you mean '{right}'"):
            load_images(wrong)
    with pytest.raises(UsageError, match="choose one of digits, cifar10, cifar100, ImageNet16-120"):
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


def write_split(path: Path, first: list[int], second: list[int], keys: tuple[str, str] = ("train", "valid")) -> Path:
    path.write_text(json.dumps({key: ["int", [str(i) for i in half]] for key, half in zip(keys, (first, second), strict=True)}))
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
    with pytest.raises(DataError, match=r"s\.txt does not put each of the 6 images"):
        read_split(write_split(tmp_path / "s.txt", train, valid), 6)


@pytest.mark.parametrize("text", [
    "", "[]", "{}", "\x00", "[" * 100_000, '{"train": ["int"], "valid": 3}', '{"train": ["int", ["x"]]}',
    '{"train": ["int", ["99999999999999999999"]], "valid": ["int", ["1"]]}',
])
def test_a_file_that_is_no_split_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.txt").write_text(text)
    with pytest.raises(DataError, match=r"s\.txt is not a split file"):
        read_split(tmp_path / "s.txt", 6)


def test_a_split_of_other_keys_is_no_split_of_this_data_set(tmp_path: Path) -> None:
    path = write_split(tmp_path / "s.txt", [0, 1], [2, 3], ("xvalid", "xtest"))
    assert read_split(path, 4, ("xvalid", "xtest")).first.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"KeyError: 'train'\); replace it by the official s\.txt"):
        read_split(path, 4)


@pytest.mark.real_data
@pytest.mark.parametrize(("dataset", "size", "first"), [
    ("cifar10", 50_000, [0, 5, 7, 11, 13]), ("cifar100", 10_000, [1, 3, 4, 5, 8]), ("ImageNet16-120", 6_000, None)])
def test_the_official_splits_are_recognised(shared_data: Path, dataset: str, size: int, first: list[int] | None) -> None:
    file, *keys = SPLITS[dataset]
    halves = read_split(shared_data / "splits" / file, size, (keys[0], keys[1]))
    assert halves.name == "official"
    assert first is None or halves.first[:5].tolist() == first
    assert len(halves.first) == len(halves.second) == size // 2
    swapped = {"ImageNet16-120": "cifar100"}.get(dataset, "ImageNet16-120")
    with pytest.raises(DataError, match="replace it by the official"):
        read_split(shared_data / "splits" / SPLITS[swapped][0], size, (keys[0], keys[1]))


# ---- archives of 500 images in the official layouts


def loaded(dataset: str, home: Path, form: int = 0, *, packed: bool = False) -> ImageData:
    """The data set from an archive written into `home`."""
    return LOADERS[dataset](home, archives.made(home, dataset, form, packed=packed))


def joined(batches: list[Images]) -> Images:
    return Images(np.concatenate([batch.pixels for batch in batches]), np.concatenate([batch.labels for batch in batches]))


def same(left: Images, right: Images) -> bool:
    return np.array_equal(left.pixels, right.pixels) and np.array_equal(left.labels, right.labels)


@pytest.mark.parametrize("dataset", LOADERS)
def test_all_forms_hold_the_same_images(tmp_path: Path, dataset: str) -> None:
    forms = [(i, packed) for name, i in FORMS if name == dataset for packed in (False, True)]
    found = [loaded(dataset, tmp_path / f"{i}-{packed}", i, packed=packed) for i, packed in forms]
    assert len({data.sha256 for data in found}) == 1
    data = found[0]
    assert (data.name, data.split, data.copies) == (dataset, "ours-s0", 1)
    for images in (data.train, data.valid, data.test):
        assert (images.pixels.dtype, images.labels.dtype) == (np.uint8, np.int64)
        assert images.pixels.flags.writeable


def test_cifar10_halves_its_training_images(tmp_path: Path) -> None:
    batches = archives.batches("cifar10")
    data = loaded("cifar10", tmp_path)
    assert same(data.test, batches[5])
    assert np.bincount(data.train.labels).tolist() == np.bincount(data.valid.labels).tolist() == [20] * 10
    whole = {image.tobytes() for batch in batches[:5] for image in batch.pixels}
    assert {image.tobytes() for half in (data.train, data.valid) for image in half.pixels} == whole
    assert (data.classes, data.mean) == (10, (125.3 / 255, 123.0 / 255, 113.9 / 255))
    assert (data.augmentation.flip, data.augmentation.pad) == (True, 4)


@pytest.mark.parametrize(("dataset", "classes", "mean", "std", "pad"), [
    ("cifar100", 100, (129.3, 124.1, 112.4), (68.2, 65.4, 70.4), 4),
    ("ImageNet16-120", 120, (122.68, 116.66, 104.01), (63.22, 61.26, 65.09), 2)])
def test_the_others_train_on_all_and_halve_what_is_held_out(tmp_path: Path, dataset: str, classes: int,
                                                            mean: tuple[float, ...], std: tuple[float, ...], pad: int) -> None:
    *train, test = archives.batches(dataset)
    data = loaded(dataset, tmp_path)
    assert same(data.train, joined(train))
    assert len(data.valid) == len(data.test) == len(test) // 2
    assert {image.tobytes() for half in (data.valid, data.test) for image in half.pixels} == {i.tobytes() for i in test.pixels}
    assert np.abs(np.bincount(data.valid.labels, minlength=classes) - np.bincount(data.test.labels, minlength=classes)).max() <= 1
    assert (data.classes, data.augmentation.flip, data.augmentation.pad) == (classes, True, pad)
    assert (data.augmentation.occlude, data.augmentation.noise) == (0, 0.0)
    assert np.allclose(np.multiply(data.mean, 255), mean, rtol=1e-12)
    assert np.allclose(np.multiply(data.std, 255), std, rtol=1e-12)


def test_cifar100_labels_are_the_fine_ones(tmp_path: Path) -> None:
    for form in (0, 1):
        data = loaded("cifar100", tmp_path / str(form), form)
        assert np.bincount(data.train.labels).tolist() == [3] * 100


def test_imagenet16_keeps_the_first_120_classes_and_counts_from_0(tmp_path: Path) -> None:
    source, sizes = archives.SMALL["ImageNet16-120"]
    random = np.random.default_rng(0)
    batches = [Images(random.integers(0, 256, (size, 3, 16, 16), dtype=np.uint8), random.integers(100, 140, size))
               for size in sizes]
    batches[3] = Images(batches[3].pixels, np.full(sizes[3], 999))  # no image of the first classes at all
    archive = archives.write(tmp_path, source.archives[0], batches)
    data = imagenet16.imagenet16_in(tmp_path, replace(source, archives=(archive,)))
    kept = joined(batches[:-1])
    assert same(data.train, kept.take(np.flatnonzero(kept.labels < 120)))
    assert 0 < len(data.train) < len(kept)
    assert data.train.labels.max() == 119


@pytest.mark.parametrize("dataset", LOADERS)
def test_a_split_in_the_data_folder_is_used(tmp_path: Path, dataset: str) -> None:
    *train, test = archives.batches(dataset)
    halved = joined(train) if dataset == "cifar10" else test
    file, *keys = SPLITS[dataset]
    n = len(halved)
    write_split(tmp_path / file, list(range(0, n, 2)), list(range(1, n, 2)), (keys[0], keys[1]))
    data = loaded(dataset, tmp_path)
    first, second = (data.train, data.valid) if dataset == "cifar10" else (data.valid, data.test)
    assert same(first, halved.take(np.arange(0, n, 2)))
    assert same(second, halved.take(np.arange(1, n, 2)))
    assert data.split.startswith("file-")


# ---- what is wrong


def damaged(source: Source, form: int, batch: str, content: bytes, home: Path) -> Source:
    """The source after one batch of an unpacked form was replaced, its checksum with it."""
    archive = source.archives[form]
    (home / archive.folder / batch).write_bytes(content)
    digest = (sha1 if len(archive.batches[batch]) == 40 else md5)(content).hexdigest()
    forged = replace(archive, batches={**archive.batches, batch: digest})
    return replace(source, archives=tuple(forged if i == form else other for i, other in enumerate(source.archives)))


@pytest.mark.parametrize(("dataset", "form"), FORMS)
def test_a_wrong_checksum_names_the_file_both_sums_and_the_cure(tmp_path: Path, dataset: str, form: int) -> None:
    source = archives.made(tmp_path, dataset, form)
    archive = source.archives[form]
    name = list(archive.batches)[-2]
    path = tmp_path / archive.folder / name
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    digest = sha1 if archive.folder == "cifar-100-binary" else md5
    with pytest.raises(DataError) as error:
        LOADERS[dataset](tmp_path, source)
    for word in (str(path), f"its {digest().name} is {digest(content).hexdigest()}", archive.batches[name], archive.tar,
                 source.page, f"into {tmp_path}."):
        assert word in str(error.value)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_a_damaged_packed_archive_is_refused_before_it_is_opened(tmp_path: Path, dataset: str) -> None:
    source = archives.made(tmp_path, dataset, 1, packed=True)
    path = tmp_path / source.archives[1].tar
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=f"should be {source.archives[1].tar_md5}"):
        LOADERS[dataset](tmp_path, source)


def test_a_packed_archive_of_unknown_md5_is_verified_inside(tmp_path: Path) -> None:
    source = archives.made(tmp_path, "ImageNet16-120", packed=True)
    archive = source.archives[0]
    path = tmp_path / archive.tar
    whole = path.read_bytes()

    def refused(*words: str) -> None:
        with pytest.raises(DataError) as error:
            imagenet16.imagenet16_in(tmp_path, source)
        for word in (str(path), source.page, *words):
            assert word in str(error.value)

    for length in (0, 5, len(whole) // 2, len(whole) * 9 // 10):
        path.write_bytes(whole[:length])
        refused("cannot be read")
    path.write_bytes(whole[:1000] + bytes(100) + whole[1100:])
    refused()
    members = gzip.decompress(whole)
    path.write_bytes(gzip.compress(members[:-len(members) // 3] + bytes(1024)))
    refused()
    with tarfile.open(path, "w:gz"):
        pass
    refused("holds no ImageNet16/train_data_batch_1")
    with tarfile.open(path, "w:gz") as tar:
        for name in archive.batches:
            member = tarfile.TarInfo(f"ImageNet16/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, name
            tar.addfile(member)
    refused("holds no ImageNet16/train_data_batch_1")


@pytest.mark.parametrize(("dataset", "form"), FORMS)
def test_an_incomplete_folder_is_refused(tmp_path: Path, dataset: str, form: int) -> None:
    source = archives.made(tmp_path, dataset, form)
    archive = source.archives[form]
    test = list(archive.batches)[-1]
    (tmp_path / archive.folder / test).unlink()
    with pytest.raises(DataError, match=rf"{test} cannot be read \(No such file or directory\): unpack {archive.tar}"):
        LOADERS[dataset](tmp_path, source)


PIXELS = np.zeros((4, 3072), np.uint8)
GOOD = {"labels": [1, 2, 3, 4], "data": PIXELS}


class Asks:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return print, ("called",)


@pytest.mark.parametrize(("content", "reason"), [
    (archives.python2(GOOD)[:-500], "its pickle"),
    (archives.python2(GOOD)[:100], "its pickle"),
    (b"", "its pickle"),
    (archives.python2(GOOD) + b".", "goes on after its end"),
    (archives.python2({"labels": [1, 2, 3, 4]}), "it has no 'data'"),
    (archives.python2({"data": PIXELS, "fine_labels": [1, 2, 3, 4]}), "it has no 'labels'"),
    (archives.python2({**GOOD, "labels": [1, 2, 3]}), r"its 'data' has the shape \(4, 3072\) for 3 'labels'"),
    (archives.python2({**GOOD, "data": PIXELS[:, :768]}), r"the shape \(4, 768\) for 4 'labels' and images of \(3, 32, 32\)"),
    (archives.python2({**GOOD, "labels": [1, 2, 3, 10]}), "it has the label 10, and the classes are 0 to 9"),
    (archives.python2({**GOOD, "labels": ["a"] * 4}), "its 'labels' are no list of whole numbers"),
    (archives.python2({**GOOD, "labels": "abcd"}), "its 'labels' are no list of whole numbers"),
    (archives.python2({**GOOD, "data": "abcd"}), "its 'data' is no array of bytes with two axes"),
    (archives.python3({**GOOD, "labels": [1, 2, -1, 4]}), "it has the label -1,"),
    (archives.python3({**GOOD, "labels": [1, 2, 1 << 80, 4]}), "no list of whole numbers"),
    (archives.python3({**GOOD, "labels": [1, True, 0, 4]}), "no list of whole numbers"),
    (archives.python3({**GOOD, "data": PIXELS.astype(np.float32)}), "no array of bytes with two axes"),
    (archives.python3({**GOOD, "data": PIXELS[0]}), "no array of bytes with two axes"),
    (archives.python3({**GOOD, "data": [1]}), "no array of bytes with two axes"),
    (archives.python3([GOOD]), "it holds no dictionary"),
    (archives.python3({**GOOD, "more": Asks()}), "print"),
    (archives.python2(GOOD).replace(b"M\x00\x0c\x86", b"M\x01\x0c\x86"), r"has 12,288 bytes for the shape \(4, 3073\)"),
])
def test_a_batch_of_another_layout_is_refused(tmp_path: Path, content: bytes, reason: str, capsys: pytest.CaptureFixture[str],
                                              ) -> None:
    source = damaged(archives.made(tmp_path, "cifar10"), 0, "data_batch_2", content, tmp_path)
    with pytest.raises(DataError, match=rf"data_batch_2 is no batch of CIFAR-10: .*{reason}.*; get cifar-10-python\.tar\.gz"):
        cifar.cifar10_in(tmp_path, source)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("protocol", range(4))
def test_a_batch_may_be_written_by_any_protocol_of_its_time(protocol: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 3072), dtype=np.uint8)
    labels = [int(i) % 10 for i in range(40)]
    for data in (pixels, np.asfortranarray(pixels)):
        content = archives.python3({"data": data, "labels": labels, "mean": pixels.mean(axis=0)}, protocol)
        images = cifar.read_python10(content)
        assert np.array_equal(images.pixels.reshape(40, -1), pixels)
        assert images.labels.tolist() == labels


@pytest.mark.parametrize(("dataset", "content", "reason"), [
    ("cifar10", bytes(3072), "3,072 bytes are no whole number of records of 3,073"),
    ("cifar100", bytes(3073 * 2), "6,146 bytes are no whole number of records of 3,074"),
    ("cifar10", b"\x0a" + bytes(3072), "it has the label 10, and the classes are 0 to 9"),
    ("cifar100", b"\x00\x64" + bytes(3072), "it has the label 100, and the classes are 0 to 99"),
])
def test_a_binary_batch_of_another_layout_is_refused(tmp_path: Path, dataset: str, content: bytes, reason: str) -> None:
    source = archives.made(tmp_path, dataset, 1)
    name = next(iter(source.archives[1].batches))
    with pytest.raises(DataError, match=f"{name} is no batch of {source.title}: .*{reason}"):
        LOADERS[dataset](tmp_path, damaged(source, 1, name, content, tmp_path))


def test_an_archive_without_images_is_refused(tmp_path: Path) -> None:
    for dataset, form in FORMS:
        source = archives.SMALL[dataset][0]
        home = tmp_path / f"{dataset}-{form}"
        empty = [images.take(np.arange(0)) for images in archives.batches(dataset)]
        archive = archives.write(home, source.archives[form], empty)
        with pytest.raises(DataError, match=f"{archive.folder} holds no images .*: get {archive.tar}"):
            LOADERS[dataset](home, replace(source, archives=(archive,)))


@pytest.mark.parametrize("label", [0, 1001, -5])
def test_a_label_that_imagenet_does_not_have_is_refused(tmp_path: Path, label: int) -> None:
    content = archives.python3({"data": PIXELS[:, :768], "labels": [1, label, 200, 3]})
    source = damaged(archives.made(tmp_path, "ImageNet16-120"), 0, "val_data", content, tmp_path)
    with pytest.raises(DataError, match=rf"val_data is no batch of ImageNet16-120: it has the label {label}, .* from 1 to"):
        imagenet16.imagenet16_in(tmp_path, source)


@pytest.mark.parametrize(("dataset", "words"), [
    ("cifar10", ["CIFAR-10 is not in", "cifar-10-python.tar.gz", cifar.PAGE, "cifar-10-batches-py", "data fetch cifar10`"]),
    ("cifar100", ["CIFAR-100 is not in", "cifar-100-python.tar.gz", cifar.PAGE, "cifar-100-python", "data fetch cifar100`"]),
    ("ImageNet16-120", ["ImageNet16-120 is not in", "ImageNet16.tar.gz", imagenet16.IMAGENET16.page, "unpacked as ImageNet16."]),
])
def test_absent_images_say_what_to_get_and_where_to_put_it(data_home: Path, dataset: str, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        load_images(dataset)
    for word in (str(data_home), *words):
        assert word in str(error.value)


# ---- a whole run


@pytest.mark.parametrize(("dataset", "column", "packed"), [
    ("cifar100", "c100_test_200", False), ("ImageNet16-120", "in16_test_200", True)])
def test_a_run_goes_end_to_end(data_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, column: str,
                               packed: bool) -> None:
    source = archives.made(data_home, dataset, packed=packed)
    monkeypatch.setattr(*{"cifar100": (cifar, "CIFAR100"), "ImageNet16-120": (imagenet16, "IMAGENET16")}[dataset], source)
    accuracy = np.random.default_rng(0).uniform(1, 70, 15_625).round(2)
    rows = (f"{arch},{value}\n" for arch, value in zip(nasbench201().strings, accuracy, strict=True))
    (tmp_path / "own.csv").write_text(f"arch,{column}\n" + "".join(rows))
    assert harness(f"data import {tmp_path}/own.csv --as nasbench201").code == 0
    small = "--set network.channels=4 --set network.cells=1 --set recipe.passes=12"
    found = harness(f"run {TINY} {small} --benchmark nasbench201 --dataset {dataset} --json").json
    assert found["tau"]["n"] == 12


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
    assert pixels.mean(axis=(0, 2, 3)) == pytest.approx(cifar.MEAN10, abs=0.06)

    python, binary = cifar.CIFAR10.archives
    folder = tmp_path / "binary" / binary.folder
    folder.mkdir(parents=True)
    for python_name, binary_name in zip(python.batches, binary.batches, strict=True):
        content = (data_home / python.folder / python_name).read_bytes()
        batch = cifar.read_python10(content)
        if python_name == "data_batch_1":
            assert batch.labels[:5].tolist() == [6, 9, 9, 4, 1]
        (folder / binary_name).write_bytes(archives.binary10(batch))
    assert cifar.cifar10_in(folder.parent, cifar.CIFAR10).sha256 == data.sha256
