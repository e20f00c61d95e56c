"""Central differences, and how far they can be trusted.

Each element of ``at`` is moved up and down by a step h and by 2 h. The slope found is off by what
the step leaves out, which is at most twice the difference between the slopes of the two steps, and
by the rounding of the values that it is a difference of, over h: a derivative of 1e-13 beside
values of 1 shows in no difference. Only what is above both is held against a formula. Which values
depend on an element shows when it is NaN.

At a kink the slopes upwards and downwards differ. Where that is announced, the derivative by hand
may be any between the two, and no other.
"""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxnets.parity.leaves import Reference
from jaxnets.parity.programs import compiled
from jaxnets.parity.report import TOLERANCES
from jaxnets.paths import named_leaves

__all__ = ["central_differences"]

EPS = float(np.finfo(np.float64).eps)

STEP = float(np.cbrt(EPS))
"""Here the error of a difference and the rounding of the values balance."""

BEND = float(np.sqrt(STEP))
"""The relative difference of the slopes on both sides that makes a kink."""


def central_differences(
    fn: Callable[..., Any], exact: Reference, kinks: Collection[str]
) -> Reference:
    """The gradient from values of ``fn`` beside each element of ``at`` of the float64 reference."""
    _, unflatten = ravel_pytree(exact.inputs[0])
    parts = [
        named_leaves({"gradient": unflatten(jnp.asarray(part))}) for part in _estimated(fn, exact)
    ]
    found, scales, allowed = {}, {}, {}
    for path in parts[0]:
        kinked = any(f"{path}/".startswith(f"gradient/{kink}/") for kink in kinks)
        found[path], scale, allowed[path] = _judged(np.stack([p[path] for p in parts]), kinked)
        scales[path] = np.maximum(scale, exact.scales[path])
    given = exact.inputs, exact.cotangent
    return Reference("differences", *given, found, scales, allowed, complete=False)


def _estimated(fn: Callable[..., Any], exact: Reference) -> tuple[np.ndarray, ...]:
    """The slope of each element of ``at``, its possible error, and the slopes up and down."""
    (at, *args), cotangent = exact.inputs, exact.cotangent
    start, unflatten = ravel_pytree(at)
    flat = np.asarray(start)
    steps = STEP * np.maximum(np.abs(flat), 1)
    moves = np.stack([steps, -steps, 2 * steps, -2 * steps, np.nan * steps])
    paths, structure = named_leaves({"value": cotangent}), jax.tree.structure(cotangent)
    value, sizes = (
        jax.tree.unflatten(structure, [arrays[path] for path in paths])
        for arrays in (exact.leaves, exact.scales)
    )
    move = compiled(_rises(fn, unflatten))
    rises, rounding = map(np.asarray, move(flat, moves, args, cotangent, value, sizes))
    lengths = (flat + moves) - flat
    with np.errstate(invalid="ignore"):
        up, down, *_ = rises / lengths
        slope, wider = (rises[:4:2] - rises[1:4:2]) / (lengths[:4:2] - lengths[1:4:2])
        doubt = 2 * np.abs(wider - slope) + EPS * rounding[-1] / steps
    return slope, doubt, up, down


def _rises(fn: Callable[..., Any], unflatten: Callable[..., Any]) -> Callable[..., Any]:
    """The change of sum(cotangent * value) by each move, and the scale of terms that are NaN."""

    def rises(flat: Any, moves: Any, args: Any, cotangent: Any, value: Any, sizes: Any) -> Any:
        def rise(index_and_move: Any) -> Any:
            index, move = index_and_move
            moved = fn(unflatten(flat.at[index].add(move)), *args)
            change = jax.tree.map(jnp.subtract, moved, value)
            shares = jax.tree.map(lambda g, d: jnp.sum(g * d), cotangent, change)
            scales = jax.tree.map(
                lambda g, d, s: jnp.sum(jnp.where(jnp.isnan(d), jnp.abs(g) * s, 0)),
                cotangent,
                change,
                sizes,
            )
            return sum(jax.tree.leaves(shares)), sum(jax.tree.leaves(scales))

        indices = jnp.tile(jnp.arange(flat.size), len(moves))
        found = jax.lax.map(rise, (indices, moves.ravel()))
        return tuple(array.reshape(moves.shape) for array in found)

    return rises


def _judged(parts: np.ndarray, kinked: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The slope of each element, the least scale of its error, and what is allowed there."""
    slope, doubt, up, down = parts
    scale = doubt / TOLERANCES["function"]["differences"]
    if not kinked:
        return slope, scale, np.zeros_like(slope)
    with np.errstate(invalid="ignore"):
        middle, half = (up + down) / 2, np.abs(up - down) / 2
        # Also where a side is not finite: at the end of the domain there is but one.
        kink = ~(2 * half <= BEND * np.maximum(np.abs(up), np.abs(down)))
    one_sided = ~np.isfinite(half)
    half, middle = np.where(one_sided, np.inf, half), np.where(one_sided, 0, middle)
    scale = np.where(one_sided, 1, np.where(kink, np.maximum(scale, half), scale))
    return np.where(kink, middle, slope), scale, np.where(kink, (1 + BEND) * half, 0)
