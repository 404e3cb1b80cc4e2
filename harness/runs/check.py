"""One thing that `harness verify` looked at, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.runs.mismatch import Mismatch, mismatches

SAME, DIFFERENT, UNCHECKED = "same", "different", "not checked"


@dataclass(frozen=True)
class Check:
    """Something that was looked at: SAME, DIFFERENT or UNCHECKED; in what it differs; why it differs or was not checked, or what
    of it was not."""

    what: str
    state: str
    mismatches: tuple[Mismatch, ...] = ()
    why: str = ""


def compared(what: str, stored: Mapping[str, Any], made: Mapping[str, Any], why: str = "") -> Check:
    """Whether two contents are the same; why: what of them was not looked at."""
    found = tuple(mismatches(stored, made))
    return Check(what, DIFFERENT if found else SAME, found, why)
