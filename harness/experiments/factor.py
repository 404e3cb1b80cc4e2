"""What a sweep varies, and every combination of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmarks.errors import UsageError
from harness.experiments.sweep import Sweep, Value
from harness.presets import Fields, merge

# Two ways to say how long a training is.
LENGTH = ("recipe.passes", "recipe.epochs")


@dataclass(frozen=True)
class Factor:
    """What is varied: the name it was given, the field of a run that it is, with dots, and its values."""

    name: str
    field: str
    values: tuple[Value, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """All names of that field."""
        return LENGTH if self.field in LENGTH else (self.field,)

    def layer(self, value: Value) -> Fields:
        """The fields that one of its values sets."""
        made: Any = value
        for part in reversed(self.field.split(".")):
            made = {part: made}
        return dict(made)


def product_of(factors: Sequence[Factor], common: Fields) -> Sweep:
    """Every combination of the factors' values over the common fields; UsageError when a factor is among those, too."""
    if twice := [factor.name for i, factor in enumerate(factors) if any(factor.field in other.fields for other in factors[:i])]:
        raise UsageError(f"'{twice[0]}' is varied twice; give all its values to one --vary.")
    for factor, name in [(each, name) for each in factors for name in each.fields]:
        there: Any = common
        for part in name.split("."):
            there = there.get(part) if isinstance(there, Mapping) else None
        if there is not None:
            how = "" if name == factor.field else f", by {name},"
            raise UsageError(f"'{factor.name}' is both varied and set{how} to {there!r}; leave one of them out.")
    asked = []
    for values in product(*(factor.values for factor in factors)):
        layer: Fields = {}
        for factor, value in zip(factors, values, strict=True):
            layer = merge(layer, factor.layer(value))
        asked.append(({factor.name: value for factor, value in zip(factors, values, strict=True)}, (common, layer)))
    return Sweep.of([factor.name for factor in factors], asked)
