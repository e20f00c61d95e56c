"""The data and parameters that a run is given: numbers, finite once they are in JAX's dtypes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import ArgumentTypeError, fail, require
from jaxnets.paths import named_leaves

__all__ = ["check_finite_params", "example_input", "load_data"]

SMALL = 2**20
"""Bytes of an array up to which a copy to the host costs less than a compiled check."""


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
    loaded = {name: _loaded(argument, name, tree) for name, tree in parts.items()}
    lengths = {
        "/".join(filter(None, (name, path))): len(leaf)
        for name, tree in loaded.items()
        for path, leaf in named_leaves(tree).items()
    }
    require(
        0 not in lengths.values(), argument, "hold at least one example", lengths, "Pass some data."
    )
    require(
        len(set(lengths.values())) == 1,
        argument,
        "have as many targets as inputs" if is_pair else "have leading axes of one length",
        f"lengths {lengths}",
        "Cut them to the same examples.",
    )
    return tuple(loaded.values()) if is_pair else loaded[""]


def example_input(data: Any) -> Any:
    """The input that parameters are made for: of a pair the first, of one array itself."""
    if isinstance(data, tuple):
        return data[0]
    return data if hasattr(data, "shape") else None


def check_finite_params(argument: str, params: Any) -> None:
    """Raises at the first parameter that is not finite."""
    for path, leaf in named_leaves(params).items():
        remedy = "Start from finite ones, such as model.init(key, x) gives."
        _narrowed(f"{argument}/{path}", leaf, remedy)


def _loaded(argument: str, part: str, tree: Any) -> Any:
    """The arrays of the inputs or the targets on the device, each checked."""
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
        arrays.append(_on_device(_narrowed(name, leaf, remedy)))
    return jax.tree.unflatten(jax.tree.structure(tree), arrays)


def _check_examples(label: str, leaf: Any) -> None:
    """Raises unless ``leaf`` holds numbers along an axis of examples."""
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
        _fail_at(label, "be finite", array, ~np.isfinite(narrow), remedy)
    return leaf if isinstance(leaf, jax.Array) else narrow


def _dtype_in_jax(label: str, array: np.ndarray) -> Any:
    """The dtype that an array has once it is JAX's."""
    try:
        return jax.dtypes.canonicalize_dtype(array.dtype)
    except TypeError:  # long double, for one
        remedy = "Convert it with x.astype(np.float32)."
        fail(label, "be of a dtype that JAX has", array, remedy, error=ArgumentTypeError)


def _check_fits(label: str, array: np.ndarray, narrow: np.ndarray) -> None:
    """Raises if narrowing has made an integer another, or a finite number infinite."""
    if jnp.issubdtype(array.dtype, jnp.integer):
        lost = array != narrow
    elif jnp.issubdtype(array.dtype, jnp.inexact) and not _sums_to_finite(narrow):
        lost = np.isfinite(array) & ~np.isfinite(narrow)
    else:
        return
    remedy = "Make it smaller, or train under jax.enable_x64(True)."
    _fail_at(label, f"fit into {narrow.dtype}", array, lost, remedy)


def _fail_at(label: str, rule: str, array: np.ndarray, bad: np.ndarray, remedy: str) -> None:
    """Raises at the first bad value, if there is one."""
    if bad.any():
        index = tuple(np.argwhere(bad)[0].tolist())
        fail(label, rule, f"{array[index]} at index {index}", remedy)


def _on_device(array: Any) -> jax.Array:
    on_device: jax.Array = array if isinstance(array, jax.Array) else jax.device_put(array)
    return on_device


def _cheap_to_read(array: jax.Array) -> bool:
    """Whether the host can read an array without a copy, or with a small one."""
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
