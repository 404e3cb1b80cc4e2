"""From anybody's file to one compact, hashed table."""

from benchmarks.convert.importer import ImportSummary, import_table

__all__ = ["ImportSummary", "import_table"]
