"""Which members a sweep has: keys times the values of the optimizer's arguments."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import optax

from jaxnets.checks import ArgumentTypeError, check_callable, check_key, fail

__all__ = ["check_keys", "combinations", "first_optimizer", "optimizer_builder"]


def check_keys(keys: Any) -> int:
    """The number of keys, once they are known to be PRNG keys along one axis."""
    if getattr(keys, "ndim", 0) == 0 or not len(keys):
        fail(
            "sweep",
            "keys",
            "be an array of PRNG keys, one a seed",
            keys,
            "Pass keys=jax.random.split(jax.random.key(0), 1000).",
            error=ArgumentTypeError,
        )
    check_key("sweep", keys[0])
    return len(keys)


def optimizer_builder(
    make_optimizer: Any, hyperparameters: Any
) -> tuple[Callable[..., optax.GradientTransformation], dict[str, np.ndarray]]:
    """The function that builds an optimizer, and the values of its arguments."""
    values = {name: np.asarray(column, float) for name, column in (hyperparameters or {}).items()}
    for name, column in values.items():
        if column.ndim != 1 or not column.size or not np.isfinite(column).all():
            fail(
                "sweep",
                f"hyperparameters[{name!r}]",
                "be a list of finite numbers",
                hyperparameters[name],
                f"Pass {{{name!r}: [0.1, 1.0]}}, for example.",
            )
    if isinstance(make_optimizer, optax.GradientTransformation):
        if values:
            fail(
                "sweep",
                "make_optimizer",
                "be a function of the hyperparameters",
                make_optimizer,
                "Pass optax.sgd rather than optax.sgd(0.1), for example.",
                error=ArgumentTypeError,
            )
        return _constant(make_optimizer), values
    check_callable("sweep", "make_optimizer", make_optimizer, "Pass optax.sgd, for example.")
    return make_optimizer, values


@functools.lru_cache(maxsize=64)
def _constant(optimizer: optax.GradientTransformation) -> Callable[[], Any]:
    """A builder that is the same object for the same optimizer, so that it compiles once."""
    return lambda: optimizer


def first_optimizer(build: Callable[..., Any], values: dict[str, Any]) -> Any:
    """The optimizer of the first member; its arguments are checked by making it."""
    try:
        return build(**values)
    except TypeError as error:
        fail(
            "sweep",
            "make_optimizer",
            f"take the hyperparameters {list(values)} and no others",
            str(error),
            'Pass hyperparameters={"learning_rate": [0.1]}, or optax.sgd(0.1), for example.',
            error=ArgumentTypeError,
        )


def combinations(seeds: int, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels of all members: one column for the seed and one for each hyperparameter."""
    grids = np.meshgrid(np.arange(seeds), *values.values(), indexing="ij")
    return {name: grid.reshape(-1) for name, grid in zip(("seed", *values), grids, strict=True)}
