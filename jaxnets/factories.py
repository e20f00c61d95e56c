"""Factories: functions that make models or initialisers, and remember how they were called."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from jaxnets.errors import named
from jaxnets.written import Form, fail_to_fit, misfit

__all__ = ["factory_of", "how_to_call"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

_spelled: dict[Callable[..., Any], str] = {}
"""Every factory, with the name that its user writes."""


def factory_of(
    dress: Callable[[Form, R], S], *, prefix: str = "", too_many: str = ""
) -> Callable[[Callable[P, R]], Callable[P, S]]:
    """A decorator for factories whose results know how they were written.

    Args:
      dress: ``dress(form, made)`` gives what the factory made its form.
      prefix: What stands before the factory's own name in its public one, ``"initializers."``.
      too_many: What to do if there are too many positional arguments.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, S]:
        signature = inspect.signature(function)
        name = prefix + function.__name__
        own = prefix or function.__module__.startswith("jaxnets.")
        spelled = f"jn.{name}" if own else name

        checked, refuse = named(name)(function), named(name)(fail_to_fit)

        @functools.wraps(function)
        def factory(*args: P.args, **kwargs: P.kwargs) -> S:
            reason = misfit(signature, args, kwargs)
            if reason is not None:
                advised = too_many if "too many" in reason else ""
                refuse(signature, name, args, kwargs, reason, advised or f"See help({spelled}).")
            return dress(Form(factory, name, args, kwargs), checked(*args, **kwargs))

        _spelled[factory] = spelled
        return factory

    return decorate


def how_to_call(value: Any) -> str | None:
    """The call to write, where ``value`` is a factory of the library that was not called.

    Example:
      >>> how_to_call(jn.layer_norm), how_to_call(jn.embedding), how_to_call(jn.relu)
      ('jn.layer_norm()', 'jn.embedding(vocabulary, features)', None)
    """
    try:
        spelled = _spelled.get(value)
    except TypeError:  # what has no hash is no factory
        return None
    if spelled is None:
        return None
    parameters = inspect.signature(value).parameters.values()
    needed = [
        f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]
    return f"{spelled}({', '.join(needed)})"
