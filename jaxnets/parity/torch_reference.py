"""The same functions in PyTorch: one more opinion on every derivative.

This module imports PyTorch, and is imported only where that is installed and asked for. What
PyTorch has no function for, has no entry here: heaviside and dropout (no gradient; no mask to
give), focal, hinge, rmse.

Its derivatives lose their digits in the tails, where 1 - tanh(x)^2 is 0. So they are measured
against the largest element of their leaf.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch.nn import functional

from jaxnets.parity.entries import Entry
from jaxnets.parity.formulas import ACTIVATIONS
from jaxnets.parity.leaves import Reference
from jaxnets.paths import named_leaves

__all__ = ["OPTIMIZERS", "descend", "losses_on_the_way", "torch_reference"]


def torch_reference(entry: Entry, exact: Reference) -> Reference | None:
    """PyTorch's at the inputs of the float64 reference, or None if it has no such function."""
    function = _function(entry.name)
    if function is None:
        return None
    at, data = exact.inputs
    values, gradients = {}, {}
    for label, case in entry.cases.items():
        at_tensors = jax.tree.map(_variable, at[label])
        value = function(at_tensors, **jax.tree.map(_tensor, data[label]), **case.options)
        value.backward(_tensor(exact.cotangent[label]))
        values[label] = value.detach().numpy()
        gradients[label] = jax.tree.map(lambda leaf: leaf.grad.numpy(), at_tensors)
    found = named_leaves({"value": values, "gradient": gradients})
    return Reference("PyTorch", exact.inputs, exact.cotangent, found)


def descend(rule: Any, start: np.ndarray, curvatures: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The parameters after each step on a noisy quadratic of ``rule([p])``, an optimizer."""
    p, path = _variable(start), []
    optimizer = rule([p])
    for disturbance in torch.tensor(noise):
        p.grad = (torch.tensor(curvatures) * p + disturbance).detach()
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return np.stack(path)


def losses_on_the_way(
    params: Any, x: np.ndarray, y: np.ndarray, *, learning_rate: float, steps: int
) -> np.ndarray:
    """The losses of gradient descent of a network of sigmoids, by PyTorch's autograd."""
    inputs, targets = torch.tensor(x), torch.tensor(y)
    layers = [jax.tree.map(_variable, part) for part in params.values()]
    optimizer = torch.optim.SGD([layer[entry] for layer in layers for entry in "wb"], learning_rate)
    curve = []
    for _ in range(steps):
        a = inputs
        for layer in layers:
            a = torch.sigmoid(a @ layer["w"] + layer["b"])
        loss = functional.binary_cross_entropy(a, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return np.array(curve)


def _sgd(p: Any, lr: float, *, decay: float = 0.9, nesterov: bool = False) -> Any:
    return torch.optim.SGD(p, lr, momentum=decay, nesterov=nesterov)


def _adam(rule: Any, p: Any, lr: Any, *, b1: Any = 0.9, b2: Any = 0.999, **options: Any) -> Any:
    return rule(p, lr, (b1, b2), **options)


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "adam": functools.partial(_adam, torch.optim.Adam),
    "adamw": functools.partial(_adam, torch.optim.AdamW, weight_decay=1e-4),
    "momentum": _sgd,
    "nesterov": functools.partial(_sgd, nesterov=True),
    "sgd": torch.optim.SGD,
}
"""The update rules in PyTorch with our options. Its RMSProp adds eps to the root, not under it."""


def _tensor(array: Any) -> Any:
    array = np.array(array)
    return torch.tensor(array, dtype=torch.float64 if array.dtype.kind == "f" else torch.int64)


def _variable(array: Any) -> Any:
    return _tensor(array).requires_grad_()


def _function(name: str) -> Any:
    """``f(at, **data, **options)``, or None; an activation may be PyTorch's of the same name."""
    theirs = getattr(functional, name, None) if name in ACTIVATIONS else None
    return _FUNCTIONS.get(name, theirs)


def _loss(function: Callable[..., Any]) -> Callable[..., Any]:
    """Values and what each counts, under the contract of jaxnets: weights, then the reduction."""

    def loss(
        x: Any, targets: Any, *, weights: Any = None, reduction: str = "mean", **options: Any
    ) -> Any:
        values, counts = function(x, targets, **options)
        if weights is not None:
            weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
            values, counts = values * weights, counts * weights
        if reduction == "none":
            return values
        return values.sum() if reduction == "sum" else values.sum() / counts.sum()

    return loss


def _element_loss(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss of one value per element."""

    def values_and_counts(x: Any, y: Any, **options: Any) -> tuple[Any, Any]:
        values = function(x, y, reduction="none", **options)
        return values, torch.ones_like(values)

    return _loss(values_and_counts)


def _class_loss(function: Callable[..., Any]) -> Callable[..., Any]:
    """Cross-entropy and nll; PyTorch has the classes on axis 1, so all examples go on axis 0."""

    def values_and_counts(x: Any, y: Any, *, class_weights: Any = None, **options: Any) -> Any:
        c, counts = class_weights, torch.ones_like(x[..., 0])
        if y.ndim < x.ndim:
            kept = y != options.get("ignore_index", -100)
            counts = kept * (counts if c is None else c[y])
            y = y.reshape(-1)
        values = function(x.reshape(-1, x.shape[-1]), y, weight=c, reduction="none", **options)
        return values.reshape(counts.shape), counts

    return _loss(values_and_counts)


def _nll(x: Any, y: Any, *, weight: Any, **options: Any) -> Any:
    """PyTorch's takes labels only."""
    if y.ndim == 1:
        return functional.nll_loss(x, y, weight=weight, **options)
    return -(y * x if weight is None else weight * y * x).sum(-1)


def _layer(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of parameters and inputs under our contract."""
    return lambda at, **options: function(at["params"], at["x"], **options)


def _dense(params: Any, x: Any) -> Any:
    return functional.linear(x, params["w"].T, params.get("b"))


def _layer_norm(params: Any, x: Any, *, eps: float = 1e-5) -> Any:
    scale, shift = params["scale"], params["shift"]
    return functional.layer_norm(x, scale.shape, scale, shift, eps)


def _rms_norm(params: Any, x: Any, *, eps: float | None = None) -> Any:
    return functional.rms_norm(x, params["scale"].shape, params["scale"], eps)


def _parametric_relu(params: Any, x: Any) -> Any:
    return functional.prelu(x.movedim(-1, 1), params["alpha"].reshape(-1)).movedim(1, -1)


def _sequential(params: Any, x: Any) -> Any:
    hidden = torch.relu(_layer_norm(params["1"], _dense(params["0"], x)))
    return torch.softmax(_dense(params["3"], hidden), -1)


def _parallel(params: Any, x: Any, *, combine: str) -> Any:
    outputs = [_dense(params["0"], x), torch.tanh(x), _dense(params["2"], x)]
    if combine == "concatenate":
        return torch.cat(outputs, dim=-1)
    pairwise = {"add": torch.add, "maximum": torch.maximum, "multiply": torch.multiply}
    return functools.reduce(pairwise[combine], outputs)


def _mlp(params: Any, *, x: Any, y: Any, activation: Any, output: Any, loss: Any) -> Any:
    a = x
    for i in range(len(params)):
        unit = activation if i < len(params) - 1 else output
        a = _dense(params[str(2 * i)], a)
        a = a if unit is None else _function(unit.__name__)(a)
    return _FUNCTIONS[loss.__name__](a, y)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "gelu": lambda x, *, approximate=False: functional.gelu(
        x, approximate="tanh" if approximate else "none"
    ),
    # The gradient of torch's hardsigmoid is 1/6 in float32 even for float64 inputs.
    "hard_sigmoid": lambda x: functional.relu6(x + 3) / 6,
    "hard_tanh": functional.hardtanh,
    "identity": lambda x: x * 1,
    "log_sigmoid": functional.logsigmoid,
    "log_softmax": lambda x, *, axis=-1: torch.log_softmax(x, axis),
    "prelu": lambda x, *, alpha: functional.prelu(x, alpha.reshape(-1)),
    "softmax": lambda x, *, axis=-1: torch.softmax(x, axis),
    "softplus": lambda x, *, beta=1.0: functional.softplus(x, beta, threshold=1000),
    "bce": _element_loss(functional.binary_cross_entropy),
    "bce_with_logits": _element_loss(functional.binary_cross_entropy_with_logits),
    "cross_entropy": _class_loss(functional.cross_entropy),
    "huber": _element_loss(functional.huber_loss),
    "kl_divergence": _element_loss(lambda *x, **options: functional.kl_div(*x, **options).sum(-1)),
    "mae": _element_loss(functional.l1_loss),
    "mse": _element_loss(functional.mse_loss),
    "nll": _class_loss(_nll),
    "smooth_l1": _element_loss(functional.smooth_l1_loss),
    "dense": _layer(_dense),
    "embedding": lambda at, *, x: functional.embedding(x, at["params"]["table"]),
    "flatten": lambda at: at["x"].reshape(at["x"].shape[0], -1),
    "layer_norm": _layer(_layer_norm),
    "parametric_relu": _layer(_parametric_relu),
    "rms_norm": _layer(_rms_norm),
    "parallel": _layer(_parallel),
    "perceptron": _layer(lambda params, x: torch.sigmoid(_dense(params, x)).squeeze(-1)),
    "residual": _layer(lambda params, x: x + torch.tanh(_dense(params["0"], x))),
    "sequential": _layer(_sequential),
    "mlp": _mlp,
}
