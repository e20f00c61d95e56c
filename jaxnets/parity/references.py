"""What a hand formula is compared with: autodiff in two precisions, and central differences."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxnets.parity.leaves import leaves

__all__ = ["Reference", "precision", "references"]


class Reference(NamedTuple):
    """What a hand formula is compared with, and the inputs that it gets for it.

    Attributes:
      name: A key of `jaxnets.parity.report.TOLERANCES`.
      dtype: The precision, ``np.float64`` or ``np.float32``.
      inputs: ``(at, *args)`` in that precision, as NumPy arrays.
      cotangent: The factors that turn the value into the scalar sum(cotangent * value), whose
        gradient is compared; 1 if the value is a scalar.
      leaves: The expected arrays by path, ``value/...`` and ``gradient/...``.
      complete: Whether these are all leaves that there may be.
    """

    name: str
    dtype: Any
    inputs: tuple[Any, ...]
    cotangent: Any
    leaves: dict[str, Any]
    complete: bool = True


def references(
    fn: Callable[..., Any], at: Any, *args: Any, kinks: Collection[str] = ()
) -> tuple[Reference, ...]:
    """What autodiff and central differences say of ``fn``.

    Args:
      fn: ``fn(at, *args) -> value``.
      at: Where to differentiate.
      args: Further arrays.
      kinks: Entries of ``at`` that central differences leave out.
    """
    with precision(np.float64):
        inputs, cotangent = _prepared(fn, (at, *args), np.float64)
        value, gradient = _autodiff(fn, inputs, cotangent)
        numeric = leaves(gradient=_central_differences(fn, inputs, cotangent, value))
    with precision(np.float32):
        narrow, narrow_cotangent = _prepared(fn, (at, *args), np.float32)
        narrow_value, narrow_gradient = _autodiff(fn, narrow, narrow_cotangent)
    smooth = {path: leaf for path, leaf in numeric.items() if not _within(path, kinks)}
    exact = leaves(value=value, gradient=gradient)
    single = leaves(value=narrow_value, gradient=narrow_gradient)
    found = [
        Reference("autodiff float64", np.float64, inputs, cotangent, exact),
        Reference("autodiff float32", np.float32, narrow, narrow_cotangent, single),
    ]
    if smooth:
        found.append(
            Reference("central differences", np.float64, inputs, cotangent, smooth, complete=False)
        )
    return tuple(found)


@contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """Computes in that precision within, with all of its digits on every device."""
    with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
        yield


def _prepared(fn: Callable[..., Any], inputs: Any, dtype: Any) -> tuple[Any, Any]:
    """The inputs as NumPy arrays in that precision, and a cotangent for the value.

    The cotangent is 1 for a scalar, else drawn once and for all, so that the gradient of every
    element of the value counts with another factor.
    """
    inputs = jax.tree.map(lambda leaf: _cast(np.asarray(leaf), dtype), inputs)
    value = jax.eval_shape(fn, *inputs)
    rng = np.random.default_rng(0)
    if getattr(value, "shape", None) == ():
        return inputs, np.ones((), value.dtype)
    return inputs, jax.tree.map(
        lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), value
    )


def _cast(array: np.ndarray, dtype: Any) -> np.ndarray:
    return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``jax.jit`` in half the time: the program runs once, so its machine code may be slow."""
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=options)


def _autodiff(fn: Callable[..., Any], inputs: Any, cotangent: Any) -> tuple[Any, Any]:
    """The value and the gradient of sum(cotangent * value)."""

    def differentiate(at: Any, args: Any, cotangent: Any) -> tuple[Any, Any]:
        value, backward = jax.vjp(lambda at: fn(at, *args), at)
        return value, backward(cotangent)[0]

    at, *args = inputs
    return _compiled(differentiate)(at, args, cotangent)  # type: ignore[no-any-return]


def _central_differences(fn: Callable[..., Any], inputs: Any, cotangent: Any, value: Any) -> Any:
    """The gradient of sum(cotangent * value) from two values beside each element of ``at``.

    The step is the cube root of the machine epsilon, where the error of the difference and the
    rounding of the values balance.
    """
    at, *args = inputs
    flat, unflatten = ravel_pytree(at)
    steps = np.cbrt(np.finfo(np.float64).eps) * np.maximum(np.abs(flat), 1)

    def shifts(flat: Any, steps: Any, args: Any, cotangent: Any, value: Any) -> Any:
        def shift(index_and_step: Any) -> Any:
            index, step = index_and_step
            moved = fn(unflatten(flat.at[index].add(step)), *args)
            parts = jax.tree.map(lambda g, a, b: jnp.sum(g * (a - b)), cotangent, moved, value)
            return sum(jax.tree.leaves(parts))

        return jax.lax.map(shift, (jnp.tile(jnp.arange(flat.size), 2), steps))

    both = jnp.concatenate([steps, -steps])
    up, down = jnp.split(_compiled(shifts)(flat, both, args, cotangent, value), 2)
    return unflatten((up - down) / ((flat + steps) - (flat - steps)))


def _within(path: str, entries: Collection[str]) -> bool:
    """Whether a path such as ``gradient/kinks/w`` is within one of the entries of ``at``."""
    _, _, inner = path.partition("/")
    return inner.partition("/")[0] in entries
