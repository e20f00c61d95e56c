"""Functions whose derivatives keep their relative accuracy in the tails.

The derivatives that differentiation finds subtract nearly equal numbers: ``1 - tanh(x)**2`` is 0
in float32 at x = 10, where the derivative is still 8e-9.
"""

from typing import Any

import jax
import jax.numpy as jnp

__all__ = [
    "exact_expm1",
    "exact_log_softmax",
    "exact_sigmoid",
    "exact_softmax",
    "exact_softplus",
    "exact_tanh",
]

exact_sigmoid = jax.custom_jvp(jax.nn.sigmoid)
exact_sigmoid.defjvps(lambda dx, y, x: dx * y * exact_sigmoid(-x))

exact_softplus = jax.custom_jvp(jax.nn.softplus)
exact_softplus.defjvps(lambda dx, y, x: dx * exact_sigmoid(x))

exact_tanh = jax.custom_jvp(jnp.tanh)
exact_tanh.defjvps(lambda dx, y, x: dx * 4 * exact_sigmoid(2 * x) * exact_sigmoid(-2 * x))

exact_expm1 = jax.custom_jvp(jnp.expm1)
exact_expm1.defjvps(lambda dx, y, x: dx * jnp.exp(x))


@jax.custom_jvp
def exact_softmax(x: jax.Array) -> jax.Array:
    """``jax.nn.softmax`` along the last axis, also where it is fused with what makes x."""
    scores, _ = _scores(x)
    terms = jnp.exp(scores)
    return terms / terms.sum(-1, keepdims=True)


exact_softmax.defjvps(lambda dx, y, x: y * (dx - (y * dx).sum(-1, keepdims=True)))


@jax.custom_jvp
def exact_log_softmax(x: jax.Array) -> jax.Array:
    """The logarithm of the softmax along the last axis.

    The sum leaves out the largest term, which is 1, for log1p to add: where that class is nearly
    certain, 1 + 2e-9 would be 1.
    """
    scores, largest = _scores(x)
    others = jnp.where(largest, 0, jnp.exp(scores)).sum(-1, keepdims=True)
    ties = largest.sum(-1, keepdims=True) - 1
    return scores - jnp.log1p(others + ties.astype(x.dtype))


@exact_log_softmax.defjvp
def _exact_log_softmax_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    """``df_i = (1 - p_i) dx_i - sum of p_j dx_j over the others``.

    For a largest class without ties, 1 - p is the sum of the other terms; elsewhere p is at most
    a half, and the subtraction loses nothing.
    """
    (x,), (dx,) = primals, tangents
    scores, largest = _scores(x)
    certain = largest & (largest.sum(-1, keepdims=True) == 1)
    terms = jnp.exp(scores)
    p = terms / terms.sum(-1, keepdims=True)
    others = jnp.where(certain, 0, p)
    rest = jnp.where(certain, others.sum(-1, keepdims=True), 1)
    own = jnp.where(certain, p * dx, 0)
    mean = (others * dx).sum(-1, keepdims=True) + (own.sum(-1, keepdims=True) - own)
    return exact_log_softmax(x), rest * dx - mean


def _scores(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The distance of each entry from the largest, at most 0, and which entries are largest.

    Fused with a product that makes x, the subtraction is made before that product is rounded.
    For a product of 1e12 the largest would then be thousands away from itself, hence the two
    corrections.
    """
    top = jax.lax.stop_gradient(x.max(-1, keepdims=True))
    largest = (x == top) & jnp.isfinite(top)
    return jnp.where(largest, x - jax.lax.stop_gradient(x), jnp.minimum(x - top, 0)), largest
