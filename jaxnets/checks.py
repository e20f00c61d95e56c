"""Every error about an argument, in one wording.

All messages read ``{function}: {argument} must {rule}; got {value}. {remedy}``. Checks of shapes
and dtypes look only at static information, so under ``jax.jit`` they run once, while tracing.
Checks of values read the data and are skipped for traced arrays, which have none yet.
"""

import math
import operator
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import (
    ArgumentError,
    ArgumentTypeError,
    ArgumentValueError,
    concrete,
    describe,
    inside,
)

__all__ = [
    "ArgumentTypeError",
    "ArgumentValueError",
    "check_axis",
    "check_callable",
    "check_choice",
    "check_entries",
    "check_example",
    "check_finite",
    "check_flag",
    "check_floating",
    "check_floating_dtype",
    "check_fraction",
    "check_hashable",
    "check_integer",
    "check_key",
    "check_nonnegative",
    "check_parameter",
    "check_positive",
    "check_same_shape",
    "check_text",
    "check_width",
    "concrete",
    "describe",
    "fail",
    "inside",
    "inside_layer",
]


def fail(
    function: str,
    argument: str,
    rule: str,
    got: Any,
    remedy: str,
    *,
    error: type[Exception] = ArgumentValueError,
) -> NoReturn:
    """Raises ``error`` with the library's one wording.

    Args:
      function: The public function, as its caller wrote it, such as ``"dense(10)"``.
      argument: The name of the argument at fault.
      rule: What it must be, starting with a verb.
      got: What was given: a text is used as it is, anything else goes through `describe`.
      remedy: What to do, a full sentence.
      error: The exception to raise.

    Example:
      >>> fail("fit", "steps", "be at least 1", 0, "Pass steps=1000.")
      Traceback (most recent call last):
      jaxnets.errors.ArgumentValueError: fit: steps must be at least 1; got 0. Pass steps=1000.
    """
    shown = got if isinstance(got, str) else describe(got)
    text = f"{argument} must {rule}; got {shown}. {remedy}"
    if not issubclass(error, ArgumentError):
        raise error(f"{function}: {text}")
    raised = error(text)
    raised.function = function
    raise raised


def inside_layer(name: str) -> AbstractContextManager[None]:
    """Puts the name of a nested layer in front of any error raised within."""
    return inside(f"layer {name}")


def check_integer(function: str, argument: str, value: Any, *, minimum: int) -> int:
    """Returns ``value`` as an ``int`` of at least ``minimum``; a bool or a float is an error."""
    remedy = f"Pass {argument}={max(minimum, 10)}, for example."
    rule = f"be a whole number of at least {minimum}"
    try:
        number = operator.index(value)
    except TypeError:
        fail(function, argument, rule, describe(value), remedy, error=ArgumentTypeError)
    if isinstance(value, bool):
        fail(function, argument, rule, describe(value), remedy, error=ArgumentTypeError)
    if number < minimum:
        fail(function, argument, rule, describe(value), remedy)
    return number


def check_positive(function: str, argument: str, value: Any, *, example: float = 0.1) -> float:
    """Returns ``value`` as a positive finite ``float``."""
    remedy, rule = f"Pass {argument}={example}, for example.", "be a positive finite number"
    number = _real(function, argument, value, rule, remedy)
    if not (math.isfinite(number) and number > 0):
        fail(function, argument, rule, value, remedy)
    return number


def check_finite(function: str, argument: str, value: Any, *, example: float = 0.1) -> float:
    """Returns ``value`` as a finite ``float`` of either sign."""
    remedy, rule = f"Pass {argument}={example}, for example.", "be a finite number"
    number = _real(function, argument, value, rule, remedy)
    if not math.isfinite(number):
        fail(function, argument, rule, value, remedy)
    return number


def check_nonnegative(function: str, argument: str, value: Any, *, example: float = 0.1) -> float:
    """Returns ``value`` as a finite ``float`` of at least 0."""
    remedy, rule = f"Pass {argument}={example}, for example.", "be a finite number of at least 0"
    number = _real(function, argument, value, rule, remedy)
    if not (math.isfinite(number) and number >= 0):
        fail(function, argument, rule, value, remedy)
    return number


def _real(function: str, argument: str, value: Any, rule: str, remedy: str) -> float:
    """Returns ``value`` as a ``float``, infinite if it is too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        fail(function, argument, rule, describe(value), remedy, error=ArgumentTypeError)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def check_flag(function: str, argument: str, value: Any) -> bool:
    """Returns ``value`` if it is a ``bool``: a text such as ``"none"`` would count as true."""
    if not isinstance(value, bool | np.bool_):
        rule, remedy = "be True or False", f"Pass {argument}=True, for example."
        fail(function, argument, rule, describe(value), remedy, error=ArgumentTypeError)
    return bool(value)


def check_axis(function: str, argument: str, value: Any, ndim: int) -> int:
    """Returns ``value`` as an ``int`` that names one of ``ndim`` axes, from the end if negative."""
    remedy = f"Pass {argument}=-1, the last one." if ndim else "Add an axis with x.reshape(1)."
    rule = "name an axis of x, " + (f"from {-ndim} to {ndim - 1}" if ndim else "which has none")
    try:
        axis = operator.index(value)
    except TypeError:
        fail(function, argument, rule, describe(value), remedy, error=ArgumentTypeError)
    if isinstance(value, bool):
        fail(function, argument, rule, describe(value), remedy, error=ArgumentTypeError)
    if not -ndim <= axis < ndim:
        fail(function, argument, rule, value, remedy)
    return axis


def check_fraction(function: str, argument: str, value: Any) -> float:
    """Returns ``value`` as a ``float`` in [0, 1)."""
    remedy, rule = f"Pass {argument}=0.5, for example.", "be a number in [0, 1)"
    number = _real(function, argument, value, rule, remedy)
    if not 0 <= number < 1:
        fail(function, argument, rule, value, remedy)
    return number


def check_choice(function: str, argument: str, value: Any, choices: Mapping[str, Any] | Any) -> str:
    """Returns ``value`` if it is one of ``choices``, an iterable of texts."""
    names = list(choices)
    if not isinstance(value, str) or value not in names:
        listed = ", ".join(repr(name) for name in names)
        fail(
            function, argument, f"be one of {listed}", repr(value), f"Pass {argument}={names[0]!r}."
        )
    return value


def check_callable(function: str, argument: str, value: Any, remedy: str) -> Callable[..., Any]:
    """Returns ``value`` if it can be called."""
    if not callable(value):
        fail(function, argument, "be callable", describe(value), remedy, error=ArgumentTypeError)
    return value  # type: ignore[no-any-return]


def check_hashable(function: str, argument: str, value: Any) -> None:
    """Raises unless ``value`` has a hash, by which its compiled program is found again."""
    try:
        hash(value)
    except TypeError:
        fail(
            function,
            argument,
            "be hashable, for its compiled program is found again by it",
            describe(value),
            "Pass a function that calls it.",
            error=ArgumentTypeError,
        )


def check_text(function: str, argument: str, value: Any, *, example: str) -> str:
    """Returns ``value`` if it is a ``str``; ``example`` is the one to suggest."""
    if not isinstance(value, str):
        remedy = f"Pass {example!r}, for example."
        fail(function, argument, "be a text", describe(value), remedy, error=ArgumentTypeError)
    return value


def check_floating(function: str, argument: str, value: Any) -> jax.Array:
    """Returns ``value`` as an array of a floating dtype; other dtypes are an error."""
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        fail(
            function,
            argument,
            "be floating",
            array,
            f"Convert it with {argument}.astype(jnp.float32).",
            error=ArgumentTypeError,
        )
    return array


def check_floating_dtype(function: str, argument: str, value: Any, *, example: str) -> Any:
    """Returns ``value`` as a floating dtype; ``example`` is the one to suggest."""
    try:
        dtype = jnp.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        got = describe(value) if dtype is None else str(dtype)
        rule, remedy = "be a floating dtype", f"Pass {argument}={example}, for example."
        fail(function, argument, rule, got, remedy, error=ArgumentTypeError)
    return dtype


def check_same_shape(function: str, predictions: jax.Array, targets: jax.Array) -> None:
    """Raises unless both shapes are equal, for nothing is broadcast silently.

    Example:
      >>> check_same_shape("mse", jnp.zeros((4, 1)), jnp.zeros(4))
      Traceback (most recent call last):
      jaxnets.errors.ArgumentValueError: mse: targets must have the shape of predictions, (4, 1);
      got (4,). Reshape them with targets.reshape((4, 1)).
    """
    if predictions.shape == targets.shape:
        return
    if predictions.size == targets.size:
        remedy = f"Reshape them with targets.reshape({predictions.shape})."
    else:
        remedy = "Give one target for each prediction."
    rule = f"have the shape of predictions, {predictions.shape}"
    fail(function, "targets", rule, str(targets.shape), remedy)


def check_key(function: str, key: Any) -> None:
    """Raises unless ``key`` is one PRNG key, of the new style or the old."""
    is_key = hasattr(key, "dtype") and (
        (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ())
        or (key.dtype == jnp.uint32 and key.ndim == 1)
    )
    if not is_key:
        fail(
            function,
            "key",
            "be one PRNG key",
            key,
            "Pass key=jax.random.key(0).",
            error=ArgumentTypeError if key is not None else ArgumentValueError,
        )


def check_example(function: str, x: Any, *, floating: bool = True) -> jax.ShapeDtypeStruct:
    """The shape and dtype of an example input with at least one axis.

    Args:
      function: The layer, for the error.
      x: An array, or a ``jax.ShapeDtypeStruct``.
      floating: Whether its dtype must be floating.
    """
    if not (hasattr(x, "shape") and hasattr(x, "dtype")):
        remedy = "Convert it with jnp.asarray(x)."
        if isinstance(x, Mapping):
            remedy = "Parameters come before the input: model.apply(params, x)."
        rule = "be an array or a jax.ShapeDtypeStruct"
        fail(function, "x", rule, describe(x), remedy, error=ArgumentTypeError)
    if floating and not jnp.issubdtype(x.dtype, jnp.floating):
        fail(
            function,
            "x",
            "be floating",
            x,
            "Convert it with x.astype(jnp.float32).",
            error=ArgumentTypeError,
        )
    if len(x.shape) == 0 or x.shape[-1] == 0:
        remedy = "Pass one of shape [..., features]."
        fail(function, "x", "have a last axis of at least one feature", describe(x), remedy)
    return jax.ShapeDtypeStruct(x.shape, jax.dtypes.canonicalize_dtype(x.dtype))


def check_width(function: str, x: Any, width: int) -> None:
    """Raises unless the last axis of ``x`` has ``width`` features."""
    if x.shape[-1] != width:
        fail(
            function,
            "x",
            f"have {width} features on its last axis, as the parameters do",
            describe(x),
            "Pass such an x, or make the parameters with model.init(key, x) for this one.",
        )


def check_parameter(function: str, params: Mapping[str, Any], entry: str, shape: Any) -> None:
    """Raises unless a parameter has its shape; None stands for an axis of any length."""
    got = jnp.shape(params[entry])
    if len(got) == len(shape) and all(n in (m, None) for m, n in zip(got, shape, strict=True)):
        return
    wanted = ", ".join("any" if length is None else str(length) for length in shape)
    rule, remedy = f"have {entry!r} of shape [{wanted}]", "Make them with model.init(key, x)."
    fail(function, "params", rule, str(list(got)), remedy)


def check_entries(function: str, params: Any, names: tuple[str, ...]) -> None:
    """Raises unless ``params`` is a dict that holds ``names``."""
    if not isinstance(params, Mapping) or any(name not in params for name in names):
        got = sorted(params) if isinstance(params, Mapping) else params
        rule = "be a dict with the entries " + ", ".join(repr(name) for name in names)
        fail(function, "params", rule, got, "Make them with model.init(key, x).")
