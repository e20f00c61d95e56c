"""The same functions in PyTorch: one more opinion on every derivative.

This module imports PyTorch, and is imported only where that is installed and asked for. What
PyTorch has no function for, has no entry here: heaviside and dropout (no gradient; no mask to
give), focal, hinge, rmse.

Its derivatives lose their digits in the tails, where 1 - tanh(x)^2 is 0. So they are measured
against the largest element of their leaf.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from jaxnets.parity.entries import Entry
from jaxnets.parity.formulas import ACTIVATIONS
from jaxnets.parity.leaves import leaves
from jaxnets.parity.reference import Reference

__all__ = ["OPTIMIZERS", "descend", "losses_on_the_way", "torch_reference"]


def torch_reference(entry: Entry, exact: Reference) -> Reference | None:
    """The reference of an entry by PyTorch in float64, or None if it has no such function.

    Args:
      entry: The entry.
      exact: Its float64 reference, for the inputs and the cotangent.
    """
    function = _function(entry.name)
    if function is None:
        return None
    at, data = exact.inputs
    values, gradients = {}, {}
    for label, case in entry.cases.items():
        at_tensors = _map(lambda leaf: _tensor(leaf).requires_grad_(), at[label])
        value = function(at_tensors, _map(_tensor, data[label]), **case.options)
        value.backward(_tensor(exact.cotangent[label]))
        values[label] = value.detach().numpy()
        gradients[label] = _map(lambda leaf: leaf.grad.numpy(), at_tensors)
    found = leaves(value=values, gradient=gradients)
    return Reference("PyTorch", exact.inputs, exact.cotangent, found, scales={})


def descend(
    name: str,
    options: Mapping[str, Any],
    start: np.ndarray,
    curvatures: np.ndarray,
    noise: np.ndarray,
    *,
    learning_rate: float,
) -> np.ndarray:
    """The parameters after each step of an update rule on a noisy quadratic."""
    p = torch.tensor(start).requires_grad_()
    rule, defaults = OPTIMIZERS[name]
    optimizer = rule([p], lr=learning_rate, **{**defaults, **_renamed(**options)})
    path = []
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
    flat = [
        torch.tensor(layer[entry]).requires_grad_() for layer in params.values() for entry in "wb"
    ]
    optimizer = torch.optim.SGD(flat, lr=learning_rate)
    curve = []
    for _ in range(steps):
        a = inputs
        for w, b in zip(flat[::2], flat[1::2], strict=True):
            a = torch.sigmoid(a @ w + b)
        loss = functional.binary_cross_entropy(a, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.item())
    return np.array(curve)


OPTIMIZERS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 1e-4}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "sgd": (torch.optim.SGD, {}),
}
"""The update rules in PyTorch with our defaults. Its RMSProp adds eps to the root, not under it."""


def _renamed(*, decay: Any = None, b1: Any = None, b2: Any = None, **options: Any) -> Any:
    """The options of a rule under PyTorch's names."""
    momentum = {} if decay is None else {"momentum": decay}
    return {**momentum, **({} if b1 is None else {"betas": (b1, b2)}), **options}


def _map(function: Callable[[Any], Any], tree: Any) -> Any:
    """``function`` of every leaf of nested dicts."""
    if isinstance(tree, dict):
        return {name: _map(function, child) for name, child in tree.items()}
    return function(tree)


def _tensor(array: Any) -> Any:
    array = np.array(array)
    return torch.tensor(array, dtype=torch.float64 if array.dtype.kind == "f" else torch.int64)


def _function(name: str) -> Any:
    """``f(at, data, **options)``, or None; an activation may be PyTorch's under the same name."""
    theirs = getattr(functional, name, None) if name in ACTIVATIONS else None
    return _FUNCTIONS.get(name) or (theirs and _activation(theirs))


def _activation(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose options are called as ours."""
    return lambda x, data, **options: function(x, **options)


def _element_loss(function: Callable[..., Any]) -> Callable[..., Any]:
    """A loss of one value per element, weighted and reduced under the contract of jaxnets."""

    def loss(x: Any, data: Any, *, reduction: str = "mean", **options: Any) -> Any:
        more = {option: value for option, value in data.items() if option == "pos_weight"}
        values = function(x, data["targets"], reduction="none", **more, **options)
        return _reduced(values, torch.ones_like(values), data.get("weights"), reduction)

    return loss


def _kl_divergence(x: Any, data: Any, *, reduction: str = "mean") -> Any:
    values = functional.kl_div(x, data["targets"], reduction="none").sum(-1)
    return _reduced(values, torch.ones_like(values), data.get("weights"), reduction)


def _class_loss(name: str) -> Callable[..., Any]:
    """Cross-entropy and nll; PyTorch has the classes on axis 1, so all examples go on axis 0."""

    def loss(x: Any, data: Any, *, reduction: str = "mean", **options: Any) -> Any:
        y, c = data["targets"], data.get("class_weights")
        rows, counts = x.reshape(-1, x.shape[-1]), torch.ones_like(x[..., 0])
        if y.ndim < x.ndim:
            kept = y != options.get("ignore_index", -100)
            counts = kept * (counts if c is None else c[y])
            y = y.reshape(-1)
        if name == "nll_loss" and y.ndim > 1:  # PyTorch's takes labels only
            values = -(y * x if c is None else c * y * x).sum(-1)
        else:
            function = getattr(functional, name)
            values = function(rows, y, weight=c, reduction="none", **options)
        return _reduced(values.reshape(counts.shape), counts, data.get("weights"), reduction)

    return loss


def _reduced(values: Any, counts: Any, weights: Any, reduction: str) -> Any:
    """The contract of jaxnets: weights first, and a mean divides by the sum of what counts."""
    if weights is not None:
        weights = weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim))
        values, counts = values * weights, counts * weights
    if reduction == "none":
        return values
    return values.sum() if reduction == "sum" else values.sum() / counts.sum()


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


def _layer(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of parameters and inputs under our contract."""
    return lambda at, data, **options: function(at["params"], at["x"], **options)


def _mlp(params: Any, data: Any, *, activation: Any, output: Any, loss: Any) -> Any:
    a = data["x"]
    for i in range(len(params)):
        unit = activation if i < len(params) - 1 else output
        a = _dense(params[str(2 * i)], a)
        a = a if unit is None else _function(unit.__name__)(a, {})
    return _FUNCTIONS[loss.__name__](a, {"targets": data["y"]})


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "gelu": lambda x, data, *, approximate=False: functional.gelu(
        x, approximate="tanh" if approximate else "none"
    ),
    # The gradient of torch's hardsigmoid is 1/6 in float32 even for float64 inputs.
    "hard_sigmoid": lambda x, data: functional.relu6(x + 3) / 6,
    "hard_tanh": _activation(functional.hardtanh),
    "identity": lambda x, data: x * 1,
    "log_sigmoid": _activation(functional.logsigmoid),
    "log_softmax": lambda x, data, *, axis=-1: torch.log_softmax(x, axis),
    "prelu": lambda x, data: functional.prelu(x, data["alpha"].reshape(-1)),
    "softmax": lambda x, data, *, axis=-1: torch.softmax(x, axis),
    "softplus": lambda x, data, *, beta=1.0: functional.softplus(x, beta, threshold=1000),
    "bce": _element_loss(functional.binary_cross_entropy),
    "bce_with_logits": _element_loss(functional.binary_cross_entropy_with_logits),
    "cross_entropy": _class_loss("cross_entropy"),
    "huber": _element_loss(functional.huber_loss),
    "kl_divergence": _kl_divergence,
    "mae": _element_loss(functional.l1_loss),
    "mse": _element_loss(functional.mse_loss),
    "nll": _class_loss("nll_loss"),
    "smooth_l1": _element_loss(functional.smooth_l1_loss),
    "dense": _layer(_dense),
    "embedding": lambda at, data: functional.embedding(data["x"], at["params"]["table"]),
    "flatten": lambda at, data: at["x"].reshape(at["x"].shape[0], -1),
    "layer_norm": _layer(_layer_norm),
    "parametric_relu": _layer(_parametric_relu),
    "rms_norm": _layer(_rms_norm),
    "parallel": _layer(_parallel),
    "perceptron": _layer(lambda params, x: torch.sigmoid(_dense(params, x)).squeeze(-1)),
    "residual": _layer(lambda params, x: x + torch.tanh(_dense(params["0"], x))),
    "sequential": _layer(_sequential),
    "mlp": _mlp,
}
