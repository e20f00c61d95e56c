"""Questions about arguments that many functions ask, each with one wording.

Checks of shapes and dtypes look only at static information, so under ``jax.jit`` they run once,
while tracing. Checks of values are skipped for traced arrays, which have none yet.
"""

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.dtypes import is_floating
from jaxnets.errors import ArgumentTypeError, ArgumentValueError, describe, fail, require

__all__ = [
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
    "check_numbers",
    "check_positive",
    "check_text",
    "require_type",
]


def require_type(ok: Any, argument: str, value: Any, rule: str, remedy: str) -> None:
    """Raise a ``TypeError`` unless ``ok``; the value is described, a text in quotes."""
    if not ok:
        fail(argument, rule, describe(value), remedy, error=ArgumentTypeError)


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
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    require_type(number is not None, argument, value, rule, remedy)
    return cast(int, number)


def _real_check(
    rule: str, good: Callable[[float], bool], example: float = 0.1
) -> Callable[..., float]:
    """A check of numbers; one that is traced, whose value is unknown, is left as it is."""

    def check(argument: str, value: Any, *, example: float = example) -> float:
        if isinstance(value, jax.core.Tracer) and value.shape == ():
            return value  # type: ignore[return-value]
        remedy = f"Pass {argument}={example}, for example."
        is_number = isinstance(value, int | float | np.integer | np.floating)
        require_type(is_number and not isinstance(value, bool), argument, value, rule, remedy)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if value > 0 else -math.inf
        require(good(number), argument, rule, value, remedy)
        return number

    return check


check_positive = _real_check("be a positive finite number", lambda x: 0 < x < math.inf)
check_finite = _real_check("be a finite number", math.isfinite)
check_nonnegative = _real_check("be a finite number of at least 0", lambda x: 0 <= x < math.inf)
check_fraction = _real_check("be a number in [0, 1)", lambda x: 0 <= x < 1, 0.5)
"""``check(argument, value, *, example) -> float``, where ``example`` is the number to suggest."""


def check_flag(argument: str, value: Any) -> bool:
    """Return ``value`` if it is a ``bool``: a text such as ``"none"`` would count as true."""
    remedy = f"Pass {argument}=True, for example."
    require_type(isinstance(value, bool | np.bool_), argument, value, "be True or False", remedy)
    return bool(value)


def check_choice(argument: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``."""
    names = list(choices)
    rule, remedy = "be one of " + ", ".join(map(repr, names)), f"Pass {argument}={names[0]!r}."
    require(isinstance(value, str) and value in names, argument, rule, repr(value), remedy)
    return str(value)


def check_callable(argument: str, value: Any, remedy: str) -> None:
    """Raise unless ``value`` can be called."""
    require_type(callable(value), argument, value, "be callable", remedy)


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
    require_type(isinstance(value, str), argument, value, "be a text", remedy)
    return str(value)


def check_floating(argument: str, value: Any) -> jax.Array:
    """Return ``value`` as an array of a floating dtype; other dtypes are an error."""
    try:
        array: Any = value if isinstance(value, jax.ShapeDtypeStruct) else jnp.asarray(value)
    except (TypeError, ValueError, OverflowError):
        remedy = f"Convert it with jnp.asarray({argument}, dtype=jnp.float32)."
        fail(argument, "be an array of numbers", value, remedy, error=ArgumentTypeError)
    remedy = f"Convert it with {argument}.astype(jnp.float32)."
    require_type(is_floating(array), argument, array, "be floating", remedy)
    floating: jax.Array = array
    return floating


def check_floating_dtype(argument: str, value: Any, *, example: str) -> Any:
    """Return ``value`` as a floating dtype; ``example`` is the one to suggest."""
    is_array = hasattr(value, "shape") and not isinstance(value, type)  # its dtype would be taken
    try:
        dtype = None if is_array else jnp.dtype(value)
    except (TypeError, ValueError):
        dtype = None
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        got = describe(value) if dtype is None else str(dtype)
        remedy = f"Pass {argument}={example}, for example."
        fail(argument, "be a floating dtype", got, remedy, error=ArgumentTypeError)
    return dtype


def check_numbers(argument: str, tree: Any, *, shapes: bool = True) -> None:
    """Raise at the first leaf of a pytree that is no array of numbers, or no number.

    Args:
      argument: Its name.
      tree: The pytree.
      shapes: Whether a ``jax.ShapeDtypeStruct`` will do.
    """
    remedy = "Convert it with jnp.asarray(..., dtype=jnp.float32)."
    try:
        leaves = jax.tree.leaves(tree)
    except (TypeError, ValueError) as error:
        rule = "be a pytree, with dicts whose keys can be sorted"
        got, remedy = str(error).splitlines()[0], "Name all its parts by texts."
        fail(argument, rule, got, remedy, error=ArgumentTypeError)
    for leaf in leaves or [tree]:
        if not shapes and isinstance(leaf, jax.ShapeDtypeStruct):
            remedy = "Pass an array of this shape, or trace the call with jax.eval_shape."
            fail(argument, "hold values", leaf, remedy, error=ArgumentTypeError)
        if not _is_number(leaf):
            fail(argument, "hold arrays of numbers", leaf, remedy, error=ArgumentTypeError)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | float | complex):
        return True
    if isinstance(value, int):
        return abs(value) < 2**31
    if isinstance(value, np.ma.MaskedArray) or not hasattr(value, "shape"):
        return False
    dtype = getattr(value, "dtype", None)
    if dtype is None or isinstance(value, type):
        return False
    kinds = (jnp.number, jnp.bool_)
    is_long = getattr(dtype, "type", None) in (np.longdouble, np.clongdouble)
    return not is_long and any(jnp.issubdtype(dtype, kind) for kind in kinds)


def check_key(key: Any) -> None:
    """Raise unless ``key`` is one PRNG key, of the new style or the old."""
    is_key = hasattr(key, "dtype") and not isinstance(key, type)
    is_key = is_key and (
        (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ())
        or (key.dtype == jnp.uint32 and key.ndim == 1)
    )
    kind = ArgumentValueError if key is None else ArgumentTypeError
    require(is_key, "key", "be one PRNG key", key, "Pass key=jax.random.key(0).", error=kind)
