"""What a run is given, checked before anything is compiled."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.checks import (
    ArgumentTypeError,
    check_callable,
    check_key,
    describe,
    fail,
)
from jaxnets.losses.contract import check_values
from jaxnets.model import Model, Params
from jaxnets.training.paths import named_leaves

__all__ = ["check_run", "load_data"]


def load_data(function: str, data: Any, *, argument: str = "data") -> tuple[Any, Any]:
    """Inputs and targets as arrays on the device, of one length, not empty and finite.

    Args:
      function: The public function that was given ``data``, for the error.
      data: ``(x, y)``, arrays or pytrees of arrays.
      argument: The name that it was given under.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        fail(
            function,
            argument,
            "be a pair (x, y) of inputs and targets",
            data,
            f"Pass {argument}=(x, y).",
            error=ArgumentTypeError,
        )
    lengths = {}
    for name, tree in zip(("x", "y"), data, strict=True):
        for path, leaf in named_leaves(tree).items():
            label = f"{name}/{path}" if path else name
            lengths[label] = _check_leaf(function, label, leaf)
    if not lengths or 0 in lengths.values():
        fail(function, argument, "hold at least one example", lengths, "Pass some data.")
    if len(set(lengths.values())) > 1:
        fail(
            function,
            argument,
            "have as many targets as inputs",
            f"lengths {lengths}",
            "Cut them to the same examples.",
        )
    x, y = data
    return jax.tree.map(_on_device, x), jax.tree.map(_on_device, y)


def _on_device(leaf: Any) -> jax.Array:
    """The array on the device, in a dtype that JAX has; converted on the host, by NumPy."""
    if isinstance(leaf, jax.Array):
        return leaf
    array = np.asarray(leaf)
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    on_device: jax.Array = jax.device_put(array.astype(dtype, copy=False))
    return on_device


def _check_leaf(function: str, label: str, leaf: Any) -> int:
    """The length of one array, once its values are known to be finite."""
    array = np.asarray(leaf)
    if array.ndim == 0:
        fail(
            function,
            label,
            "have a leading axis of examples",
            array,
            "Pass an array of shape [examples, ...].",
        )
    if not (jnp.issubdtype(array.dtype, jnp.number) or array.dtype == np.bool_):
        fail(
            function,
            label,
            "hold numbers",
            array,
            "Convert it with jnp.asarray(..., dtype=float).",
            error=ArgumentTypeError,
        )
    if jnp.issubdtype(array.dtype, jnp.inexact) and not _sums_to_finite(array):
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            index = tuple(bad[0].tolist())
            fail(
                function,
                label,
                "be finite",
                f"{array[index]} at index {index}",
                "Remove or replace the examples concerned.",
            )
    return len(array)


def _sums_to_finite(array: np.ndarray) -> bool:
    """A finite sum has only finite terms, and takes no memory; only a bad one is looked into."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))


def check_run(
    function: str, model: Any, loss: Any, optimizer: Any, data: Any, key: Any, params: Any
) -> None:
    """Raises unless model, loss, optimizer, data and parameters fit together."""
    x, y = data
    if not isinstance(model, Model):
        fail(
            function,
            "model",
            "be a Model",
            describe(model),
            "Wrap layers with jn.sequential(...), or two functions with jn.Model(init, apply).",
            error=ArgumentTypeError,
        )
    check_callable(function, "loss", loss, "Pass a loss such as jn.losses.mse.")
    if not isinstance(optimizer, optax.GradientTransformation):
        fail(
            function,
            "optimizer",
            "be an optax transformation",
            describe(optimizer),
            "Pass one such as optax.sgd(0.1).",
            error=ArgumentTypeError,
        )
    check_key(function, key)
    expected = jax.eval_shape(model.init, key, x)
    if params is not None:
        check_params(function, params, expected)
    predictions = _applied.eval_shape(model, expected, x, key)
    _check_scalar_loss(function, loss, predictions, y)
    check_values(loss, predictions, y)


@functools.partial(jax.jit, static_argnums=0)
def _applied(model: Model, params: Any, x: Any, key: Any) -> Any:
    return model.apply(params, x, key=key)


def check_params(function: str, params: Params, expected: Params) -> None:
    """Raises at the first path where ``params`` are not of the ``expected`` shapes."""
    got, want = named_leaves(params), named_leaves(expected)
    for path in sorted(got.keys() | want.keys()):
        if path not in got or path not in want or not _fits(got[path], want[path]):
            here = describe(want[path]) if path in want else "nothing"
            there = describe(got[path]) if path in got else "nothing"
            fail(
                function,
                "params",
                f"have {here} at {path!r}, as model.init gives",
                there,
                "Pass params made by this model's init for data of this width.",
            )


def _fits(leaf: Any, expected: Any) -> bool:
    """Whether a leaf has the expected shape and is floating where that is expected."""
    if np.shape(leaf) != expected.shape:
        return False
    wants_floating = jnp.issubdtype(expected.dtype, jnp.floating)
    return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.floating)) or not wants_floating


def _check_scalar_loss(function: str, loss: Any, predictions: Any, y: Any) -> None:
    value = jax.eval_shape(loss, predictions, y)
    if getattr(value, "shape", None) != () or not jnp.issubdtype(value.dtype, jnp.floating):
        fail(
            function,
            "loss",
            "return a floating scalar",
            value,
            'Reduce it with reduction="mean", or .mean().',
            error=ArgumentTypeError,
        )
