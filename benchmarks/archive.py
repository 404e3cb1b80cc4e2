"""Official image archives in the data folder, packed or unpacked: every file is verified by its checksum, then read."""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.errors import DataError
from benchmarks.images import Images

# By the number of hexadecimal digits of a checksum.
ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
# No official batch is larger; what is longer is read no further, and its checksum is wrong anyway.
LARGEST_BATCH = 1 << 28


@dataclass(frozen=True)
class Archive:
    """One official form of a data set.

    tar: the packed file; tar_md5: its md5, None where none is published (each batch inside is verified all the same).
    batches: file name -> checksum, the training batches in order, then the test batch. read: the images of one batch,
    or ValueError with the reason when it is none.
    """

    tar: str
    tar_md5: str | None
    folder: str
    batches: Mapping[str, str]
    read: Callable[[bytes], Images]


@dataclass(frozen=True)
class Source:
    """A data set that the user brings: its title, its number of classes, how to get it, its forms, the preferred one first."""

    title: str
    classes: int
    page: str
    archives: tuple[Archive, ...]
    command: str | None = None

    def form(self, home: Path) -> tuple[Archive, Path] | None:
        """The first form that `home` holds, and its folder or packed file; None when there is none."""
        for archive in self.archives:
            if (home / archive.folder).is_dir():
                return archive, home / archive.folder
            if (home / archive.tar).is_file():
                return archive, home / archive.tar
        return None

    def read(self, home: Path) -> tuple[Images, Images]:
        """All training images in the archive's order, and the test images, from the first form that `home` holds.

        Raises DataError when there is none, or it is incomplete, of the wrong checksum or not in the official layout.
        """
        found = self.form(home)
        if found is None:
            raise DataError(self._absence(home))
        archive, path = found
        batches = {file.name: self._images(archive, file, content) for file, content in self._files(archive, path)}
        *train, test = (batches[name] for name in archive.batches)
        joined = _joined(train), _joined([test])
        if not all(map(len, joined)):
            raise DataError(f"{path} holds no images to train on or none to test with: get {archive.tar} from {self.page} again "
                            f"and put it into {home}.")
        return joined

    def verify(self, home: Path) -> Path | None:
        """The folder or packed file that `home` holds, each of its files verified, or None; DataError when one is wrong."""
        found = self.form(home)
        if found is None:
            return None
        archive, path = found
        for _ in self._files(archive, path):
            pass
        return path

    def _files(self, archive: Archive, path: Path) -> Iterator[tuple[Path, bytes]]:
        """The verified content of every batch."""
        for file, content in self._unpacked(archive, path) if path.is_dir() else self._packed(archive, path):
            expected = archive.batches[file.name]
            found = hashlib.new(ALGORITHMS[len(expected)], content, usedforsecurity=False).hexdigest()
            if found != expected:
                raise self._damage(archive, file, path.parent, expected, found)
            yield file, content

    def _unpacked(self, archive: Archive, folder: Path) -> Iterator[tuple[Path, bytes]]:
        for name in archive.batches:
            try:
                with (folder / name).open("rb") as stream:
                    content = stream.read(LARGEST_BATCH)
            except OSError as error:
                raise DataError(f"{folder / name} cannot be read ({error.strerror}): unpack {archive.tar} from {self.page} "
                                f"again into {folder.parent}.") from None
            yield folder / name, content

    def _packed(self, archive: Archive, tar: Path) -> Iterator[tuple[Path, bytes]]:
        """The batches inside the packed archive, read by their exact names; nothing is written to disk."""
        try:
            if archive.tar_md5 is not None:
                with tar.open("rb") as stream:
                    found = hashlib.file_digest(stream, "md5").hexdigest()
                if found != archive.tar_md5:
                    raise self._damage(archive, tar, tar.parent, archive.tar_md5, found)
            missing = {f"{archive.folder}/{name}" for name in archive.batches}
            with tarfile.open(tar, "r:gz") as members:
                for member in members:
                    # Not a link, which could lead to itself.
                    if member.name in missing and member.isreg() and (content := members.extractfile(member)):
                        missing.remove(member.name)
                        yield tar / member.name, content.read(LARGEST_BATCH)
        except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{tar} cannot be read ({reason}): make it readable, or get it from {self.page} again.") from None
        if missing:
            raise DataError(f"{tar} holds no {min(missing)}: get {archive.tar} from {self.page} again and put it into "
                            f"{tar.parent}.")

    def _images(self, archive: Archive, file: Path, content: bytes) -> Images:
        try:
            images = archive.read(content)
            wrong = images.labels[(images.labels < 0) | (images.labels >= self.classes)]
            if len(wrong):
                raise ValueError(f"it has the label {wrong[0]}, and the classes are 0 to {self.classes - 1}")
        except ValueError as error:
            raise DataError(f"{file} is no batch of {self.title}: {error}; get {archive.tar} from {self.page} "
                            "again.") from None
        return images

    def _absence(self, home: Path) -> str:
        tars = " or ".join(archive.tar for archive in self.archives)
        folders = " or ".join(archive.folder for archive in self.archives)
        easy = f"run `{self.command}`, or " if self.command else ""
        return (f"{self.title} is not in {home}: {easy}get {tars} from {self.page} and put it into that folder, packed as "
                f"it is or unpacked as {folders}.")

    def _damage(self, archive: Archive, path: Path, home: Path, expected: str, found: str) -> DataError:
        return DataError(f"{path} is damaged or another file: its {ALGORITHMS[len(expected)]} is {found} and should be "
                         f"{expected}; get {archive.tar} from {self.page} again and put it into {home}.")


def _joined(batches: list[Images]) -> Images:
    return Images(np.concatenate([batch.pixels for batch in batches]), np.concatenate([batch.labels for batch in batches]))
