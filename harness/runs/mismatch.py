"""Where two contents of JSON files differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

# Another version of a library may add in another order; no number of a run is as small as this.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Mismatch:
    """Something that a file says otherwise than the other files make it."""

    metric: str
    stored: Any
    computed: Any

    def __str__(self) -> str:
        return f"{self.metric} is stored as {_text(self.stored)} and comes out as {_text(self.computed)}{self._gap}"

    @property
    def _gap(self) -> str:
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (self.stored, self.computed))
        return f" (difference {self.computed - self.stored:+.3g})" if numbers else ""


def mismatches(stored: Any, made: Any, name: str = "") -> Iterator[Mismatch]:
    """Where two contents of JSON files differ, the judged tau first; numbers may differ by TOLERANCE, NaN is null."""
    if isinstance(stored, Mapping) and isinstance(made, Mapping):
        for key in sorted({**stored, **made}, key=lambda key: (key != "tau", key != "value", key)):
            yield from mismatches(stored.get(key), made.get(key), f"{name}.{key}".strip("."))
    elif isinstance(stored, list | tuple) and isinstance(made, list | tuple) and len(stored) == len(made):
        for i, (one, other) in enumerate(zip(stored, made, strict=True)):
            yield from mismatches(one, other, f"{name}[{i}]")
    elif not _equal(_null(stored), _null(made)):
        yield Mismatch(name, _null(stored), _null(made))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(one))
    return bool(one == other)


def _null(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "nothing" if value is None else str(value)
