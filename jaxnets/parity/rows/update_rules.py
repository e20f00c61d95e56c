"""Update rules by hand against those of optax, and of PyTorch."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.formulas.formula import label_of, options_of
from jaxnets.parity.leaves import LeafError, leaf_error
from jaxnets.parity.programs import precision
from jaxnets.parity.report import Report

__all__ = ["OPTAX", "descend", "descend_by_optax", "optimizer_row", "path_errors"]

STEPS = 1000

LEARNING_RATE = 0.01

Paths = dict[str, np.ndarray]
"""The parameters after each step, by the options of the rule."""

OPTAX: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.adam,
    "adamw": optax.adamw,
    "momentum": lambda rate, decay=0.9: optax.sgd(rate, momentum=decay),
    "nesterov": lambda rate, decay=0.9: optax.sgd(rate, momentum=decay, nesterov=True),
    "rmsprop": optax.rmsprop,
    "sgd": optax.sgd,
}
"""The update rules in optax, with the defaults and the options of the formulas."""


def optimizer_row(name: str, *, torch: bool) -> Report:
    """An update rule over many noisy steps, by hand and by optax, all intermediate parameters."""
    exact = descend(name, OPTIMIZERS[name], np.float64)
    single = descend(name, OPTIMIZERS[name], np.float32)
    errors = {
        "float64": path_errors(exact, descend_by_optax(name, np.float64)),
        "float32": path_errors(single, descend_by_optax(name, np.float32)),
    }
    if torch and (theirs := _descend_by_torch(name)):
        errors["PyTorch"] = path_errors(exact, theirs)
    options = sorted({option for options in options_of(OPTIMIZERS[name]) for option in options})
    compared = ", ".join([f"parameters after each of {STEPS} steps", *options])
    return Report(name, "optimizer", errors, compared)


def descend(name: str, rule: Callable[..., Any], dtype: Any) -> Paths:
    """The paths of a rule by hand, with all the options that stand beside formula ``name``."""
    start, curvatures, noise = _problem(dtype)

    def path(options: Mapping[str, Any]) -> np.ndarray:
        p, state, passed = start, None, []
        for disturbance in noise:
            gradient = curvatures * p + disturbance
            p, state = rule(p, gradient, state, learning_rate=LEARNING_RATE, **options)
            passed.append(p)
        return np.stack(passed)

    return {label: path(options) for label, options in _variants(name).items()}


def descend_by_optax(name: str, dtype: Any) -> Paths:
    """The same of a rule of optax, in one program."""
    start, curvatures, noise = _problem(dtype)
    rules = {
        label: OPTAX[name](LEARNING_RATE, **options) for label, options in _variants(name).items()
    }

    def step(carry: Any, disturbance: Any) -> Any:
        for label, (p, state) in carry.items():
            updates, state = rules[label].update(curvatures * p + disturbance, state, p)
            carry = {**carry, label: (optax.apply_updates(p, updates), state)}
        return carry, {label: p for label, (p, _) in carry.items()}

    with precision(dtype):
        p = jnp.asarray(start)
        first = {label: (p, rule.init(p)) for label, rule in rules.items()}
        _, paths = jax.jit(jax.lax.scan, static_argnums=0)(step, first, noise)
        return {label: np.asarray(path) for label, path in paths.items()}


def _descend_by_torch(name: str) -> Paths:
    """The same of a rule of PyTorch; nothing if it has no such rule."""
    from jaxnets.parity import torch_reference as theirs

    if name not in theirs.OPTIMIZERS:
        return {}
    rule = functools.partial(theirs.OPTIMIZERS[name], lr=LEARNING_RATE)
    return {
        label: theirs.descend(functools.partial(rule, **options), *_problem(np.float64))
        for label, options in _variants(name).items()
    }


def path_errors(found: Paths, expected: Paths) -> tuple[LeafError, ...]:
    """The errors of all paths: each coordinate relative to the farthest that it gets from 0."""
    return tuple(
        leaf_error(label, found[label], path, scale=np.abs(path).max(axis=0))
        for label, path in expected.items()
    )


def _variants(name: str) -> dict[str, Mapping[str, Any]]:
    """The options that a rule is tried with, by label."""
    return {
        label_of(options) or "default": options for options in ({}, *options_of(OPTIMIZERS[name]))
    }


def _problem(dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy quadratic: where to start, its curvatures, and the noise of every step."""
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal(20), np.geomspace(0.01, 10, 20), rng.standard_normal((STEPS, 20))
    start, curvatures, noise = (array.astype(dtype) for array in arrays)
    return start, curvatures, noise
