"""What a cell computes, written as an expression: two cells with one expression are one function."""

from collections.abc import Sequence
from itertools import permutations, product
from typing import Any

# A value inside a cell is a sorted tuple of terms (their sum); a term is the input (), ("pool", value) or
# ("conv", edge, operation, value).
Term = tuple[Any, ...]
Value = tuple[Term, ...]


class Expression:
    """One cell as an expression over its convolution instances; the edge names the instance."""

    def __init__(self, op_names: Sequence[str], edges: Sequence[tuple[int, int]], code: Sequence[int]) -> None:
        values: dict[int, list[Term]] = {0: [()]}
        last = max(target for _, target in edges)
        for target in range(1, last + 1):
            terms: list[Term] = []
            for e, ((source, to), op) in enumerate(zip(edges, code, strict=True)):
                if to != target or not values[source]:
                    continue
                name, value = op_names[op], tuple(sorted(values[source], key=repr))
                if name == "skip_connect":
                    terms += values[source]
                elif name.startswith("nor_conv"):
                    terms.append(("conv", e, name, value))
                elif name != "none":
                    terms.append((name, value))
            values[target] = terms
        self.output: Value = tuple(sorted(values[last], key=repr))

    def renamed(self) -> Value:
        """The smallest form of the output over all ways of naming the instances that look alike."""
        colours: dict[int, str] = {}
        self._colour(self.output, colours)
        alike: dict[str, list[int]] = {}
        for e, colour in colours.items():
            alike.setdefault(colour, []).append(e)
        groups = [alike[colour] for colour in sorted(alike)]
        forms = []
        for choice in product(*(permutations(group) for group in groups)):
            names = {e: i for i, e in enumerate(e for group in choice for e in group)}
            forms.append(self._rename(self.output, names))
        return min(forms, key=repr)

    def _colour(self, value: Value, colours: dict[int, str]) -> str:
        """The value written without instance names; fills `colours` with that text for every instance in it."""
        words = []
        for term in value:
            if not term:
                words.append("x")
            elif term[0] == "conv":
                _, e, name, source = term
                colours[e] = f"{name}({self._colour(source, colours)})"
                words.append(colours[e])
            else:
                words.append(f"{term[0]}({self._colour(term[1], colours)})")
        return "+".join(sorted(words))

    def _rename(self, value: Value, names: dict[int, int]) -> Value:
        terms = []
        for term in value:
            if not term:
                terms.append(term)
            elif term[0] == "conv":
                terms.append(("conv", names[term[1]], term[2], self._rename(term[3], names)))
            else:
                terms.append((term[0], self._rename(term[1], names)))
        return tuple(sorted(terms, key=repr))
