"""Which members a sweep has: keys times the values of the optimizer's arguments."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.checks import ArgumentTypeError, check_callable, check_text, describe, fail

__all__ = ["combinations", "optimizer_builder", "value_shapes"]

RESERVED = ("seed", "step", "loss", "diverged_at", "stopped_at")
"""Columns of a sweep's table that are there already, as is what starts with ``validation_``."""


def optimizer_builder(
    make_optimizer: Any, hyperparameters: Any
) -> tuple[Callable[..., optax.GradientTransformation], dict[str, np.ndarray]]:
    """The function that builds an optimizer, and the values of its arguments."""
    values = _checked_values({} if hyperparameters is None else hyperparameters)
    if isinstance(make_optimizer, optax.GradientTransformation):
        if values:
            fail(
                "sweep",
                "make_optimizer",
                "be a function of the hyperparameters",
                "an optax transformation",
                "Pass optax.sgd rather than optax.sgd(0.1), for example.",
                error=ArgumentTypeError,
            )
        return _constant(make_optimizer), values
    check_callable("sweep", "make_optimizer", make_optimizer, "Pass optax.sgd, for example.")
    _check_arguments(make_optimizer, values)
    return make_optimizer, values


def _checked_values(hyperparameters: Any) -> dict[str, np.ndarray]:
    """The values by name, as finite numbers."""
    if not isinstance(hyperparameters, Mapping):
        fail(
            "sweep",
            "hyperparameters",
            "be a dict of lists of numbers by name",
            describe(hyperparameters),
            'Pass hyperparameters={"learning_rate": [0.1, 1.0]}, for example.',
            error=ArgumentTypeError,
        )
    for name in hyperparameters:
        argument = f"the name {name!r} in hyperparameters"
        check_text("sweep", argument, name, example="learning_rate")
        if name in RESERVED or name.startswith("validation_"):
            rule = "be other than those of the columns of Sweep.table()"
            remedy = "Rename it in make_optimizer."
            fail("sweep", argument, rule, repr(name), remedy)
    return {name: _checked_column(name, column) for name, column in hyperparameters.items()}


def _checked_column(name: str, column: Any) -> np.ndarray:
    """A list of numbers as an array, once all are finite in the dtype that members compute in."""
    try:
        numbers = np.asarray(column)
    except ValueError:  # lists of unequal lengths
        numbers = np.empty(0)
    if not _is_list_of_finite(numbers):
        fail(
            "sweep",
            f"hyperparameters[{name!r}]",
            "be a list of finite numbers",
            describe(column),
            f"Pass {{{name!r}: [0.1, 1.0]}}, for example.",
        )
    return numbers.astype(float)


def _is_list_of_finite(numbers: np.ndarray) -> bool:
    dtype = numbers.dtype
    if not (jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)):
        return False
    with np.errstate(over="ignore"):
        computed = numbers.astype(_dtype())
    return numbers.ndim == 1 and numbers.size > 0 and bool(np.isfinite(computed).all())


def _dtype() -> Any:
    return jax.dtypes.canonicalize_dtype(float)


@functools.lru_cache(maxsize=64)
def _constant(optimizer: optax.GradientTransformation) -> Callable[[], Any]:
    """A builder that is the same object for the same optimizer, so that it compiles once."""
    return lambda: optimizer


def _check_arguments(make_optimizer: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Raises unless a function takes the hyperparameters; its body is not run."""
    if _binds(make_optimizer, values):
        return
    try:
        make_optimizer(**values)  # cannot begin, but says why in Python's words
    except TypeError as error:
        fail(
            "sweep",
            "make_optimizer",
            f"take the hyperparameters {list(values)} and no others",
            str(error),
            'Pass hyperparameters={"learning_rate": [0.1]}, or optax.sgd(0.1), for example.',
            error=ArgumentTypeError,
        )


def _binds(function: Callable[..., Any], values: Mapping[str, Any]) -> bool:
    """Whether a function takes these arguments, which a TypeError of its own would not tell."""
    try:
        inspect.signature(function).bind(**values)
    except TypeError:
        return False
    except ValueError:  # of a function in C that has no signature
        return True
    return True


def value_shapes(values: Mapping[str, np.ndarray]) -> dict[str, jax.ShapeDtypeStruct]:
    """The shape of each hyperparameter of one member."""
    return {name: jax.ShapeDtypeStruct((), _dtype()) for name in values}


def combinations(seeds: int, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels of all members: one column for the seed and one for each hyperparameter."""
    grids = np.meshgrid(np.arange(seeds), *values.values(), indexing="ij")
    return {name: grid.reshape(-1) for name, grid in zip(("seed", *values), grids, strict=True)}
