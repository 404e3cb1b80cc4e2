"""Which format a source has, told by its content: names of files are changed, first bytes are not."""

import re
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from benchmarks.convert.naslib import SIX
from benchmarks.errors import DataError, UsageError
from benchmarks.suggestion import suggestion

NASLIB_JSON = "naslib-json"
# Files and folders that are pickles: nothing reads them but `benchmarks.convert.confined`.
OFFICIAL = {
    "nasbench201": "NAS-Bench-201-v1_0-e61699.pth or NAS-Bench-201-v1_1-096897.pth",
    "nasbench201-folder": "NAS-Bench-201-v1_1-archive, a folder of 000000-FULL.pth ...",
    "nats": "NATS-tss-v1_0-3ffb9.pickle.pbz2",
    "nats-folder": "NATS-tss-v1_0-3ffb9-simple or -full, a folder of 000000.pickle.pbz2 ...",
}
FORMATS = {
    **OFFICIAL,
    NASLIB_JSON: "zc_nasbench201.json of NAS-Bench-Suite-Zero, or other JSON that names architectures as NASLib does",
    "json": "{architecture: accuracy}, {architecture: {column: number}} or a list of {\"arch\": ..., column: number}",
    "csv": "columns with a header, nats_bench.csv for example",
    "parquet": "columns",
}
HEAD = 4096
# Of a path in a message; a longer one cannot be opened.
LONGEST = 300
# What torch writes first: its magic number in a pickle of protocol 2.
LEGACY_TORCH = b"\x80\x02\x8a\x0a"
NATS_FILE = re.compile(r"(meta|\d{1,6})\.pickle\.pbz2")
NASBENCH201_FILE = re.compile(r"\d{6}-(FULL|SIMPLE)\.pth")
DATASETS_OF_SIX = re.compile(rf'\s*\{{\s*"[\w.-]+"\s*:\s*\{{\s*"\s*{SIX}\s*"\s*:')
SIX_ALONE = re.compile(rf'\s*(\{{\s*"\s*{SIX}\s*"\s*:|\[\s*\{{[^{{}}]*"arch"\s*:\s*"?{SIX})')


def source_format(path: Path, forced: str | None = None) -> str:
    """The name of the format of a file or folder, or the forced one, which text and parquet must then have.

    Raises UsageError for a format that there is not and for architectures whose code is not said, DataError for a source
    that is absent or of no format.
    """
    if forced is not None and forced not in FORMATS:
        raise UsageError(f"There is no format '{forced}'{suggestion(forced, FORMATS) or ';'} choose one of "
                         f"{', '.join(FORMATS)}.")
    folder = _is_folder(path)
    if forced in OFFICIAL:
        # Whether it is true shows when it is read; that takes minutes, and this can be said at once.
        if folder != forced.endswith("-folder"):
            raise DataError(f"{path} is {'a folder' if folder else 'a file'} and so not of the format {forced}; leave --format "
                            f"out, or give {OFFICIAL[forced]}.")
        return forced
    head = b"" if folder else _head(path)
    if forced == NASLIB_JSON and _is_json(head):
        return forced
    found = _folder_format(path) if folder else _file_format(path, head)
    if forced not in (None, found):
        raise DataError(f"{path} is not of the format {forced} but looks like {found}; leave --format out, or give another "
                        "file.")
    return found


def _is_folder(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not (S_ISDIR(mode) or S_ISREG(mode)):
        raise DataError(f"{path} is neither a file nor a folder; give the path of one.")
    return S_ISDIR(mode)


def _unreadable(path: Path, error: Exception) -> DataError:
    why = getattr(error, "strerror", None) or error
    return DataError(f"{str(path)[:LONGEST]} cannot be read ({why}); give the path of a file or folder of the benchmark.")


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise _unreadable(path, error) from error


def _folder_format(path: Path) -> str:
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise DataError(f"The folder {path} cannot be read ({error.strerror}); make it readable.") from error
    if any(NATS_FILE.fullmatch(name) for name in names):
        return "nats-folder"
    if any(NASBENCH201_FILE.fullmatch(name) for name in names):
        return "nasbench201-folder"
    raise DataError(f"The folder {path} holds neither 000000.pickle.pbz2 ... nor 000000-FULL.pth ...; give the folder that "
                    "the official archive unpacks to, or a file.")


def _file_format(path: Path, head: bytes) -> str:
    if head.startswith(b"BZh"):
        return "nats"
    if head.startswith((b"PK", LEGACY_TORCH)):
        return "nasbench201"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[257:262] == b"ustar":
        raise DataError(f"{path} is a tar archive; unpack it with `tar xf` and give the folder it makes.")
    if head.startswith(b"\x80"):
        raise DataError(f"{path} is a Python pickle of no official layout and is not opened, for a pickle can run code; give "
                        "the official file, or write its numbers as CSV, JSON or parquet.")
    if not _is_json(head):
        return "csv"
    text = head.decode("utf-8", errors="replace").removeprefix("\ufeff")
    if DATASETS_OF_SIX.match(text):
        return NASLIB_JSON
    if SIX_ALONE.match(text):
        raise UsageError(f"{path} names architectures by six numbers and does not say whose operations they count; if they "
                         f"are NASLib's, say --format {NASLIB_JSON}.")
    return "json"


def _is_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
