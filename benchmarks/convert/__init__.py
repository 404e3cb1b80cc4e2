"""From anybody's file to one compact, hashed table."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.convert.importer import ImportSummary, import_table

__all__ = ["ImportSummary", "import_table"]


def __getattr__(name: str) -> Any:
    # Looking a truth up by name needs `naming` of this package, and must not wait for the readers of other people's files.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benchmarks.convert import importer

    return getattr(importer, name)
