"""Run directories: one folder a run, one file a stage, each written whole or not at all, one writer at a time."""

import fcntl
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import DataError, RunError, UsageError
from benchmarks.folder import write_atomically
from harness.runs.spec import Keys, RunSpec

ABOUT, SEAL = b"split_harness", b"split_harness_sha256"
SPEC_SCHEMA = "spec/1"


def results_home() -> Path:
    """Where run directories lie: $HARNESS_RESULTS, else results/runs below the working directory."""
    return Path(os.environ.get("HARNESS_RESULTS") or Path("results") / "runs").expanduser()


def run_name(spec: RunSpec, keys: Keys) -> str:
    """`<criterion>-k3-<benchmark>-<dataset>-s0-<12 hex>`; the hex digits are the key of the trained weights."""
    return f"{slug(spec.criterion)}-k{spec.k}-{spec.benchmark}-{spec.dataset}-s{spec.seed}-{keys.weights}"


def slug(criterion: str) -> str:
    """A selector as part of a file name; several selectors can share one."""
    return re.sub(r"[^a-z0-9_]+", "-", Path(criterion).name.lower()).strip("-")


def find_run(text: str) -> Path:
    """The run directory meant by a path, a name or the unambiguous beginning of a name or of its hash; UsageError otherwise."""
    home = results_home()
    if (Path(text) / "spec.json").is_file():
        return Path(text)
    runs = run_folders(home)
    found = [run for run in runs if run.name == text] or [
        run for run in runs if run.name.startswith(text) or run.name.rpartition("-")[2].startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"'{text}' could be {len(found)} runs: {', '.join(run.name for run in found)}; write more of the name.")
    raise UsageError(f"There is no run '{text}' in {home}; `harness list runs` shows those that are there.")


def run_folders(home: Path) -> list[Path]:
    """All run directories below `home`, sorted by name; what begins with a dot is still being packed."""
    return sorted(path.parent for path in home.glob("[!.]*/spec.json")) if home.is_dir() else []


class Held(RunError):
    """Another process holds the folder, the one argument."""

    @property
    def folder(self) -> Path:
        return Path(self.args[0])

    def __str__(self) -> str:
        return (f"Another process is working on {self.folder.name}; wait for it, or stop it and run the same command again to go "
                "on where it stopped.")


def wait_for(folder: Path) -> None:
    """Wait until no process holds a folder of `sole_writer`."""
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a run's folder, at most until this process ends; Held when another one holds it, RunError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115 - held until the block ends
    except OSError as error:
        raise RunError(f"Cannot write to {folder} ({error.strerror}); choose a writable folder with HARNESS_RESULTS.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Held(folder) from error
        yield


def write_frame(path: Path, columns: Mapping[str, NDArray[Any] | list[str]], about: Mapping[str, str]) -> None:
    """Write named columns of equal length as parquet, with words about them and a hash over both."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    words = json.dumps(dict(about), sort_keys=True).encode()
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({ABOUT: words, SEAL: _seal(columns, words).encode()})
    write_atomically(path, sink.getvalue().to_pybytes())


def read_frame(path: Path, about: Mapping[str, str]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The columns of a file of `write_frame` and all words about them; DataError when it is damaged or about something else."""
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table, metadata = file.read(use_threads=False), file.metadata.metadata or {}
        columns = {name: table[name].to_numpy() for name in table.column_names}
        words = metadata.get(ABOUT, b"{}")
        found: dict[str, str] = dict(json.loads(words))
        seal = _seal(columns, words).encode()
    except Exception as error:  # pyarrow meets damaged bytes with exceptions of many families
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read ({said}), so it is truncated or damaged; delete it and run the same command "
                        "again.") from error
    if seal != metadata.get(SEAL):
        raise DataError(f"{path} does not match its own hash, so bytes of it changed after it was written; delete it and run the "
                        "same command again.")
    if not dict(about).items() <= found.items():
        raise DataError(f"{path} is about {found}, not about {dict(about)}; delete it and run the same command again.")
    return columns, found


def _seal(columns: Mapping[str, NDArray[Any] | list[str]], words: bytes) -> str:
    digest = sha256(words)
    for name in sorted(columns):
        values = np.asarray(columns[name])
        content = "\n".join(values).encode() if values.dtype.kind in "OU" else np.ascontiguousarray(values).tobytes()
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys; a NaN becomes null."""
    write_atomically(path, (json.dumps(_without_nan(content), indent=2, sort_keys=True) + "\n").encode())


def read_json(path: Path, schema: str) -> dict[str, Any]:
    """The content of a JSON file; DataError when it is damaged, of another schema, or holds what no file of ours does: a number
    that is not finite, half of a character, or lists in lists without end."""
    try:
        content = json.loads(path.read_text())
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete it and run the same command again.") from error
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise DataError(f"{path} holds no JSON object of the schema {schema}; delete it and run the same command again.")
    return content


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
