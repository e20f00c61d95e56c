"""The boundary of public functions: their errors, their options, their compilation."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from jaxnets.checks import check_numbers, require_type
from jaxnets.contracts.arrays import as_array
from jaxnets.errors import ArgumentError, ArgumentTypeError, concrete, named, require

__all__ = [
    "DataCheck",
    "OptionCheck",
    "better_way",
    "boundary",
    "check_values",
    "checked",
    "compiled",
    "in_type",
    "optional",
    "reads_values",
]

P = ParamSpec("P")
R = TypeVar("R")

OptionCheck = Callable[[str, Any], Any]
"""``check(argument, value) -> value``, such as those in `jaxnets.checks`."""

DataCheck = Callable[[Any, Any, dict[str, Any]], None]
"""``check(predictions, targets, options)`` reads concrete data and may raise."""

Prepared = tuple[Any, list[Any], dict[str, Any]]
"""A compiled function, its arguments by position, and those by keyword."""

MISSING = "Call it with predictions and targets, or pass the function itself to jn.fit."


def boundary(remedy: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator for a public function of arrays: its errors bear its name.

    Arguments that do not fit the signature are errors in the library's words too.

    Args:
      remedy: What to do about an array that was not given.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @named(function.__name__)
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except ArgumentError:
                raise
            except (TypeError, ValueError, OverflowError):
                _check_call(call, args, kwargs, remedy)
                _check_arrays(inspect.signature(call).bind(*args, **kwargs).arguments)
                raise

        return call

    return decorate


def _check_call(function: Callable[..., Any], args: Any, kwargs: Any, remedy: str) -> None:
    """Raise unless the arguments fit the signature of a function."""
    signature = inspect.signature(function)
    try:
        given = signature.bind_partial(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{function.__name__}() {error}") from None
    for argument, parameter in signature.parameters.items():
        there = argument in given or parameter.default is not inspect.Parameter.empty
        require(there, argument, "be given", "nothing", remedy, error=ArgumentTypeError)


def _check_arrays(arguments: Mapping[str, Any]) -> None:
    """Raise at the first array, among arguments, that nothing can be computed with."""
    for argument, value in arguments.items():
        if hasattr(value, "dtype"):
            check_numbers(argument, value, shapes=False)


def compiled(
    function: Callable[..., Any], options: Mapping[str, OptionCheck]
) -> Callable[[tuple[Any, ...], Mapping[str, Any]], Any]:
    """``function`` behind ``jax.jit``, and its arguments made ready for it.

    Arrays are converted. Options are checked; a plain value becomes part of the compiled
    program, and a traced number, a hyperparameter of a sweep for example, an argument of it.

    Args:
      function: Takes arrays, and options by keyword.
      options: The check of each option.

    Returns:
      A function of ``(args, kwargs)`` that returns a compiled function, and the ``args`` and
      ``kwargs`` to call it with.
    """
    names = tuple(inspect.signature(function).parameters)

    @functools.cache
    def program(traced: tuple[str, ...]) -> Any:
        return jax.jit(function, static_argnames=[name for name in options if name not in traced])

    def ready(name: str, value: Any) -> Any:
        if name in options:
            return _checked_option(options[name], name, value)
        return value if value is None or name not in names else as_array(name, value)

    def prepare(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Prepared:
        arrays = [as_array(name, value) for name, value in zip(names, args, strict=False)]
        given = {name: ready(name, value) for name, value in kwargs.items()}
        traced = (name for name in given if name in options and not concrete(given[name]))
        return program(tuple(traced)), [*arrays, *args[len(names) :]], given

    return prepare


def checked(
    options: Mapping[str, OptionCheck],
    check: DataCheck | None = None,
    reads: bool = False,
    better: str | None = None,
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Make ``function(predictions, targets, *, ...)`` public: compiled, with ``check_values``.

    ``check_values(predictions, targets, ...)`` makes all checks and computes nothing, so that
    training can run it once on the whole data set.

    Args:
      options: The check of each option that is a plain value.
      check: Reads the data. It gets every option, defaults included.
      reads: True to read them at every call outside ``jax.jit`` too.
      better: ``"min"`` or ``"max"``, where one of the two is better.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        prepare, read = compiled(function, options), _reader(function, check)

        @boundary(MISSING)
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> R:
            program, arrays, given = prepare(args, kwargs)
            result: R = program(*arrays, **given)
            if reads:
                read(arrays, given)
            return result

        @boundary(MISSING)
        @functools.wraps(function)
        def check_all(*args: Any, **kwargs: Any) -> None:
            program, arrays, given = prepare(args, kwargs)
            program.eval_shape(*arrays, **given)
            read(arrays, given)

        vars(call).update(check_values=check_all, reads_values=check is not None, better=better)
        return call

    return decorate


def _reader(function: Callable[..., Any], check: DataCheck | None) -> Callable[[Any, Any], None]:
    """The check of the data with every option, defaults included; nothing if there is none."""
    signature = inspect.signature(function)

    def read(arrays: Any, given: Any) -> None:
        if check is not None:
            bound = signature.bind(*arrays, **given)
            bound.apply_defaults()
            predictions, targets = bound.args
            check(predictions, targets, bound.kwargs)

    return read


def check_values(function: Callable[..., Any], predictions: Any, targets: Any) -> None:
    """Make the checks of a loss or metric on concrete data; a function without any passes.

    Args:
      function: One of this library, a ``functools.partial`` of one, or any other function.
      predictions: Outputs, or a ``jax.ShapeDtypeStruct`` where only their shape is known.
      targets: The targets, of the whole data set as a rule.

    Raises:
      ValueError: At the first value that means nothing.
      TypeError: If a type or a shape does not fit.
    """
    partial = function if isinstance(function, functools.partial) else functools.partial(function)
    check = getattr(partial.func, "check_values", None)
    if check is not None:
        check(predictions, targets, **partial.keywords)


def reads_values(function: Callable[..., Any]) -> bool:
    """Whether `check_values` looks at the values, and not at types and shapes alone."""
    return bool(getattr(_plain(function), "reads_values", False))


def better_way(function: Any) -> str | None:
    """``"min"`` or ``"max"``, whichever is better of a loss or metric; None if it does not say."""
    way: str | None = getattr(_plain(function), "better", None)
    return way


def _plain(function: Any) -> Any:
    return function.func if isinstance(function, functools.partial) else function


def optional(check: OptionCheck) -> OptionCheck:
    """``check``, but None is let through."""
    return lambda argument, value: None if value is None else check(argument, value)


def in_type(value: Any, dtype: Any) -> Any:
    """An option in the type of the arithmetic; a number beyond its range is its largest one."""
    if isinstance(value, jax.core.Tracer):
        return value.astype(dtype)
    if not isinstance(value, float):
        return value
    largest = float(np.finfo(dtype).max)
    return min(max(value, -largest), largest)


def _checked_option(check: OptionCheck, name: str, value: Any) -> Any:
    number = isinstance(value, jax.Array | np.ndarray) and value.shape == () and concrete(value)
    rule = "be a plain Python value: it shapes the compiled program"
    require_type(not number, name, value, rule, f"Pass {name}=array.item(), outside jit.")
    return check(name, value)
