"""The data and parameters that a run is given: numbers, finite once they are in JAX's dtypes."""

import functools
import operator
import warnings
import weakref
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import ArgumentTypeError, describe, fail, require
from jaxnets.paths import named_leaves

__all__ = [
    "Seen",
    "check_finite_params",
    "check_like",
    "example_input",
    "fail_at",
    "load_arrays",
    "load_data",
    "moves_data",
]

P = ParamSpec("P")
R = TypeVar("R")

NOISE = 2.0**-44
"""Differences this small beside the numbers themselves are rounding of float64."""

BLUR = 2.0**-20
"""Differences up to this, beside the numbers, are a few steps of float32."""

SMALL = 2**20
"""Bytes of an array up to which a copy to the host costs less than a compiled check."""


def moves_data(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which takes data of the host, unhindered by ``jax_transfer_guard``."""

    @functools.wraps(function)
    def moving(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.transfer_guard("allow"):
            return function(*args, **kwargs)

    return moving


class Seen:
    """Arrays on the device that were looked at and found good; forgotten with their owners.

    They do not change, so that a second run on them need not read them again.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], tuple[Any, list[weakref.ref[jax.Array]]]] = {}

    def holds(self, leaves: list[Any], purpose: Any = None) -> bool:
        """True if these very arrays were found good together, for an equal purpose."""
        found, refs = self._found.get(tuple(map(id, leaves)), (None, ()))
        alive = [ref() for ref in refs]
        return bool(alive) and found == purpose and all(map(operator.is_, alive, leaves))

    def add(self, leaves: list[Any], purpose: Any = None) -> None:
        """Remember arrays; anything else may change, and is looked at again."""
        if all(isinstance(leaf, jax.Array) for leaf in leaves):
            key, found = tuple(map(id, leaves)), self._found
            refs = [weakref.ref(leaf, lambda _: found.pop(key, None)) for leaf in leaves]
            found[key] = (purpose, refs)


FINITE = Seen()
"""Data that were loaded before, by their structure and the types that JAX had then."""


def load_data(data: Any, *, argument: str = "data", pair: bool = True) -> Any:
    """Data as arrays on the device, of one length, not empty and finite.

    Args:
      data: Arrays, or pytrees of arrays.
      argument: The name that they were given under.
      pair: Whether they must be inputs and targets ``(x, y)``, as a loss takes them.
    """
    is_pair = isinstance(data, tuple | list) and len(data) == 2
    if pair and not is_pair:
        rule, remedy = "be a pair (x, y) of inputs and targets", f"Pass {argument}=(x, y)."
        fail(argument, rule, data, remedy, error=ArgumentTypeError)
    parts = dict(zip("xy", data, strict=True)) if is_pair else {"": data}
    leaves, tree = jax.tree.flatten(data)
    purpose = (tree, jax.dtypes.canonicalize_dtype(float))
    if not FINITE.holds(leaves, purpose):
        parts = {name: load_arrays(argument, name, tree) for name, tree in parts.items()}
        _check_lengths(argument, parts)
        FINITE.add(leaves, purpose)
    return tuple(parts.values()) if is_pair else parts[""]


def _check_lengths(argument: str, parts: dict[str, Any]) -> None:
    """Raise unless all arrays have equally many examples, and at least one."""
    lengths = {
        "/".join(filter(None, (name, path))): len(leaf)
        for name, tree in parts.items()
        for path, leaf in named_leaves(tree).items()
    }
    require(
        0 not in lengths.values(), argument, "hold at least one example", lengths, "Pass some data."
    )
    require(
        len(set(lengths.values())) == 1,
        argument,
        "have as many targets as inputs" if "x" in parts else "have leading axes of one length",
        f"lengths {lengths}",
        "Cut them to the same examples.",
    )


def example_input(data: Any) -> Any:
    """The input that parameters are made for: of a pair the first, of one array itself."""
    if isinstance(data, tuple):
        return data[0]
    return data if hasattr(data, "shape") else None


def check_like(
    argument: str, tree: Any, expected: Any, remedy: str, *, finite: bool = True
) -> None:
    """Raise at the first path where arrays are not of the ``expected`` shapes, or ``finite``."""
    got, want = named_leaves(tree), named_leaves(expected)
    for path in sorted(got.keys() | want.keys()):
        if path not in got or path not in want or not _fits(got[path], want[path]):
            here = describe(want[path]) if path in want else "nothing"
            there = describe(got[path]) if path in got else "nothing"
            fail(argument, f"have {here} at {path!r}, as model.init gives", there, remedy)
    if finite:
        check_finite_params(argument, tree)


def _fits(leaf: Any, expected: Any) -> bool:
    """True if a leaf has the expected shape and is of its kind, such as floating."""
    if not isinstance(leaf, jax.Array | jax.ShapeDtypeStruct):
        leaf = np.asarray(leaf)
    kinds = (jnp.floating, jnp.integer, jnp.complexfloating, jnp.bool_, jax.dtypes.prng_key)
    same_kind = any(
        jnp.issubdtype(leaf.dtype, kind) and jnp.issubdtype(expected.dtype, kind) for kind in kinds
    )
    return leaf.shape == expected.shape and same_kind


def check_finite_params(argument: str, params: Any) -> None:
    """Raise at the first parameter that is not finite."""
    for path, leaf in named_leaves(params).items():
        remedy = "Start from finite ones, such as model.init(key, x) gives."
        _narrowed(f"{argument}/{path}", leaf, remedy)


def load_arrays(argument: str, part: str, tree: Any) -> Any:
    """The arrays of one part of data, such as ``"x"``, on the device, each checked."""
    label = argument if not part else part if argument == "data" else f"{part} of {argument}"
    leaves = named_leaves(tree)
    if not leaves:
        rule = "be an array or a pytree of arrays"
        remedy = f"Pass {argument}=(x, x) if there are no targets."
        fail(label, rule, tree, remedy, error=ArgumentTypeError)
    remedy = "Remove or replace the examples concerned."
    arrays = []
    for path, leaf in leaves.items():
        name = f"{label}/{path}" if path else label
        _check_examples(name, leaf)
        narrow = _narrowed(name, leaf, remedy)
        _warn_of_blur(name, leaf, narrow)
        arrays.append(narrow if isinstance(narrow, jax.Array) else jax.device_put(narrow))
    return jax.tree.unflatten(jax.tree.structure(tree), arrays)


def _check_examples(label: str, leaf: Any) -> None:
    """Raise unless ``leaf`` holds numbers along an axis of examples."""
    array = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        remedy = "Draw numbers first, with jax.random.normal(key, shape) for example."
        fail(label, "hold numbers", array, remedy, error=ArgumentTypeError)
    if array.ndim == 0:
        remedy = "Pass an array of shape [examples, ...]."
        fail(label, "have a leading axis of examples", array, remedy)
    if not (jnp.issubdtype(array.dtype, jnp.number) or array.dtype == np.bool_):
        remedy = "Convert it with jnp.asarray(..., dtype=float)."
        fail(label, "hold numbers", array, remedy, error=ArgumentTypeError)
    if isinstance(leaf, np.ma.MaskedArray) and np.ma.is_masked(leaf):
        remedy = "Leave out the examples concerned, or fill them in with x.filled(value)."
        fail(label, "hold no masked values", array, remedy, error=ArgumentTypeError)


def _narrowed(label: str, leaf: Any, remedy: str) -> jax.Array | np.ndarray:
    """The array in a dtype that JAX has, once its values are known to be finite there."""
    if isinstance(leaf, jax.Array) and not _cheap_to_read(leaf) and _finite_on_device(leaf):
        return leaf
    array = np.asarray(leaf)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    dtype = _dtype_in_jax(label, array)
    with np.errstate(over="ignore"):
        narrow = array.astype(dtype, copy=False)
    if dtype != array.dtype:
        _check_fits(label, array, narrow)
    if jnp.issubdtype(dtype, jnp.inexact) and not _sums_to_finite(narrow):
        fail_at(label, "be finite", array, ~np.isfinite(narrow), remedy)
    return leaf if isinstance(leaf, jax.Array) else narrow


def _dtype_in_jax(label: str, array: np.ndarray) -> Any:
    """The dtype that an array has once it is JAX's."""
    if issubclass(array.dtype.type, np.longdouble | np.clongdouble):
        remedy = "Convert it with x.astype(np.float32)."
        fail(label, "be of a dtype that JAX has", array, remedy, error=ArgumentTypeError)
    return jax.dtypes.canonicalize_dtype(array.dtype)


def _check_fits(label: str, array: np.ndarray, narrow: np.ndarray) -> None:
    """Raise if narrowing has made an integer another, or a finite number infinite."""
    if jnp.issubdtype(array.dtype, jnp.integer):
        lost = array != narrow
    elif jnp.issubdtype(array.dtype, jnp.inexact) and not _sums_to_finite(narrow):
        lost = np.isfinite(array) & ~np.isfinite(narrow)
    else:
        return
    remedy = "Make it smaller, or train under jax.enable_x64(True)."
    fail_at(label, f"fit into {narrow.dtype}", array, lost, remedy)


def _warn_of_blur(label: str, leaf: Any, narrow: Any) -> None:
    """Warn of a column whose numbers float32 can hardly tell apart: timestamps, for one."""
    if isinstance(leaf, jax.Array) or narrow.dtype != np.float32 or not len(narrow):
        return
    wide = np.asarray(leaf)
    low, high = wide.min(0), wide.max(0)
    scale = np.maximum(abs(low), abs(high))
    blurred = (high - low > NOISE * scale) & (high - low < BLUR * scale)
    if not (blurred.any() and (blurred := blurred & (wide != narrow).any(0)).any()):
        return
    column = tuple(np.argwhere(blurred)[0].tolist())
    warnings.warn(
        f"{label} holds numbers that float32 can hardly tell apart, from {low[column]!s} to "
        f"{high[column]!s} in column {', '.join(map(str, column)) or 0}. "
        "Subtract what they have in common, or train under jax.enable_x64(True).",
        stacklevel=2,
    )


def fail_at(label: str, rule: str, array: np.ndarray, bad: np.ndarray, remedy: str) -> None:
    """Raise at the first bad value, if there is one."""
    if bad.any():
        index = tuple(np.argwhere(bad)[0].tolist())
        fail(label, rule, f"{array[index]} at index {index}", remedy)


def _cheap_to_read(array: jax.Array) -> bool:
    """True if the host can read an array without a copy, or with a small one."""
    on_cpu = all(device.platform == "cpu" for device in array.devices())
    return array.is_fully_addressable and (on_cpu or array.nbytes <= SMALL)


def _finite_on_device(array: jax.Array) -> bool:
    return not jnp.issubdtype(array.dtype, jnp.inexact) or bool(_all_finite(array))


@jax.jit
def _all_finite(array: jax.Array) -> jax.Array:
    return jnp.isfinite(array).all()


def _sums_to_finite(array: np.ndarray) -> bool:
    """A finite sum has only finite terms, and takes no memory; only a bad one is looked into."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))
