"""Every error a user can meet: one sentence that says what, where, why and how to fix it."""


class HarnessError(Exception):
    """Base of all expected errors; `exit_code` is what the command line returns for it."""

    exit_code = 1


class RunError(HarnessError):
    """The run failed: a plug-in raised, the disk is full, a folder is not writable, another process holds the run."""


class UsageError(HarnessError):
    """The question is wrong: an unknown name or parameter, a k that cannot be made, a bad plug-in path."""

    exit_code = 2


class DataError(HarnessError):
    """A table, image archive or checkpoint is absent, truncated, of the wrong hash, or contradicts another."""

    exit_code = 3
