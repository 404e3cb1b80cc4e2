"""Selectors: `name[parameter=value,...]` as text and as instances of frozen dataclasses.

A value is a number, true or false, a word, another selector, several of these joined by `+`, or nothing (None, or no
elements). A value without `parameter=` is that of the first parameter. Idea: benchopt's solver selectors.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from benchmarks.errors import RunError, UsageError

WORD = re.compile(r"[A-Za-z0-9_./:~-]+")
SHAPE = re.compile(r"(?P<head>[^\[\]]+)(\[(?P<items>.*)\])?", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a registered class, as `harness list` shows it; default None = must be given."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True)
class Nested:
    """How a field holds other selectors: the type it is annotated with, and both directions."""

    type: object
    get: Callable[[str], object]
    text: Callable[[object], str]


def parse(selector: str) -> tuple[str, dict[str, str]]:
    """The name and the raw values by parameter, "" for a value without one; UsageError when it is no selector."""
    shape = SHAPE.fullmatch(selector.strip())
    if shape is None or selector.count("[") != selector.count("]"):
        raise UsageError(f"'{selector}' is no selector; write name or name[parameter=value,...].")
    raw: dict[str, str] = {}
    for item in parts(shape["items"] or "", ","):
        key, equals, value = item.partition("=")
        if not equals or "[" in key:  # the '=' of a nested selector is not ours
            key, value = "", item
        if not item or key.strip() in raw:
            what = "a parameter stands twice" if item else "a value is missing"
            raise UsageError(f"'{selector}' is no selector: {what}; write name[parameter=value,...].")
        raw[key.strip()] = value.strip()
    return shape["head"].strip(), raw


def build(cls: type, selector: str, raw: dict[str, str], nested: Nested) -> Any:
    """An instance of cls from raw values; UsageError for an unknown or missing parameter or a value of another type."""
    kinds, by_name = hints(cls), {f.name: f for f in fields(cls)}
    positional = [f.name for f in by_name.values() if not f.kw_only] or list(by_name)
    values: dict[str, Any] = {}
    for key, text in raw.items():
        name = key or (positional[0] if positional else "")
        if name not in by_name or name in values:
            has = f"its parameters are {', '.join(sorted(by_name))}" if by_name else "it has none"
            what = f"parameter '{name}' stands twice" if name in values else f"unknown parameter '{key or text}'"
            raise UsageError(f"In '{selector}': {what}; {has}.")
        values[name] = _read(text, kinds[name], f"In '{selector}': {name}", nested)
    for f in by_name.values():
        if f.name not in values and _default(f) is MISSING:
            raise UsageError(f"In '{selector}': parameter '{f.name}' must be given; write {f.name}=VALUE in "
                             "the brackets.")
    return cls(**values)


def parameters(instance: Any, nested: Nested) -> str:
    """`[parameter=value,...]` with the parameters that differ from their defaults, sorted; empty when none does."""
    changed = {f.name: getattr(instance, f.name) for f in fields(instance) if getattr(instance, f.name) != _default(f)}
    items = ",".join(f"{name}={_write(value, nested)}" for name, value in sorted(changed.items()))
    return f"[{items}]" if items else ""


def describe(cls: type, nested: Nested) -> tuple[Parameter, ...]:
    """The parameters of cls in the order of their declaration."""
    kinds = hints(cls)
    defaults = {f.name: _default(f) for f in fields(cls)}
    return tuple(Parameter(name, _kind(kinds[name]), None if default is MISSING else _write(default, nested))
                 for name, default in defaults.items())


def hints(cls: type) -> dict[str, Any]:
    """The types of the fields of cls; RunError when an annotation names what is not imported."""
    try:
        return get_type_hints(cls)
    except (NameError, TypeError) as error:
        raise RunError(f"{cls.__module__}.{cls.__qualname__} has a field whose type cannot be read ({error}); "
                       "import that type in its module.") from error


def parts(text: str, separator: str) -> list[str]:
    """The text cut at separators outside brackets; nothing from blank text."""
    found, depth = [""], 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == separator and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return [part.strip() for part in found] if text.strip() else []


def _default(f: "Field[Any]") -> Any:
    return f.default_factory() if f.default_factory is not MISSING else f.default


def _read(text: str, kind: Any, where: str, nested: Nested) -> Any:
    """The value of that kind that the text stands for."""
    if kind is nested.type:
        return nested.get(text)
    if get_origin(kind) in (Union, UnionType):
        return None if not text else _read(text, _some(kind), where, nested)
    if get_origin(kind) is tuple:
        return tuple(_read(part, get_args(kind)[0], where, nested) for part in parts(text, "+"))
    if get_origin(kind) is Literal:
        found = {str(choice): choice for choice in get_args(kind)}.get(text, MISSING)
    elif kind is bool:
        found = {"true": True, "false": False}.get(text.lower(), MISSING)
    elif kind in (int, float):
        try:
            found = kind(text)
            found = found if isfinite(found) else MISSING
        except (ValueError, OverflowError):
            found = MISSING
    elif kind is str:
        found = text if WORD.fullmatch(text) else MISSING
    else:
        raise RunError(f"{where} is annotated {kind}, which no selector can hold; use bool, int, float, str, Literal, "
                       "a tuple of one of them, or None beside one of them.")
    if found is MISSING:
        raise UsageError(f"{where} must be {_kind(kind)}, not '{text}'.")
    return found


def _write(value: object, nested: Nested) -> str:
    """The text that `_read` turns into the value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        # "+" separates, so 1e+16 is written 1e16; -0.0 equals 0 and is written like it
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value).replace("e+", "e")
    if isinstance(value, tuple):
        return "+".join(_write(part, nested) for part in value)
    return str(value) if isinstance(value, int | str) else nested.text(value)


def _some(kind: Any) -> Any:
    """The type that stands beside None."""
    return next(part for part in get_args(kind) if part is not NoneType)


def _kind(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) in (Union, UnionType):
        return f"{_kind(_some(kind))} or nothing"
    if get_origin(kind) is tuple:
        return f"{_kind(get_args(kind)[0])}, joined by +"
    if get_origin(kind) is Literal:
        return "|".join(str(choice) for choice in get_args(kind))
    words = {bool: "true|false", int: "a whole number", float: "a number", str: "a word"}
    return words.get(kind) or str(kind.__name__).lower()
