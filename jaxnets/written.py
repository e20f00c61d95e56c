"""What the library makes, known by the call that made it.

A model, or an initialiser, is made of functions inside functions, which Python can neither show,
nor compare, nor pickle. The call that made it, such as ``dense(10)``, can do all three. Whatever
is `Written` reads as that call, its `Form`, equals what an equal call made, and is pickled by it.
"""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import jax
import numpy as np

from jaxnets.errors import ArgumentError, ArgumentTypeError, concrete, describe, fail, named

__all__ = ["Form", "Written", "bare", "fail_to_fit", "form_of", "misfit", "unjitted"]

_MOST_ARGUMENTS, _MOST_LEVELS = 12, 5
"""Beyond so many arguments, or calls within calls, a form shows dots instead."""


class Form:
    """A call as it was written.

    Two forms are equal if they call one factory with equal arguments, defaults included. With an
    argument that has no hash, such as a traced number, a form equals itself alone.

    Attributes:
      factory: The function that was called.
      name: Its public name.
      args: The positional arguments.
      kwargs: The keyword arguments.
    """

    def __init__(
        self,
        factory: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.factory, self.name, self.args, self.kwargs = factory, name, args, kwargs

    @property
    def _bound(self) -> inspect.BoundArguments:
        """All arguments by the names of the factory's parameters."""
        return inspect.signature(self.factory).bind(*self.args, **self.kwargs)

    @property
    def label(self) -> str:
        """The name that errors bear: the factory's, with the numbers that it was given."""
        numbers = [_number(value) for value in self._bound.args]
        shown = ", ".join(number for number in numbers if number)
        return f"{self.name}({shown})" if shown else self.name

    @functools.cached_property
    def _key(self) -> tuple[Any, ...] | None:
        """What forms are compared by; None where that is not possible."""
        bound = self._bound
        bound.apply_defaults()
        key = (self.factory, bound.args, tuple(bound.kwargs.items()))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    @functools.cached_property
    def _hash(self) -> int:
        return id(self) if self._key is None else hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Form)
            and self._hash == other._hash
            and self._key is not None
            and self._key == other._key
        )

    def __repr__(self) -> str:
        return self.shown(_MOST_LEVELS)

    def shown(self, levels: int) -> str:
        """The call as text, with calls inside it down to so many levels."""
        if levels == 0:
            return f"{self.name}(...)"
        texts = [_text_of(value, levels - 1) for value in self.args]
        texts += [f"{name}={_text_of(value, levels - 1)}" for name, value in self.kwargs.items()]
        if len(texts) > _MOST_ARGUMENTS:
            left_out = f"... {len(texts) - _MOST_ARGUMENTS} more ..."
            texts = [*texts[:8], left_out, *texts[8 - _MOST_ARGUMENTS :]]
        return f"{self.name}({', '.join(texts)})"

    def again(self) -> Any:
        """What the factory makes of the same arguments."""
        return self.factory(*self.args, **self.kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        args = tuple(map(_Global.of, self.args))
        kwargs = {name: _Global.of(value) for name, value in self.kwargs.items()}
        return Form, (self.factory, self.name, args, kwargs)


class _Global:
    """A stand-in that pickles what a module holds by its name there.

    Python does so for plain functions, but not for what ``jax.jit`` or ``jax.custom_jvp`` made of
    one, such as `jaxnets.sigmoid` and ``jnp.sin``.
    """

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    @staticmethod
    def of(value: Any) -> Any:
        """The stand-in for ``value``, or ``value`` itself if no module holds it."""
        module = sys.modules.get(getattr(value, "__module__", None) or "")
        name = getattr(value, "__name__", None)
        if module is None or name is None or getattr(module, name, None) is not value:
            return value
        return _Global(module.__name__, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _global, (self.module, self.name)


def _global(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _number(value: Any) -> str:
    """The text of a number, traced or not; empty for anything else."""
    if isinstance(value, int | float | np.number):
        return str(value)
    return "" if concrete(value) else describe(value)


class Written:
    """A function that a factory made, and the form of the call that made it."""

    part: str | None = None
    """The attribute of what the factory made that this is; None if it is the whole."""
    advice = ""
    """What to do about arguments that do not fit."""

    def __init__(self, form: Form, function: Callable[..., Any]) -> None:
        self.form, self.function = form, function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; its errors bear the name of the form."""
        try:
            return self.function(*args, **kwargs)
        except ArgumentError as error:
            if error.function is None:
                error.function = self.form.label
            raise
        except Exception:
            reason = misfit(inspect.signature(self), args, kwargs)
            if reason is None:
                given = inspect.signature(self).bind(*args, **kwargs).arguments
                named(self.form.label)(self.blame)(**given)
                raise
        refuse = named(self.form.label)(fail_to_fit)
        return refuse(inspect.signature(self), self.part or "", args, kwargs, reason, self.advice)

    def blame(self, **given: Any) -> None:
        """Raise at the argument that an error of others comes from, if it is one."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.form == other.form

    def __hash__(self) -> int:
        return hash((self.part, self.form._hash))

    def __repr__(self) -> str:
        return f"{self.form}.{self.part}" if self.part else repr(self.form)

    def __reduce__(self) -> tuple[Any, ...]:
        return _part_of, (self.form, self.part)


def _part_of(form: Form, part: str | None) -> Any:
    made = form.again()
    return made if part is None else getattr(made, part)


def form_of(function: Any) -> Form | None:
    """The form of a function that the library made, also where ``jax.jit`` is around it."""
    function = unjitted(function)
    return function.form if isinstance(function, Written) else None


def unjitted(function: Any) -> Any:
    """The function within ``jax.jit``, or ``function`` itself."""
    wrapped = getattr(function, "__wrapped__", None)
    # The cheap question first: the second one compares all attributes.
    return wrapped if wrapped is not None and isinstance(function, jax.stages.Wrapped) else function


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, for a caller that names its errors: a frame less on the stack.

    JAX reads the whole stack at each operation outside ``jit``, which deep models would feel.
    """
    return function.function if isinstance(function, Written) else function


def misfit(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """The fault that Python finds with a call of this signature; None if it fits."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def fail_to_fit(
    signature: inspect.Signature, name: str, args: Any, kwargs: Any, reason: str, remedy: str
) -> NoReturn:
    """Raise that a call does not fit, for the ``reason`` that `misfit` gives."""
    takes = inspect.Signature([_plain(parameter) for parameter in signature.parameters.values()])
    given = [_text_of(value) for value in args]
    given += [f"{key}={_text_of(value)}" for key, value in kwargs.items()]
    got = f"{name}({', '.join(given)}): {reason}"
    fail("arguments", f"fit {name}{takes}", got, remedy, error=ArgumentTypeError)


class _Text(str):
    """A text whose ``repr`` has no quotes."""

    __repr__ = str.__str__


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter without its type, its default as in a form."""
    default = parameter.default
    shown = default if default is parameter.empty else _Text(_text_of(default))
    return parameter.replace(annotation=parameter.empty, default=shown)


def _text_of(value: Any, levels: int = 1) -> str:
    """A value as it stands in a form: a call as its form, a function by its name."""
    form = form_of(getattr(value, "apply", value))
    if form is not None:
        return form.shown(levels)
    if isinstance(value, Mapping):
        return "{...}" if value else "{}"
    return getattr(value, "__name__", None) or describe(value)
