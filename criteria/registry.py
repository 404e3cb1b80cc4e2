"""Registries: named classes found by selector, from this package, from installed packages and from single files.

Used for criteria here, and for the samplers and estimators of harness/.
"""

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from benchmarks.errors import RunError, UsageError
from benchmarks.suggestion import suggestion
from criteria.base import Criterion
from criteria.selector import Nested, Parameter, build, describe, parameters, parse

T = TypeVar("T")
C = TypeVar("C", bound=type)
NAME = re.compile(r"[a-z0-9_]+")
# Packages whose changes are told by the stage versions of a run's identity.
OWN = ("benchmarks", "criteria", "harness")
FILE = re.compile(r"(?P<path>.+\.py):(?P<cls>\w+)")


@dataclass(frozen=True)
class Description:
    """A registered class as `harness list` shows it."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    needs: tuple[str, ...]
    fixed_k: int | None
    reference: str
    origin: str


class Registry(Generic[T]):
    """Classes of one kind under names. base: the type of a field that holds another, from which each must derive unless it is a
    Protocol; method: what each must have.
    """

    def __init__(self, kind: str, group: str, base: type[T], method: str) -> None:
        self.kind, self.group, self.base, self.method = kind, group, base, method
        self._classes: dict[str, type] = {}
        self._heads: dict[type, str] = {}
        self._nested = Nested(base, self.get, self.text)

    def register(self, name: str) -> Callable[[C], C]:
        """Class decorator, above @dataclass(frozen=True): find the class under that name. RunError when it is taken."""

        def add(cls: C) -> C:
            reason = self._fault(cls)
            if NAME.fullmatch(name) is None:
                reason = "names are made of a-z, 0-9 and _"
            if reason:
                article = "an" if self.kind[0] in "aeio" else "a"
                raise RunError(f"'{name}' ({_origin(cls)}) cannot be registered as {article} {self.kind}: {reason}.")
            old = self._classes.get(name)
            # A notebook cell that is run again defines the same class again.
            if old is not None and (old.__module__, old.__qualname__) != (cls.__module__, cls.__qualname__):
                raise self._twice(name, _origin(old), _origin(cls))
            self._classes[name] = cls
            self._heads.setdefault(cls, name)
            return cls

        return add

    def get(self, selector: str) -> T:
        """An instance from `name[parameter=value,...]` or `./file.py:Class[...]`.

        Raises UsageError for an unknown name, parameter or value and for a bad path, RunError when a plug-in cannot be
        imported.
        """
        head, raw = parse(selector)
        instance: T = build(self._class(head), selector, raw, self._nested)
        return instance

    def text(self, instance: object) -> str:
        """The canonical selector: `get(text(x)) == x`. Only parameters that differ from their defaults, sorted."""
        head = self._heads.get(type(instance))
        if head is None:
            raise UsageError(f"{type(instance).__qualname__} is no registered {self.kind}; put @register('name') "
                             "above it.")
        return head + parameters(instance, self._nested)

    def names(self) -> tuple[str, ...]:
        """All names, sorted; those of installed packages without importing them. RunError when one stands twice."""
        for entry in self._entry_points():
            cls = self._classes.get(entry.name)
            if cls is not None and f"{cls.__module__}:{cls.__qualname__}" != entry.value:
                raise self._twice(entry.name, _origin(cls), f"package {_package(entry)}, {entry.value}")
        return tuple(sorted(set(self._classes) | {entry.name for entry in self._entry_points()}))

    def origin(self, name: str) -> str:
        """Where the class is defined, `file:line`."""
        return _origin(self._class(name))

    def describe(self, name: str) -> Description:
        """What there is to know about a name (or `./file.py:Class`)."""
        cls = self._class(name)
        needs = getattr(cls, "needs", None)
        fixed_k = getattr(cls, "fixed_k", None)
        return Description(
            name=name, summary=(inspect.getdoc(cls) or "").partition("\n")[0], parameters=describe(cls, self._nested),
            # Where they depend on the parameters they are properties, and the class alone cannot say.
            needs=tuple(sorted(needs)) if isinstance(needs, frozenset) else (),
            fixed_k=fixed_k if isinstance(fixed_k, int) else None,
            reference=getattr(cls, "reference", ""), origin=_origin(cls),
        )

    def source_sha256(self, instance: object) -> str:
        """Hash of the code of a class that does not come with the harness, for the identity of a run; else empty.

        Of its whole file where it was loaded by path, of the class where it was defined in a notebook or an installed package.
        Where an instance holds others, theirs follow, joined by +.
        """
        held: list[object] = []
        for field in fields(instance):  # type: ignore[arg-type]
            value = getattr(instance, field.name)
            held += value if isinstance(value, tuple) else (value,)
        hashes = [_code_sha256(type(instance))]
        hashes += [self.source_sha256(inner) for inner in held if type(inner) in self._heads]
        return "+".join(filter(None, hashes))

    # ---- finding classes

    def _class(self, head: str) -> type:
        if head in self._classes:
            return self._classes[head]
        path = FILE.fullmatch(head)
        if path is not None:
            return self._from_file(head, Path(path["path"]), path["cls"])
        found = [entry for entry in self._entry_points() if entry.name == head]
        if len(found) > 1:
            raise self._twice(head, *(f"package {_package(entry)}, {entry.value}" for entry in found[:2]))
        if found:
            return self._from_package(found[0])
        raise UsageError(f"Unknown {self.kind} '{head}'{_choices(head, self.names())}; own ones are given as "
                         f"./file.py:Class.")

    def _from_package(self, entry: EntryPoint) -> type:
        where = f"The {self.kind} '{entry.name}' of the installed package {_package(entry)} ({entry.value})"
        try:
            cls = entry.load()
        except (Exception, SystemExit) as error:
            raise RunError(f"{where} cannot be imported ({type(error).__name__}: {error}); repair or uninstall the "
                           "package.") from error
        reason = self._fault(cls)
        if reason:
            raise RunError(f"{where} is no {self.kind}: {reason}.")
        self._classes[entry.name] = cls
        self._heads.setdefault(cls, entry.name)
        return cls  # type: ignore[no-any-return]

    def _from_file(self, head: str, path: Path, name: str) -> type:
        """The class `name` of a Python file; a file that has not changed is run once."""
        try:
            digest = sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(f"The file of the {self.kind} '{head}' cannot be read ({error.strerror}); check the "
                             "path.") from error
        module_name = f"plugin_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}_{digest[:16]}"
        module = sys.modules.get(module_name)
        if module is None:
            spec = spec_from_file_location(module_name, path)
            assert spec is not None  # the name ends in .py
            assert spec.loader is not None
            module = module_from_spec(spec)
            module.__plugin_sha256__ = digest  # type: ignore[attr-defined]
            sys.modules[module_name] = module  # dataclasses and type hints look the module up
            known = dict(self._classes)
            try:
                spec.loader.exec_module(module)
            except (Exception, SystemExit) as error:
                del sys.modules[module_name]
                raise RunError(f"The {self.kind} '{head}' cannot be imported ({type(error).__name__}: {error}); repair "
                               f"{path}.") from error
            finally:
                # A name that only this file gives would not be found by the next process: the path is the name.
                self._classes = known
        cls = getattr(module, name, None)
        if cls is None:
            own = [n for n, found in vars(module).items() if getattr(found, "__module__", "") == module_name]
            raise UsageError(f"{path} has no class '{name}'{_choices(name, own)}.")
        reason = self._fault(cls)
        if reason:
            raise UsageError(f"'{head}' is no {self.kind}: {reason}.")
        self._heads[cls] = head
        return cls  # type: ignore[no-any-return]

    def _fault(self, cls: object) -> str:
        """Why this cannot be registered; empty when it can."""
        if not isinstance(cls, type):
            return "it is no class"
        if not is_dataclass(cls) or not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            return "it must be a frozen dataclass (put @dataclass(frozen=True) directly above the class)"
        if Protocol not in self.base.__mro__ and not issubclass(cls, self.base):
            return f"it must derive from {self.base.__name__} (of {self.base.__module__})"
        if not callable(getattr(cls, self.method, None)):
            return f"it has no method '{self.method}'"
        missing = sorted(getattr(cls, "__abstractmethods__", ()))
        return f"it has no method '{missing[0]}'" if missing else ""

    def _entry_points(self) -> tuple[EntryPoint, ...]:
        return _installed(self.group, tuple(sys.path))

    def _twice(self, name: str, first: str, second: str) -> RunError:
        return RunError(f"The {self.kind} '{name}' is registered twice, by {first} and by {second}; rename one of them "
                        "or uninstall its package.")


@lru_cache
def _installed(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of the packages on that path, for which all its folders are read; once, as every spec asks for names."""
    return tuple(sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value)))


def _choices(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'? There are: ...`."""
    names = sorted(known)
    hint = suggestion(name, names)
    return f"{hint} There are: {', '.join(names)}" if hint else f"; there are: {', '.join(names) or 'none'}"


def _code_sha256(cls: type) -> str:
    if cls.__module__.partition(".")[0] in OWN:
        return ""
    if known := getattr(sys.modules.get(cls.__module__), "__plugin_sha256__", ""):
        return str(known)
    try:
        code = inspect.getsource(cls)
    except (OSError, TypeError):  # made at a prompt: its name is all there is to know
        code = f"{cls.__module__}.{cls.__qualname__}"
    return sha256(code.encode()).hexdigest()


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "?"


def _origin(cls: Any) -> str:
    """`file:line` of a class, the file relative to the working directory where it lies below it."""
    try:
        file = os.path.abspath(inspect.getsourcefile(cls) or "")
        line = inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):  # made at a prompt
        return f"{cls.__module__}.{getattr(cls, '__qualname__', cls)}"
    below = os.path.relpath(file)
    return f"{file if below.startswith('..') else below}:{line}"


criteria: Registry[Criterion] = Registry(
    "criterion", "split_harness.criteria", Criterion, "split")  # type: ignore[type-abstract]
register = criteria.register
