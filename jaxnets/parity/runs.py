"""Whole runs by hand: update rules against optax, and training without any autodiff."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import data, losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import mlp
from jaxnets.parity import backprop, tutorial
from jaxnets.parity.compare import leaf_error, leaves, precision
from jaxnets.parity.entries.networks import mlp_params
from jaxnets.parity.formulas import OPTIMIZERS
from jaxnets.parity.row import Row
from jaxnets.training import Fit, fit

__all__ = ["OPTAX", "TRAINING", "optimizer_row", "training_row", "tutorial_row"]

UPDATES = 1000
"""Steps of an update rule."""

STEPS = 10_001
"""Steps of a training run, as in the course."""

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

TRAINING = {
    "training_2_2_1": ((2, 2, 1), 1.0),
    "training_2_10_10_10_1": ((2, 10, 10, 10, 1), 0.3),
}
"""Widths and learning rate of the training runs.

The deep network gets 0.3 and not the course's 1.0. With 1.0 it passes a stretch where it is
chaotic: a change of the weights in their 12th digit changes the loss in its first. No two
programs that round differently agree after that, whichever way they differentiate.
"""

RUN_TOLERANCES = {"float64": 1e-9, "float32": 1e-3, "PyTorch": 1e-9}
"""For training runs, in which every step adds to the error and the next ones amplify it."""

RULE_TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "PyTorch": 1e-12}
"""For update rules."""

GUARD_TOLERANCE = 1e-5
"""For the course's rule, which its own 1e-7 takes a little off the gradient."""


def optimizer_row(name: str, *, torch: bool) -> Row:
    """An update rule over many noisy steps, by hand and by optax, all intermediate parameters."""
    errors = {}
    for column, dtype in (("float64", np.float64), ("float32", np.float32)):
        with precision(dtype):
            by_hand = _descend_by_hand(name, dtype)
            errors[column] = leaf_error(name, by_hand, _descend_by_optax(name, dtype)).relative
            if torch and column == "float64" and name in TORCH:
                errors["PyTorch"] = leaf_error(name, by_hand, _descend_by_torch(name)).relative
    compared = f"parameters after each of {UPDATES} steps"
    return Row(name, "optimizer", compared, errors, RULE_TOLERANCES)


def training_row(name: str, *, torch: bool) -> Row:
    """XOR learned with gradients by hand and by autodiff, from the same weights."""
    widths, learning_rate = TRAINING[name]
    errors = {}
    for column, dtype in (("float64", np.float64), ("float32", np.float32)):
        with precision(dtype):
            by_hand, autodiff = _train_twice(widths, learning_rate, dtype)
        errors[column] = _distance(by_hand, autodiff)
        if torch and column == "float64":
            curve = _train_by_torch(widths, learning_rate, UPDATES)
            errors["PyTorch"] = float(np.abs(by_hand.history["loss"][:UPDATES] / curve - 1).max())
    compared = f"XOR, {STEPS} steps (PyTorch: {UPDATES})"
    return Row(name, "training", compared, errors, RUN_TOLERANCES)


def tutorial_row() -> Row:
    """The course's own rule: how many times the gradient its steps are, and what is left."""
    with precision(np.float64):
        x, y = (np.asarray(array) for array in data.xor())
        params = _starting_params((2, 2, 1), np.float64)
        _, step = tutorial.value_and_grad(params, x, y)
        _, gradient = backprop.value_and_grad(
            params, x, y, activations=["sigmoid", "sigmoid"], loss="bce"
        )
    weights, biases = (_factor(step, gradient, entry) for entry in "wb")
    ideal = {name: {"w": len(x) * layer["w"], "b": layer["b"]} for name, layer in gradient.items()}
    found, expected = leaves(step=step), leaves(step=ideal)
    left = max(leaf_error(path, found[path], expected[path]).relative for path in expected)
    note = (
        f"The course's hand-written rule is not the gradient of the loss it prints: for "
        f"{len(x)} examples its weight steps are {weights:.6f} times and its bias steps "
        f"{biases:.6f} times the gradient. It is gradient descent with learning rate "
        f"{len(x)} lr for weights and lr for biases, but for {left:.0e}, the effect of its 1e-7."
    )
    compared = "step / gradient, less (N, 1)"
    return Row(
        "tutorial", "finding", compared, {"float64": left}, {"float64": GUARD_TOLERANCE}, note
    )


def _factor(step: Any, gradient: Any, entry: str) -> float:
    """The factor that brings the gradient by all weights, or all biases, nearest to the step."""
    ours = np.concatenate([layer[entry].ravel() for layer in step.values()])
    theirs = np.concatenate([layer[entry].ravel() for layer in gradient.values()])
    return float(ours @ theirs / (theirs @ theirs))


def _problem(dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy quadratic: where to start, its curvatures, and the noise of every step."""
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal(20), np.geomspace(0.01, 10, 20), rng.standard_normal((UPDATES, 20))
    start, curvatures, noise = (array.astype(dtype) for array in arrays)
    return start, curvatures, noise


def _descend_by_hand(name: str, dtype: Any) -> np.ndarray:
    p, curvatures, noise = _problem(dtype)
    state, path = None, []
    for disturbance in noise:
        p, state = OPTIMIZERS[name](p, curvatures * p + disturbance, state, learning_rate=0.01)
        path.append(p)
    return np.stack(path)


def _descend_by_optax(name: str, dtype: Any) -> Any:
    start, curvatures, noise = _problem(dtype)
    optimizer = OPTAX[name](0.01)

    def step(carry: Any, disturbance: Any) -> Any:
        p, state = carry
        updates, state = optimizer.update(curvatures * p + disturbance, state, p)
        p = optax.apply_updates(p, updates)
        return (p, state), p

    p = jnp.asarray(start)
    return jax.jit(jax.lax.scan, static_argnums=0)(step, (p, optimizer.init(p)), noise)[1]


def _descend_by_torch(name: str) -> np.ndarray:
    torch = importlib.import_module("torch")
    start, curvatures, noise = (torch.tensor(array) for array in _problem(np.float64))
    p = start.requires_grad_()
    rule, options = TORCH[name]
    optimizer = getattr(torch.optim, rule)([p], lr=0.01, **options)
    path = []
    for disturbance in noise:
        p.grad = (curvatures * p + disturbance).detach()
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.stack(path)


def _starting_params(widths: tuple[int, ...], dtype: Any) -> Any:
    """Weights from which the networks learn XOR."""
    params = mlp_params(widths, np.random.default_rng(3))
    return jax.tree.map(lambda leaf: (2 * leaf).astype(dtype), params)


def _train_twice(widths: tuple[int, ...], learning_rate: float, dtype: Any) -> tuple[Fit, Fit]:
    """The run by hand, and the run by autodiff."""
    run = functools.partial(
        fit,
        mlp(list(widths[1:]), sigmoid, output_activation=sigmoid),
        losses.bce,
        optax.sgd(learning_rate),
        data.xor(),
        key=jax.random.key(0),
        steps=STEPS,
        params=_starting_params(widths, dtype),
    )
    by_hand = functools.partial(
        backprop.value_and_grad, activations=[sigmoid] * (len(widths) - 1), loss=losses.bce
    )
    return run(value_and_grad=by_hand), run()


def _distance(one: Fit, other: Fit) -> float:
    """The largest relative difference of a recorded loss or a trained parameter."""
    curve = float(np.abs(one.history["loss"] / other.history["loss"] - 1).max())
    found, expected = leaves(params=one.params), leaves(params=other.params)
    return max(
        curve, *(leaf_error(path, found[path], expected[path]).relative for path in expected)
    )


def _train_by_torch(widths: tuple[int, ...], learning_rate: float, steps: int) -> np.ndarray:
    """The losses of the same run by PyTorch's autograd and optimizer."""
    torch = importlib.import_module("torch")
    x, y = (torch.tensor(np.asarray(array, np.float64)) for array in data.xor())
    flat = [
        torch.tensor(layer[entry]).requires_grad_()
        for layer in _starting_params(widths, np.float64).values()
        for entry in "wb"
    ]
    optimizer = torch.optim.SGD(flat, lr=learning_rate)
    curve = []
    for _ in range(steps):
        a = x
        for w, b in zip(flat[::2], flat[1::2], strict=True):
            a = torch.sigmoid(a @ w + b)
        loss = torch.nn.functional.binary_cross_entropy(a, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return np.array(curve)
