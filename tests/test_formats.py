"""Formats of sources: told by their content, and one that cannot be is refused."""

from pathlib import Path

import pytest

from benchmarks.convert.source import FORMATS, source_format
from benchmarks.errors import DataError, HarnessError, UsageError


def test_formats_are_told_by_content(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "000011.pickle.pbz2").touch()
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "000000-FULL.pth").touch()
    contents = {b"BZh91AY": "nats", b"PK\x03\x04": "nasbench201", b"\x80\x02\x8a\nl\xfc\x9cF\xf9": "nasbench201",
                b"PAR1": "parquet", b'\xef\xbb\xbf {"|': "json", b"[{": "json", b"a,b\n": "csv",
                b'{"cifar10": {"(4, 0, 3, 1, 4, 3)": {': "naslib-json"}
    for content, name in contents.items():
        (tmp_path / "source").write_bytes(content)
        assert source_format(tmp_path / "source") == name
    assert source_format(tmp_path / "nats") == "nats-folder"
    assert source_format(tmp_path / "archive") == "nasbench201-folder"
    assert source_format(tmp_path / "source", "nats") == "nats"
    for name, path in (("nats-folder", "source"), ("nasbench201-folder", "source"), ("nats", "nats"), ("nasbench201", "archive")):
        with pytest.raises(DataError, match=f"is a (file|folder) and so not of the format {name}"):
            source_format(tmp_path / path, name)
    assert set(contents.values()) | {"nats-folder", "nasbench201-folder"} == set(FORMATS)


@pytest.mark.parametrize(("content", "forced", "error", "says"), [
    (b"a,b\n", "parquet", DataError, "is not of the format parquet but looks like csv"),
    (b"a,b\n", "naslib-json", DataError, "looks like csv"),
    (b"a,b\n", "pickle", UsageError, "There is no format 'pickle'"),
    (b"\x80\x04N.", None, DataError, "is a Python pickle"),
    (b"\0" * 257 + b"ustar", None, DataError, "unpack it with `tar xf`"),
])
def test_formats_that_cannot_be(tmp_path: Path, content: bytes, forced: str | None, error: type[HarnessError], says: str) -> None:
    (tmp_path / "source").write_bytes(content)
    with pytest.raises(error, match=says):
        source_format(tmp_path / "source", forced)
    with pytest.raises(DataError, match="holds neither 000000"):
        source_format(tmp_path)
    with pytest.raises(DataError, match="No such file"):
        source_format(tmp_path / "absent")
