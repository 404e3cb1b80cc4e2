"""Every error a user can meet: one sentence that says what, where, why and how to fix it."""


def printable(text: str) -> str:
    """Text without orders to a terminal, whoever wrote it: each character that is not printed as its code; line feeds stay."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


class HarnessError(Exception):
    """Base of all expected errors; `exit_code` is what the command line returns for it."""

    exit_code = 1

    def __str__(self) -> str:
        """One line, and what a stranger's file wrote into it safe to print."""
        return printable(" ".join(super().__str__().splitlines()))


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
