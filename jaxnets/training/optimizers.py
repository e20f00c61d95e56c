"""What `fit` puts around an optimizer: frozen parameters, clipping and accumulation."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

from jaxnets.checks import check_callable, check_integer, check_positive, fail
from jaxnets.training.paths import path_name

__all__ = ["Freeze", "check_accumulate", "wrapped_builder", "wrapped_optimizer"]

Freeze = Callable[[str], bool]
"""``freeze(path) -> bool``: whether the parameter at a path such as ``"0/w"`` stays fixed."""


def wrapped_optimizer(
    function: str,
    optimizer: optax.GradientTransformation,
    *,
    clip_norm: float | None,
    accumulate: int,
    freeze: Freeze | None,
) -> optax.GradientTransformation:
    """The optimizer with what the arguments of `fit` put around it.

    Equal arguments give the same object, so that a second run compiles nothing.
    """
    return _cached(optimizer, *_checked(function, clip_norm, accumulate, freeze))


def wrapped_builder(
    function: str,
    build: Callable[..., optax.GradientTransformation],
    *,
    clip_norm: float | None,
    accumulate: int,
    freeze: Freeze | None,
) -> Callable[..., optax.GradientTransformation]:
    """`wrapped_optimizer` for a function that makes optimizers."""
    builder: Callable[..., optax.GradientTransformation] = _cached_builder(
        build, *_checked(function, clip_norm, accumulate, freeze)
    )
    return builder


def _checked(
    function: str, clip_norm: Any, accumulate: Any, freeze: Any
) -> tuple[float | None, int, Freeze | None]:
    """The arguments as Python numbers, which take the dtype of what they meet."""
    if clip_norm is not None:
        clip_norm = float(check_positive(function, "clip_norm", clip_norm, example=1.0))
    accumulate = check_integer(function, "accumulate", accumulate, minimum=1)
    if freeze is not None:
        remedy = 'Pass freeze=lambda path: path.startswith("0/"), for example.'
        check_callable(function, "freeze", freeze, remedy)
    return clip_norm, accumulate, freeze


def check_accumulate(function: str, accumulate: int, steps: int) -> None:
    """Raises if a run of so many steps would never make an update."""
    if accumulate > steps:
        remedy = "Accumulate less, or make more steps."
        rule = f"be at most the number of steps, {steps}"
        fail(function, "accumulate", rule, accumulate, remedy)


@functools.lru_cache(maxsize=64)
def _cached_builder(
    build: Callable[..., optax.GradientTransformation],
    clip_norm: float | None,
    accumulate: int,
    freeze: Freeze | None,
) -> Callable[..., optax.GradientTransformation]:
    return lambda **values: _wrapped(build(**values), clip_norm, accumulate, freeze)


def _wrapped(
    optimizer: optax.GradientTransformation,
    clip_norm: float | None,
    accumulate: int,
    freeze: Freeze | None,
) -> optax.GradientTransformation:
    if clip_norm is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(clip_norm), optimizer)
    if freeze is not None:
        # Outside of clipping, so that the norm is that of the parameters that train.
        parts = {"train": optimizer, "freeze": optax.set_to_zero()}
        optimizer = optax.transforms.partition(parts, functools.partial(_labels, freeze))
    if accumulate > 1:
        optimizer = optax.MultiSteps(optimizer, accumulate).gradient_transformation()
    return optimizer


_cached = functools.lru_cache(maxsize=64)(_wrapped)


def _labels(freeze: Freeze, params: Any) -> Any:
    """``"freeze"`` or ``"train"`` for every parameter."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "freeze" if freeze(path_name(path)) else "train", params
    )
