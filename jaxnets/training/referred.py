"""What functions read besides their arguments, which may change after they were compiled.

A compiled program holds the values that its functions read while they were traced: variables of
the functions around them, globals, attributes, defaults. They are part of the cache key of a
program, so that a run after one has changed is another program, compiled anew.

Looked at are numbers, texts, small arrays, and lists, dicts and tuples of those by their values;
larger arrays and classes by identity. Not looked at are what libraries hold, what is behind
``jax.jit`` (which keeps its own programs), and what lies deeper than `MOST_LEVELS`.
"""

import functools
import itertools
import sys
import types
import weakref
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxnets.written import Written

__all__ = ["Referred"]

MOST_LEVELS, MOST_VALUES, MOST_ITEMS, MOST_BYTES = 16, 256, 64, 4096
"""Levels, values in all, items of a container and bytes of an array that are looked at."""

LIBRARIES = frozenset({"jax", "jaxlib", "jaxnets", "numpy", "optax"})
"""Packages whose functions read nothing that changes, but may have been given what does."""

NO_NAMES: frozenset[str] = frozenset()

Path = tuple[Any, ...]

_unchanging: "weakref.WeakSet[Any]" = weakref.WeakSet()
"""Functions of libraries that were looked through in vain."""


class Referred:
    """The values that functions read besides their arguments; equal for equal values.

    Attributes:
      values: They, by the path on which they were found.
    """

    def __init__(self, *functions: Any) -> None:
        self._functions, self._changing = functions, frozenset[Path]()
        self.values = _values_of(functions)

    def settle(self) -> None:
        """Let pass from now on what has changed since: tracing itself counts and collects."""
        now, before = _values_of(self._functions), self.values
        self._changing = frozenset(
            path for path in now.keys() | before.keys() if now.get(path) != before.get(path)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Referred):
            return NotImplemented
        changing = self._changing | other._changing
        return self.values == other.values or (
            bool(changing) and _without(self.values, changing) == _without(other.values, changing)
        )

    def __hash__(self) -> int:
        return 0  # what may pass is not known yet when a program is put where it is found again


class _Same:
    """An object that equals itself alone, and is not kept in memory for that."""

    def __init__(self, value: Any) -> None:
        self._reference = weakref.ref(value)

    def __eq__(self, other: object) -> bool:
        mine = self._reference()
        return isinstance(other, _Same) and mine is not None and mine is other._reference()

    __hash__ = None  # type: ignore[assignment]


def _without(values: dict[Path, Any], changing: frozenset[Path]) -> dict[Path, Any]:
    return {
        path: value
        for path, value in values.items()
        if not any(path[: len(left)] == left for left in changing)
    }


def _values_of(functions: tuple[Any, ...]) -> dict[Path, Any]:
    search = _Search()
    for number, function in enumerate(functions):
        search.look((number,), function, NO_NAMES)
    return search.found


class _Search:
    """A walk through what functions refer to, each thing once."""

    def __init__(self) -> None:
        self.found: dict[Path, Any] = {}
        self._seen: set[tuple[int, frozenset[str]]] = set()

    def look(self, path: Path, value: Any, names: frozenset[str]) -> None:
        """Note ``value``, of whose attributes code uses these ``names``."""
        kind = type(value)
        simple = None if kind in WALKED or isinstance(value, Written) else _simple(kind, value)
        if simple is not None:
            self.found[path] = simple
            return
        known = (id(value), names)
        if known in self._seen or len(path) > MOST_LEVELS or len(self.found) > MOST_VALUES:
            return
        self._seen.add(known)
        if _is_library(value):
            self._look_through_library(path, value)
            return
        for step, part, used in _parts(value, names):
            self.look((*path, step), part, used)
        if kind in (list, dict, set):
            self.found[path] = (kind, len(value))

    def _look_through_library(self, path: Path, value: Any) -> None:
        """Look for functions of the user in what a library made."""
        kept = isinstance(value, types.FunctionType | Written)
        if kept and value in _unchanging:
            return
        before = len(self.found)
        for step, part in _given(value):
            if isinstance(part, tuple | list | dict):
                self._look_through_library((*path, step), part)
            elif callable(part) and not isinstance(part, type):
                self.look((*path, step), part, NO_NAMES)
        if kept and len(self.found) == before:
            _unchanging.add(value)


WALKED = frozenset({types.FunctionType, types.MethodType, tuple, list, dict, set, frozenset})
"""Types of which it is clear that they need a further look."""

PLAIN = frozenset({bool, int, str, bytes, complex, type(None)})


def _simple(kind: type, value: Any) -> Any:
    """What a value is known by that needs no further look; None where it needs one."""
    if kind in PLAIN:
        return (kind, value)
    if kind is float:
        return value.hex()  # NaN, and 0 of either sign, equal themselves alone
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        small = value.nbytes <= MOST_BYTES
        return (value.shape, str(value.dtype), value.tobytes()) if small else _Same(value)
    # A tuple with names, such as a Model, is walked through; the question for arrays is slow.
    is_tuple = isinstance(value, tuple)
    return _Same(value) if not is_tuple and isinstance(value, type | jax.Array) else None


def _is_library(value: Any) -> bool:
    """Whether a function, a module or an object is one of a library's."""
    if isinstance(value, functools.partial):
        return _is_library(value.func)
    if isinstance(value, tuple | list | dict | set | frozenset | types.MethodType):
        return False
    if isinstance(value, types.ModuleType):
        name, file = value.__name__, getattr(value, "__file__", None)
    elif isinstance(value, types.FunctionType):
        name, file = value.__module__, value.__code__.co_filename
    else:
        return _package(type(value).__module__) in LIBRARIES
    package = _package(name)
    known = package in LIBRARIES or package in sys.stdlib_module_names
    return known or "site-packages" in (file or "")


def _package(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _given(value: Any) -> Iterator[tuple[Any, Any]]:
    """What was given to a library's function or object when it was made."""
    if isinstance(value, tuple | list):
        yield from enumerate(value)
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, Written):
        yield from enumerate(value.form.args)
        yield from value.form.kwargs.items()
    elif isinstance(value, types.FunctionType):
        yield from _cells(value)
    elif isinstance(value, functools.partial):
        yield from (("function", value.func), ("args", value.args), ("kwargs", value.keywords))
    elif not isinstance(value, types.ModuleType | jax.stages.Wrapped):
        own = getattr(value, "__dict__", {})
        yield from ((name, part) for name, part in own.items() if not name.startswith("__"))


def _parts(value: Any, names: frozenset[str]) -> Iterator[tuple[Any, Any, frozenset[str]]]:
    """The parts of something of the user's, and the names that code uses of each."""
    if isinstance(value, types.FunctionType):
        yield from _parts_of_function(value)
    elif isinstance(value, types.MethodType):
        used = _names(value.__func__.__code__) if hasattr(value.__func__, "__code__") else names
        yield "function", value.__func__, NO_NAMES
        yield "self", value.__self__, used
    elif isinstance(value, functools.partial):
        yield from ((0, value.func, NO_NAMES), (1, value.args, names), (2, value.keywords, names))
    elif isinstance(value, dict):
        items = itertools.islice(value.items(), MOST_ITEMS)
        yield from ((key, part, names) for key, part in items if isinstance(key, str | int))
    elif isinstance(value, list | tuple | set | frozenset):
        parts = itertools.islice(value, MOST_ITEMS)
        yield from ((number, part, names) for number, part in enumerate(parts))
    else:
        yield from _attributes(value, names)


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[Any, Any, frozenset[str]]]:
    names = _names(function.__code__)
    yield from ((name, part, names) for name, part in _cells(function))
    yield "defaults", function.__defaults__ or (), names
    yield "keywords", function.__kwdefaults__ or (), names
    there = function.__globals__
    for name in names & there.keys():
        if not isinstance(there[name], type):
            yield name, there[name], names


def _cells(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The variables of the functions around it that have a value."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue


def _attributes(value: Any, names: frozenset[str]) -> Iterator[tuple[Any, Any, frozenset[str]]]:
    """The attributes of an object, or of a module, that code uses, its own methods included."""
    kind = type(value)
    own = getattr(value, "__dict__", {})
    used, methods = names, frozenset({"__call__", *names})
    while methods:
        found = (getattr(kind, name, None) for name in methods)
        code = (getattr(getattr(method, "fget", method), "__code__", None) for method in found)
        more = NO_NAMES.union(*(_names(one) for one in code if one is not None))
        used, methods = used | more, more - used
    yield from ((name, own[name], used) for name in used & own.keys())


@functools.lru_cache(maxsize=1024)
def _names(code: types.CodeType) -> frozenset[str]:
    """The names of globals and attributes that code uses, also in functions within."""
    inner = (_names(part) for part in code.co_consts if isinstance(part, types.CodeType))
    return frozenset(code.co_names).union(*inner)
