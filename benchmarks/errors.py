"""Every error a user can meet: one sentence that says what, where, why and how to fix it."""


class HarnessError(Exception):
    """Base of all expected errors; `exit_code` is what the command line returns for it."""

    exit_code = 1

    def __str__(self) -> str:
        """One line, and what a stranger's file wrote into it safe to print: no line feeds, no orders to a terminal."""
        line = " ".join(super().__str__().splitlines())
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


class RunError(HarnessError):
    """The run failed: a plug-in raised, the disk is full, a folder is not writable, another process holds the run."""


class UsageError(HarnessError):
    """The question is wrong: an unknown name or parameter, a k that cannot be made, a bad plug-in path."""

    exit_code = 2


class DataError(HarnessError):
    """A table, image archive or checkpoint is absent, truncated, of the wrong hash, or contradicts another."""

    exit_code = 3


class Absent(DataError):
    """A table is not there; one that is there and damaged is another DataError."""
