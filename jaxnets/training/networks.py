"""Functions of one network's state made functions of all networks of a program."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxnets.members_last import members_last
from jaxnets.small_products import small_products
from jaxnets.training.step import TrainState

__all__ = [
    "FAST",
    "STATE",
    "Axis",
    "all_equal",
    "chosen",
    "members_first",
    "moved",
    "number",
    "per_network",
    "stacked",
    "stayed_finite",
    "weakly_typed",
]

Axis = Literal["first", "last"] | None
"""The members' axis in every array of a state; None for one network."""

STATE = "state"
"""In place of an axis: that of a `TrainState`, whose keys have the members first and whose step
is one for all."""


FAST: dict[Axis, Callable[..., Any]] = {
    None: small_products,
    "first": jax.vmap,
    "last": members_last,
}
"""The fast form of a step of one network, or of many, by the members' axis."""


def per_network(axis: Axis, function: Callable[..., Any], *in_axes: Any, out_axes: Any = 0) -> Any:
    """``function`` of one network as one of all; of one network it is ``function`` itself."""
    if axis is None:
        return function
    own = number(axis)
    state = TrainState(own, own, 0, None)  # type: ignore[arg-type]
    axes = tuple(state if each is STATE else each for each in in_axes)
    return jax.vmap(function, axes or 0, out_axes)


def number(axis: Axis) -> int:
    """The number of the members' axis."""
    return -1 if axis == "last" else 0


def members_first(axis: Axis, state: TrainState) -> TrainState:
    """A state as its user sees it."""
    params, opt_state = moved((state.params, state.opt_state), number(axis), 0)
    return state if axis is None else state._replace(params=params, opt_state=opt_state)


def moved(tree: Any, source: int, target: int) -> Any:
    """All arrays with an axis moved."""
    if source == target:
        return tree
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, source, target), tree)


def stacked(shapes: Any, *members: int) -> Any:
    """The shapes of many networks, with the members first, from those of one."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*members, *leaf.shape), leaf.dtype), shapes
    )


def chosen(flag: jax.Array, new: Any, old: Any) -> Any:
    """The new arrays if flagged, else the old ones."""
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), new, old)


def all_equal(one: Any, other: Any) -> jax.Array:
    """True if all numbers of two pytrees are equal."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return _all([(a == b).all() for a, b in pairs])


def stayed_finite(before: TrainState, after: TrainState) -> jax.Array:
    """True if no number of parameters and optimizer state has stopped being finite.

    Some optimizers start from infinities of their own.
    """
    pairs = zip(jax.tree.leaves(before[:2]), jax.tree.leaves(after[:2]), strict=True)
    return _all(
        [
            (jnp.isfinite(new) | ~jnp.isfinite(old)).all()
            for old, new in pairs
            if jnp.issubdtype(new.dtype, jnp.inexact)
        ]
    )


def _all(flags: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.logical_and, flags, jnp.array(True))


def weakly_typed(function: Callable[..., Any], position: int) -> Callable[..., Any]:
    """``function`` with its hyperparameters, the argument at a position, as Python numbers are.

    They take the type of what they meet, and are not rounded before: 0.999 in bfloat16 is 1.
    """

    def typed(*args: Any) -> Any:
        if not args[position]:
            return function(*args)
        shapes = list(jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), args))
        shapes[position] = {
            name: jax.ShapeDtypeStruct(value.shape, value.dtype, weak_type=True)
            for name, value in shapes[position].items()
        }
        traced, result = jax.make_jaxpr(function, return_shape=True)(*shapes)
        flat = core.jaxpr_as_fun(traced)(*jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(result), flat)

    return typed
