"""Fetching: from a server that is slow, silent, redirects, breaks off or lies; what is left behind, and what is said."""

import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import archives
import numpy as np
import pytest

from benchmarks import cifar, fetch
from benchmarks.errors import DataError, HarnessError, RunError, UsageError
from benchmarks.halves import read_split
from benchmarks.imagenet16 import IMAGENET16
from benchmarks.images import load_images

BODY = np.random.default_rng(2).bytes(300_000)
PAGE = "https://page.invalid/"


class Handler(BaseHTTPRequestHandler):
    """Answers by the first part of the path: /right/FILE, /slow/FILE, ..."""

    server: "Server"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        how, file = self.path.strip("/").split("/")
        self.server.asked[how] += 1
        self.server.encodings.add(self.headers["Accept-Encoding"])
        body = self.server.files.get(file, b"")
        if how == "silent":
            self.server.leave.wait()
        elif how == "absent":
            self.send_error(404)
        elif how == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/right/{file}")
            self.end_headers()
        elif how == "loop":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        else:
            self.send_response(200)
            if how != "unsized":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.send(how, body)

    def send(self, how: str, body: bytes) -> None:
        if how == "broken":
            self.wfile.write(body[:len(body) // 2])
        elif how == "wrong":
            self.wfile.write(bytes(len(body)))
        elif how == "stuck":
            self.wfile.write(body[:len(body) // 2])
            self.server.leave.wait()
        elif how == "slow":
            for start in range(0, len(body), 20_000):
                if self.server.leave.wait(0.05):
                    return
                try:
                    self.wfile.write(body[start:start + 20_000])
                except OSError:
                    return
        else:
            # Who has had enough goes away.
            with suppress(OSError):
                self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"data.bin": BODY}
        self.asked: Counter[str] = Counter()
        self.encodings: set[str | None] = set()
        self.leave = threading.Event()

    def url(self, how: str, file: str = "data.bin") -> str:
        return f"http://127.0.0.1:{self.server_port}/{how}/{file}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as here:
        thread = threading.Thread(target=here.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        here.leave.set()
        here.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name but this machine's is an error, and waiting is short."""
    genuine = socket.getaddrinfo

    def only_here(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host == "127.0.0.1"
        return genuine(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(fetch, "TIMEOUT", (1.0, 0.5))
    monkeypatch.setattr(fetch, "PATIENCE", 0.2)
    monkeypatch.setattr(fetch, "SLOW", 1_000_000)


def serve(monkeypatch: pytest.MonkeyPatch, *urls: str, name: str = "made_up", file: str = "data.bin", body: bytes = BODY) -> None:
    """Makes `name` one file with these mirrors."""
    remote = fetch.Remote(file, sha256(body).hexdigest(), PAGE, urls, 2 * len(body))
    monkeypatch.setattr(fetch, "MIRRORS", {name: (remote,)})


def refused(kind: type[HarnessError], *words: str, name: str = "made_up") -> str:
    with pytest.raises(HarnessError) as error:
        fetch.fetch(name)
    assert type(error.value) is kind
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text
    for word in words:
        assert word in text
    return text


# ---- mirrors


def test_the_first_mirror_that_is_right_ends_the_search(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch,
                                                        capfd: pytest.CaptureFixture[str]) -> None:
    bad = ("absent", "broken", "wrong", "silent", "stuck", "loop", "slow")
    serve(monkeypatch, *(server.url(how) for how in (*bad, "redirect", "absent")))
    assert fetch.fetch("made_up") == [data_home / "data.bin"]
    assert (data_home / "data.bin").read_bytes() == BODY
    assert (data_home / "data.bin").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in data_home.iterdir()] == ["data.bin"]
    assert server.asked["absent"] == server.asked["redirect"] == server.asked["right"] == server.asked["slow"] == 1
    assert server.encodings == {"identity"}
    before = server.asked.total(), (data_home / "data.bin").stat().st_mtime_ns
    assert fetch.fetch("made_up") == [data_home / "data.bin"]
    assert (server.asked.total(), (data_home / "data.bin").stat().st_mtime_ns) == before
    assert capfd.readouterr() == ("", "")


def test_a_slow_mirror_is_waited_for_when_no_other_has_it(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch,
                                                          ) -> None:
    serve(monkeypatch, server.url("slow"), server.url("absent"))
    assert fetch.fetch("made_up") == [data_home / "data.bin"]
    assert (data_home / "data.bin").read_bytes() == BODY
    assert server.asked == {"slow": 2, "absent": 1}


@pytest.mark.parametrize(("how", "said"), [
    ("absent", "answered 404"), ("broken", "broke off"), ("silent", "did not answer within 0.5 seconds"),
    ("stuck", "could not be reached or fell silent"), ("loop", "failed (TooManyRedirects)")])
def test_a_failure_of_the_network_says_what_was_tried(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch, how: str,
                                                      said: str) -> None:
    serve(monkeypatch, server.url(how), server.url("wrong"))
    refused(RunError, f"data.bin could not be fetched ({server.url(how)} {said}, {server.url('wrong')} sent other bytes)",
            f"get it from {PAGE} by hand", sha256(BODY).hexdigest(), f"put it into {data_home}.")
    assert list(data_home.iterdir()) == []


def test_nobody_listens(data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/data.bin"
        serve(monkeypatch, url)
        refused(RunError, f"{url} could not be reached or fell silent")
    assert list(data_home.iterdir()) == []


def test_other_bytes_everywhere_are_a_data_error(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, server.url("wrong"), server.url("right", "other.bin"))
    server.files["other.bin"] = BODY + b"more"
    refused(DataError, f"{server.url('wrong')} sent other bytes, {server.url('right', 'other.bin')} sent other bytes", PAGE)
    assert list(data_home.iterdir()) == []


@pytest.mark.parametrize("how", ["right", "unsized"])
def test_a_mirror_may_not_send_more_than_the_file_can_have(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch,
                                                           how: str) -> None:
    server.files["large.bin"] = 20 * BODY
    serve(monkeypatch, server.url(how, "large.bin"))
    most = 0

    def watch(done: int, total: int) -> None:
        nonlocal most
        most = max(most, done)

    with pytest.raises(RunError, match=r"large\.bin sends more than 600,000 bytes"):
        fetch.fetch("made_up", watch)
    assert most <= 600_000
    assert list(data_home.iterdir()) == []
    serve(monkeypatch, server.url(how, "large.bin"), server.url("redirect"))
    assert fetch.fetch("made_up") == [data_home / "data.bin"]


def test_nobody_waits_for_ever(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LONGEST", 0.4)
    serve(monkeypatch, server.url("slow"))
    refused(RunError, f"{server.url('slow')} was not done when 0.4 seconds were over")
    assert server.asked == {"slow": 2}
    assert list(data_home.iterdir()) == []


def test_progress_is_told_in_bytes(server: Server, monkeypatch: pytest.MonkeyPatch, data_home: Path) -> None:
    for how, total in (("right", len(BODY)), ("unsized", 0)):
        serve(monkeypatch, server.url(how))
        told: list[tuple[int, int]] = []
        fetch.fetch("made_up", lambda done, total: told.append((done, total)))  # noqa: B023
        assert {total for _, total in told[:-1]} == {total}
        assert [done for done, _ in told[:-1]] == sorted(done for done, _ in told[:-1])
        if total:
            assert told[-1] == (total, total)
        (data_home / "data.bin").unlink()


def test_an_interrupt_leaves_nothing(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, server.url("right"))

    def interrupt(done: int, total: int) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("made_up", interrupt)
    assert list(data_home.iterdir()) == []


# ---- the data folder


def test_the_folder_is_made(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(data_home / "new" / "folder"))
    serve(monkeypatch, server.url("right"))
    assert fetch.fetch("made_up") == [data_home / "new" / "folder" / "data.bin"]


def test_a_full_disk_leaves_nothing(server: Server, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", str(small_disk))
    serve(monkeypatch, server.url("right"), server.url("redirect"))
    refused(RunError, f"Cannot write {small_disk / 'data.bin'}: the disk is full")
    assert list(small_disk.iterdir()) == []
    assert server.asked == {"right": 1}


def test_a_folder_that_is_a_file_is_said(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_home / "file").write_bytes(b"")
    monkeypatch.setenv("HARNESS_DATA", str(data_home / "file" / "folder"))
    serve(monkeypatch, server.url("right"))
    refused(RunError, "Cannot write", "Not a directory")


def test_a_file_of_the_user_is_not_replaced(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_home / "data.bin").write_bytes(b"mine")
    serve(monkeypatch, server.url("right"))
    refused(DataError, f"{data_home / 'data.bin'} is there already and is another file", sha256(b"mine").hexdigest(),
            "move it away")
    assert (data_home / "data.bin").read_bytes() == b"mine"
    (data_home / "data.bin").unlink()
    (data_home / "data.bin").mkdir()
    refused(DataError, f"{data_home / 'data.bin'} is there already and cannot be read (Is a directory)", "move it away")
    assert server.asked.total() == 0


@pytest.mark.parametrize("form", [0, 1])
def test_a_data_set_that_is_there_is_only_verified(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch, form: int,
                                                   ) -> None:
    source = archives.made(data_home, "cifar100", form)
    monkeypatch.setattr(fetch, "SOURCES", {"cifar100": source})
    serve(monkeypatch, server.url("right"), name="cifar100")
    folder = data_home / source.archives[form].folder
    assert fetch.fetch("cifar100") == [folder]
    batch = folder / next(iter(source.archives[form].batches))
    batch.write_bytes(batch.read_bytes()[:-1])
    refused(DataError, str(batch), "is damaged or another file", name="cifar100")
    assert server.asked.total() == 0


def test_what_was_fetched_loads(server: Server, data_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = archives.made(tmp_path / "server", "cifar100", packed=True)
    archive = source.archives[0]
    monkeypatch.setattr(cifar, "CIFAR100", source)
    monkeypatch.setattr(fetch, "SOURCES", {"cifar100": source})
    server.files[archive.tar] = (tmp_path / "server" / archive.tar).read_bytes()
    url = server.url("right", archive.tar)
    serve(monkeypatch, url, name="cifar100", file=archive.tar, body=server.files[archive.tar])
    assert fetch.fetch("cifar100") == [data_home / archive.tar]
    assert len(load_images("cifar100").train) == 300
    assert fetch.fetch("cifar100") == [data_home / archive.tar]
    assert server.asked == {"right": 1}


# ---- names


def test_what_needs_a_browser_says_what_to_get(data_home: Path) -> None:
    refused(UsageError, "NAS-Bench-201-v1_1-096897.pth", "https://github.com/D-X-Y/NATS-Bench",
            "`harness data import PATH --as nasbench201`", name="nasbench201")
    refused(UsageError, "ImageNet16.tar.gz", IMAGENET16.page, f"put it into {data_home}", name="ImageNet16-120")


def test_unknown_names_are_usage_errors() -> None:
    for wrong, right in (("cifar-10", "cifar10"), ("imagenet16", "ImageNet16-120"), ("split", "splits")):
        refused(UsageError, f"nothing to fetch called '{wrong}'; did you mean '{right}'?", name=wrong)
    refused(UsageError, "choose one of cifar10, cifar100, splits, nasbench201, ImageNet16-120.", name="xyz")


def test_without_pooch_the_extra_is_named(server: Server, data_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, server.url("right"))
    monkeypatch.setitem(sys.modules, "pooch", None)
    refused(UsageError, "pip install 'split-harness[fetch]'")
    assert list(data_home.iterdir()) == []


def test_looking_up_what_there_is_does_not_import_pooch() -> None:
    code = "import sys, benchmarks.fetch; assert not {'pooch', 'requests', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_mirrors_serve_what_the_readers_want() -> None:
    for name, source in fetch.SOURCES.items():
        (remote,) = fetch.MIRRORS[name]
        assert (remote.file, remote.checksum) == (source.archives[0].tar, source.archives[0].tar_md5)
        assert remote.page == source.page
        assert remote.urls[0].startswith("https://www.cs.toronto.edu/~kriz/")
    for remote in (remote for remotes in fetch.MIRRORS.values() for remote in remotes):
        assert len(remote.urls) >= 2
        assert remote.most == (200_000_000 if remote.file.endswith(".gz") else 1_000_000)
        for url in remote.urls:
            assert url.startswith("https://")
            assert url.removesuffix("?download=1").endswith(f"/{remote.file}")


@pytest.mark.real_data
def test_the_official_splits_are_the_ones_that_are_fetched(server: Server, shared_data: Path, data_home: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    remotes = fetch.MIRRORS["splits"]
    server.files = {remote.file: (shared_data / "splits" / remote.file).read_bytes() for remote in remotes}
    monkeypatch.setattr(fetch, "MIRRORS", {"splits": tuple(
        replace(remote, urls=(server.url("right", remote.file),)) for remote in remotes)})
    found = fetch.fetch("splits")
    assert found == [data_home / remote.file for remote in remotes]
    keys = (("train", "valid"), ("xvalid", "xtest"), ("xvalid", "xtest"))
    for path, size, names in zip(found, (50_000, 10_000, 6_000), keys, strict=True):
        assert read_split(path, size, names).name == "official"
    assert server.asked == {"right": 3}
