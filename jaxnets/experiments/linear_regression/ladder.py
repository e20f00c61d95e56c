"""The rungs of the linear-regression ladder, one run written again and again, and its limits.

Each rung takes inputs ``x``, targets ``y``, starting weights ``w``, a learning rate and a number
of steps, and hands one more piece of the work to JAX, the library or optax.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import losses
from jaxnets.combinators import sequential
from jaxnets.layers import dense
from jaxnets.model import Model, Params
from jaxnets.parity.formulas import OPTIMIZERS as BY_HAND
from jaxnets.training import fit

__all__ = ["AGREEMENT", "RUNGS", "Climb", "climb", "closed_form", "least_squares"]

AGREEMENT = 1e-6
"""The most that two rungs of one rule may differ: in any weight, and relatively in any loss."""

Run = Callable[[], tuple[Any, Any]]
"""Trains from the start; returns the parameters and the loss before every update."""


def half_squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """Half the squared errors, summed over examples and outputs, so that the 2 cancels."""
    total: jax.Array = losses.mse(predictions, targets, reduction="sum") / 2
    return total


def _in_numpy(x: Any, y: Any, w: Any, steps: int, update: Callable[..., Any]) -> Run:
    """A loop in NumPy. With e = x w - y, the loss is sum(e^2)/2 and its gradient x^T e."""
    x, y, start = np.asarray(x), np.asarray(y), np.asarray(w)

    def run() -> tuple[Any, Any]:
        w, curve, state = start, [], None
        for _ in range(steps):
            error = x @ w - y
            curve.append(np.sum(error**2) / 2)
            w, state = update(w, x.T @ error, state)
        return w, curve

    return run


def numpy_by_hand(x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """A step down the gradient by hand."""
    rate = np.asarray(w).dtype.type(lr)
    return _in_numpy(x, y, w, steps, lambda w, gradient, _: (w - rate * gradient, None))


def numpy_adam(x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """The same loop with Adam's rule by hand."""
    return _in_numpy(x, y, w, steps, functools.partial(BY_HAND["adam"], learning_rate=lr))


def _compiled(step: Callable[[Any], tuple[Any, Any]], start: Any, steps: int) -> Run:
    """The steps as one compiled program."""

    @jax.jit
    def train(start: Any) -> Any:
        return jax.lax.scan(lambda carry, _: step(carry), start, length=steps)

    return lambda: train(start)


def jax_by_hand(x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """The same lines on JAX arrays, and the loop compiled."""

    def step(w: jax.Array) -> tuple[jax.Array, jax.Array]:
        error = x @ w - y
        return w - lr * (x.T @ error), jnp.sum(error**2) / 2

    return _compiled(step, w, steps)


def jax_grad(x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """The gradient from ``jax.grad``."""

    def loss(w: jax.Array) -> jax.Array:
        return jnp.sum((x @ w - y) ** 2) / 2

    def step(w: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(w)
        return w - lr * gradient, value

    return _compiled(step, w, steps)


def sequential_dense(x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """The prediction from ``sequential(dense)`` and the loss from the library."""
    net = sequential(dense(y.shape[-1], use_bias=False))

    def loss(params: Params) -> jax.Array:
        return half_squared_error(net.apply(params, x), y)

    def step(params: Params) -> tuple[Params, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda w, g: w - lr * g, params, gradient), value

    return _compiled(step, {"0": {"w": w}}, steps)


def _fitted(model: Model, params: Params, optimizer: Any, x: Any, y: Any, steps: int) -> Run:
    """The steps in ``fit``."""

    def run() -> tuple[Any, Any]:
        result = fit(
            model,
            half_squared_error,
            optimizer,
            (x, y),
            key=jax.random.key(0),
            steps=steps,
            params=params,
            on_divergence="return",
        )
        return result.params, result.history["loss"]

    return run


def optax_rule(make: Callable[..., Any], x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """The update from optax, the loop from ``fit``. Another rule is another name."""
    net = sequential(dense(y.shape[-1], use_bias=False))
    return _fitted(net, {"0": {"w": w}}, make(lr), x, y, steps)


def own_model(x: Any, y: Any, w: Any, lr: float, steps: int) -> Run:
    """A Model of one's own: two functions."""

    def init(key: Any, x: Any) -> Params:
        return {"w": jax.random.normal(key, (x.shape[-1], y.shape[-1]), x.dtype)}

    def apply(params: Params, x: Any, *, key: Any = None) -> Any:
        return x @ params["w"]

    return _fitted(Model(init, apply), {"w": w}, optax.sgd(lr), x, y, steps)


RUNGS: dict[str, dict[str, tuple[str, Callable[..., Run]]]] = {
    "sgd": {
        "numpy_by_hand": ("NumPy, gradient by hand", numpy_by_hand),
        "jax_by_hand": ("JAX, gradient by hand", jax_by_hand),
        "jax_grad": ("JAX, jax.grad", jax_grad),
        "sequential_dense": ("sequential(dense)", sequential_dense),
        "optax_sgd": ("fit, optax.sgd", functools.partial(optax_rule, optax.sgd)),
        "own_model": ("fit, optax.sgd, own Model", own_model),
    },
    "adam": {
        "numpy_adam": ("NumPy, Adam by hand", numpy_adam),
        "optax_adam": ("fit, optax.adam", functools.partial(optax_rule, optax.adam)),
    },
}
"""The rungs of each rule by name, with a title; the first one is the measure of the others."""


class Climb(NamedTuple):
    """The outcome of a rung.

    Attributes:
      weights: At the end, ``[in, out]``.
      losses: Before every update, as long as they are finite.
      first_seconds: Wall time of the first call, compilation included.
      seconds: The median wall time of the calls after it.
      diverged_at: The step whose loss or update stopped being finite; None if none did.
    """

    weights: Any
    losses: Any
    first_seconds: float
    seconds: float
    diverged_at: int | None


def climb(run: Run, repeats: int, steps: int) -> Climb:
    """Call a rung of so many steps once and then ``repeats`` times more."""
    seconds = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        # NumPy would warn of what the report says.
        with np.errstate(all="ignore"):
            params, curve = jax.block_until_ready(run())
        seconds.append(time.perf_counter() - begin)
    weights, losses = np.asarray(jax.tree.leaves(params)[0]), np.asarray(curve)
    # After the first loss that is not finite some rungs go on, others stop.
    losses = losses[: np.isfinite(losses).cumprod().sum()]
    whole = len(losses) == steps and bool(np.isfinite(weights).all())
    end = None if whole else min(len(losses), steps - 1)
    return Climb(weights, losses, seconds[0], float(np.median(seconds[1:])), end)


def least_squares(x: Any, y: Any) -> tuple[Any, float]:
    """The limit of the ladder: the w with x^T (x w - y) = 0, by NumPy's own solver, and its loss.

    Both are float64.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    weights = np.linalg.lstsq(x, y, rcond=None)[0]
    return weights, float(((x @ weights - y) ** 2).sum() / 2)


def closed_form(x: Any, limit: Any, start: Any, lr: float, steps: int) -> Any:
    """The weights of gradient descent after all steps, without taking them.

    A step takes w - w* to (1 - lr x^T x)(w - w*), since the gradient is x^T x (w - w*); along
    each eigenvector of x^T x that is a factor of 1 - lr times its eigenvalue.
    """
    x, start = np.asarray(x, np.float64), np.asarray(start, np.float64)
    eigenvalues, vectors = np.linalg.eigh(x.T @ x)
    factors = (1 - lr * eigenvalues) ** steps
    return limit + vectors @ (factors[:, None] * (vectors.T @ (start - limit)))
