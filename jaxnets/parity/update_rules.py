"""Update rules by hand against those of optax, and of PyTorch."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.leaves import leaf_error
from jaxnets.parity.references import precision
from jaxnets.parity.row import Row

__all__ = ["OPTAX", "TOLERANCES", "descend", "descend_by_optax", "optimizer_row"]

STEPS = 1000

LEARNING_RATE = 0.01

OPTAX: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "adam": optax.adam,
    "adamw": optax.adamw,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "nesterov": functools.partial(optax.sgd, momentum=0.9, nesterov=True),
    "rmsprop": optax.rmsprop,
    "sgd": optax.sgd,
}
"""The update rules in optax, with the defaults of the formulas."""

TORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {"weight_decay": 1e-4}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "sgd": ("SGD", {}),
}
"""The update rules in PyTorch. Its RMSProp adds eps to the root instead of under it."""

TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "PyTorch": 1e-12}
"""The largest relative error that passes, by column."""


def optimizer_row(name: str, *, torch: bool) -> Row:
    """An update rule over many noisy steps, by hand and by optax, all intermediate parameters."""
    errors = {}
    for column, dtype in (("float64", np.float64), ("float32", np.float32)):
        by_hand = descend(OPTIMIZERS[name], dtype)
        errors[column] = leaf_error(name, by_hand, descend_by_optax(name, dtype)).relative
        if torch and column == "float64" and name in TORCH:
            errors["PyTorch"] = leaf_error(name, by_hand, _descend_by_torch(name)).relative
    compared = f"parameters after each of {STEPS} steps"
    return Row(name, "optimizer", compared, errors, TOLERANCES)


def descend(rule: Callable[..., Any], dtype: Any) -> np.ndarray:
    """The parameters after each step of a rule by hand."""
    p, curvatures, noise = _problem(dtype)
    state, path = None, []
    for disturbance in noise:
        p, state = rule(p, curvatures * p + disturbance, state, learning_rate=LEARNING_RATE)
        path.append(p)
    return np.stack(path)


def descend_by_optax(name: str, dtype: Any) -> np.ndarray:
    """The same of a rule of optax."""
    start, curvatures, noise = _problem(dtype)
    optimizer = OPTAX[name](LEARNING_RATE)

    def step(carry: Any, disturbance: Any) -> Any:
        p, state = carry
        updates, state = optimizer.update(curvatures * p + disturbance, state, p)
        p = optax.apply_updates(p, updates)
        return (p, state), p

    with precision(dtype):
        p = jnp.asarray(start)
        run = jax.jit(jax.lax.scan, static_argnums=0)
        return np.asarray(run(step, (p, optimizer.init(p)), noise)[1])


def _problem(dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy quadratic: where to start, its curvatures, and the noise of every step."""
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal(20), np.geomspace(0.01, 10, 20), rng.standard_normal((STEPS, 20))
    start, curvatures, noise = (array.astype(dtype) for array in arrays)
    return start, curvatures, noise


def _descend_by_torch(name: str) -> np.ndarray:
    torch = importlib.import_module("torch")
    start, curvatures, noise = (torch.tensor(array) for array in _problem(np.float64))
    p = start.requires_grad_()
    rule, options = TORCH[name]
    optimizer = getattr(torch.optim, rule)([p], lr=LEARNING_RATE, **options)
    path = []
    for disturbance in noise:
        p.grad = (curvatures * p + disturbance).detach()
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.stack(path)
