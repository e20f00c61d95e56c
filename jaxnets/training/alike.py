"""Functions that are made anew but are alike, such as ``optax.adam(0.1)`` in a loop, as one.

A compiled program belongs to the very functions that it was made of. Of those that were made by
equal code from equal values the first one stands for all, so that what is compiled is found again.
"""

import dataclasses
import functools
import threading
import types
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

import numpy as np

__all__ = ["first_alike"]

T = TypeVar("T")

MOST_KEPT = 64
"""Functions that are remembered, at most."""

MOST_LEVELS = 16
"""Functions within functions that are looked through."""

_lock = threading.Lock()
_firsts: OrderedDict[Hashable, Any] = OrderedDict()
_known: dict[int, Any] = {}


def first_alike(value: T) -> T:
    """The first object seen that was made as ``value`` was, often itself.

    Functions within functions are alike if their code is one and the variables around it, their
    defaults and attributes are alike; partials, tuples and data classes, such as optax's
    transformations and objectives, if their parts are; numbers and texts if type and value are.
    Anything else is alike what it equals.

    Example:
      >>> import optax
      >>> first_alike(optax.adam(0.1)) is first_alike(optax.adam(0.1))
      True
      >>> first_alike(optax.adam(0.1)) is first_alike(optax.adam(0.2))
      False
    """
    with _lock:
        if _known.get(id(value)) is value:
            return value
        try:
            made = _made(value, 0)
            first: T | None = _firsts.get(made)
            # The variables of the first one may have changed since.
            if first is not None and _made(first, 0) == made:
                _firsts.move_to_end(made)
                return first
        except (TypeError, ValueError):  # a list or an array has no hash, a variable no value
            return value
        _keep(made, value)
        return value


def _keep(made: Hashable, value: Any) -> None:
    _firsts[made] = _known[id(value)] = value
    if len(_firsts) > MOST_KEPT:
        _, oldest = _firsts.popitem(last=False)
        _known.pop(id(oldest), None)


def _made(value: Any, level: int) -> Hashable:
    """What a value was made of, equal for those that are alike."""
    kind = type(value)
    if level > MOST_LEVELS:
        return kind, value
    if isinstance(value, types.FunctionType) and "<" in value.__qualname__:  # not by its own name
        around = [cell.cell_contents for cell in value.__closure__ or ()]
        own = (value.__defaults__, value.__kwdefaults__, value.__dict__)
        parts: Iterable[Any] = (value.__code__, id(value.__globals__), *around, *own)
    elif isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
    elif kind is dict or (dataclasses.is_dataclass(value) and kind is not type):
        parts = (value if kind is dict else vars(value)).items()
    elif isinstance(value, tuple):
        parts = value
    else:
        # 0.0 is not -0.0; and nan, which equals nothing, is alike itself.
        return kind, repr(value) if isinstance(value, float | complex | np.inexact) else value
    return kind, *(_made(part, level + 1) for part in parts)
