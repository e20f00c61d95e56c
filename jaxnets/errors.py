"""Every error about an argument, in one wording.

All messages read ``{function}: {argument} must {rule}; got {value}. {remedy}``. Whoever finds the
fault states all but the function; `public` puts its name in front where a public function begins,
and `inside` the place in a nested model. Checks of shapes and dtypes look only at static
information, so under ``jax.jit`` they run once, while tracing. Checks of values read the data and
are skipped for traced arrays, which have none yet.
"""

import functools
import math
import operator
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, NoReturn, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

__all__ = [
    "ArgumentError",
    "ArgumentFileError",
    "ArgumentIndexError",
    "ArgumentMissingFileError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "check_axis",
    "check_callable",
    "check_choice",
    "check_finite",
    "check_flag",
    "check_floating",
    "check_floating_dtype",
    "check_fraction",
    "check_hashable",
    "check_integer",
    "check_key",
    "check_nonnegative",
    "check_positive",
    "check_text",
    "concrete",
    "describe",
    "fail",
    "inside",
    "named",
    "public",
    "require",
]

P = ParamSpec("P")
R = TypeVar("R")


class ArgumentError(Exception):
    """An argument that does not fit.

    Attributes:
      function: The public function that was given it; None until `named` has put it in.
      places: Where in a nested model that function stands, outermost first.
    """

    function: str | None = None
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = " ".join(map(str, self.args))
        return " > ".join(
            (*self.places, text if self.function is None else f"{self.function}: {text}")
        )


class ArgumentValueError(ArgumentError, ValueError):
    """An argument of the right type whose value or shape does not fit."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of the wrong type or dtype."""


class ArgumentIndexError(ArgumentError, IndexError):
    """An index beyond what there is."""


class ArgumentFileError(ArgumentError, OSError):
    """A file that cannot be read or written."""


class ArgumentMissingFileError(ArgumentFileError, FileNotFoundError):
    """A file or a folder that is not there."""


def describe(value: Any) -> str:
    """A short text for any value: arrays by dtype and shape, the rest by ``repr``.

    Example:
      >>> describe(jnp.zeros((4, 1)))
      'float32[4,1]'
    """
    if hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, type):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def fail(
    argument: str,
    rule: str,
    got: Any,
    remedy: str,
    *,
    error: type[ArgumentError] = ArgumentValueError,
) -> NoReturn:
    """Raise ``error`` in the library's one wording.

    Args:
      argument: The name of the argument at fault.
      rule: What it must be, starting with a verb.
      got: What was given: a text is used as it is, anything else goes through `describe`.
      remedy: What to do, a full sentence.
      error: The exception to raise.

    Example:
      >>> with inside("layer 0"):
      ...     fail("steps", "be at least 1", 0, "Pass steps=1000.")
      Traceback (most recent call last):
      jaxnets.errors.ArgumentValueError: layer 0 > steps must be at least 1; got 0. Pass steps=1000.
    """
    shown = got if isinstance(got, str) else describe(got)
    raise error(f"{argument} must {rule}; got {shown}. {remedy}")


def require(
    ok: Any,
    argument: str,
    rule: str,
    got: Any,
    remedy: str,
    *,
    error: type[ArgumentError] = ArgumentValueError,
) -> None:
    """`fail` unless ``ok``."""
    if not ok:
        fail(argument, rule, got, remedy, error=error)


def named(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that puts ``name`` in front of the errors that have none yet.

    Example:
      >>> named("fit")(fail)("steps", "be at least 1", 0, "Pass steps=1000.")
      Traceback (most recent call last):
      jaxnets.errors.ArgumentValueError: fit: steps must be at least 1; got 0. Pass steps=1000.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def boundary(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except ArgumentError as error:
                if error.function is None:
                    error.function = name
                raise

        return boundary

    return decorate


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a public function: the errors of its arguments bear its name."""
    return named(function.__name__)(function)


def inside(place: str) -> AbstractContextManager[None]:
    """Put a place in front of any error raised within.

    The library's own errors get it in their message; any other error gets it as a note, so
    that a failing function of the user's is located too.
    """
    return _Inside(place)


class _Inside(AbstractContextManager[None]):
    """A class rather than a generator: it is entered four times as fast."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ArgumentError):
            error.places = (self.place, *error.places)
        elif isinstance(error, Exception):
            error.add_note(f"raised inside {self.place}")


def concrete(value: Any) -> bool:
    """True if values can be read now; False for arrays that are being traced."""
    return not isinstance(value, jax.core.Tracer)


def check_integer(argument: str, value: Any, *, minimum: int) -> int:
    """Return ``value`` as an ``int`` of at least ``minimum``; a bool or a float is an error."""
    remedy = f"Pass {argument}={max(minimum, 10)}, for example."
    rule = f"be a whole number of at least {minimum}"
    number = _whole(argument, value, rule, remedy)
    require(number >= minimum, argument, rule, describe(value), remedy)
    return number


def check_axis(argument: str, value: Any, ndim: int) -> int:
    """Return ``value`` as an ``int`` that names one of ``ndim`` axes, from the end if negative."""
    remedy = f"Pass {argument}=-1, the last one." if ndim else "Add an axis with x.reshape(1)."
    rule = "name an axis of x, " + (f"from {-ndim} to {ndim - 1}" if ndim else "which has none")
    axis = _whole(argument, value, rule, remedy)
    require(-ndim <= axis < ndim, argument, rule, value, remedy)
    return axis


def _whole(argument: str, value: Any, rule: str, remedy: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)
    if isinstance(value, bool):
        fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)
    return number


def check_positive(argument: str, value: Any, *, example: float = 0.1) -> float:
    """Return ``value`` as a positive finite ``float``."""
    return _real(
        argument, value, "be a positive finite number", lambda x: 0 < x < math.inf, example
    )


def check_finite(argument: str, value: Any, *, example: float = 0.1) -> float:
    """Return ``value`` as a finite ``float`` of either sign."""
    return _real(argument, value, "be a finite number", math.isfinite, example)


def check_nonnegative(argument: str, value: Any, *, example: float = 0.1) -> float:
    """Return ``value`` as a finite ``float`` of at least 0."""
    rule = "be a finite number of at least 0"
    return _real(argument, value, rule, lambda x: 0 <= x < math.inf, example)


def check_fraction(argument: str, value: Any) -> float:
    """Return ``value`` as a ``float`` in [0, 1)."""
    return _real(argument, value, "be a number in [0, 1)", lambda x: 0 <= x < 1, 0.5)


def _real(
    argument: str, value: Any, rule: str, good: Callable[[float], bool], example: float
) -> float:
    """Return a good ``value`` as a ``float``; a traced number, whose value is unknown, as it is."""
    if isinstance(value, jax.core.Tracer) and value.shape == ():
        return value  # type: ignore[return-value]
    remedy = f"Pass {argument}={example}, for example."
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    require(good(number), argument, rule, value, remedy)
    return number


def check_flag(argument: str, value: Any) -> bool:
    """Return ``value`` if it is a ``bool``: a text such as ``"none"`` would count as true."""
    rule, remedy = "be True or False", f"Pass {argument}=True, for example."
    if not isinstance(value, bool | np.bool_):
        fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)
    return bool(value)


def check_choice(argument: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``."""
    names = list(choices)
    rule, remedy = "be one of " + ", ".join(map(repr, names)), f"Pass {argument}={names[0]!r}."
    if not isinstance(value, str) or value not in names:
        fail(argument, rule, repr(value), remedy)
    return str(value)


def check_callable(argument: str, value: Any, remedy: str) -> None:
    """Raise unless ``value`` can be called."""
    if not callable(value):
        fail(argument, "be callable", describe(value), remedy, error=ArgumentTypeError)


def check_hashable(argument: str, value: Any) -> None:
    """Raise unless ``value`` has a hash: it is part of the cache key of a compiled program."""
    try:
        hash(value)
    except TypeError:
        rule = "be hashable: it is part of the cache key of the compiled program"
        remedy = "Pass a function that calls it."
        fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)


def check_text(argument: str, value: Any, *, example: str) -> str:
    """Return ``value`` if it is a ``str``; ``example`` is the one to suggest."""
    remedy = f"Pass {example!r}, for example."
    good = isinstance(value, str)
    require(good, argument, "be a text", describe(value), remedy, error=ArgumentTypeError)
    return str(value)


def check_floating(argument: str, value: Any) -> jax.Array:
    """Return ``value`` as an array of a floating dtype; other dtypes are an error."""
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        remedy = f"Convert it with {argument}.astype(jnp.float32)."
        fail(argument, "be floating", array, remedy, error=ArgumentTypeError)
    return array


def check_floating_dtype(argument: str, value: Any, *, example: str) -> Any:
    """Return ``value`` as a floating dtype; ``example`` is the one to suggest."""
    try:
        dtype = jnp.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        got = describe(value) if dtype is None else str(dtype)
        remedy = f"Pass {argument}={example}, for example."
        fail(argument, "be a floating dtype", got, remedy, error=ArgumentTypeError)
    return dtype


def check_key(key: Any) -> None:
    """Raise unless ``key`` is one PRNG key, of the new style or the old."""
    is_key = hasattr(key, "dtype") and (
        (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ())
        or (key.dtype == jnp.uint32 and key.ndim == 1)
    )
    kind = ArgumentValueError if key is None else ArgumentTypeError
    require(is_key, "key", "be one PRNG key", key, "Pass key=jax.random.key(0).", error=kind)
