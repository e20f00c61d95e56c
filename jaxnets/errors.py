"""Every error about an argument, in one wording.

All messages read ``{function}: {argument} must {rule}; got {value}. {remedy}``. Whoever finds the
fault states all but the function; `public` puts its name in front where a public function begins,
and `inside` the place in a nested model.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn, ParamSpec, TypeVar

import jax

__all__ = [
    "ArgumentError",
    "ArgumentFileError",
    "ArgumentIndexError",
    "ArgumentMissingFileError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "concrete",
    "describe",
    "fail",
    "in_words",
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


@contextlib.contextmanager
def in_words(argument: str, rule: str, remedy: str) -> Iterator[None]:
    """Raise what another library finds with an argument in the library's one wording.

    Example:
      >>> with in_words("scale", "be a number", "Pass scale=1.0."):
      ...     float("one")
      Traceback (most recent call last):
      jaxnets.errors.ArgumentValueError: scale must be a number; got could not convert string to
      float: 'one'. Pass scale=1.0.
    """
    try:
        yield
    except ArgumentError:
        raise
    except Exception as error:
        kind = ArgumentTypeError if isinstance(error, TypeError) else ArgumentValueError
        fail(argument, rule, (str(error).splitlines() or [""])[0], remedy, error=kind)


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
