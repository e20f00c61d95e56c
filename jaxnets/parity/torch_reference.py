"""The same functions in PyTorch, where it is installed: one more opinion on every derivative.

PyTorch is imported only when it is asked for a reference. What it has no function for, has no
entry here: step and dropout (no gradient; no mask to give), focal, hinge, rmse.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnets.parity.entries import Entry
from jaxnets.parity.leaves import leaves
from jaxnets.parity.references import Reference

__all__ = ["torch_reference", "torch_version"]


def torch_version() -> str | None:
    """PyTorch's version, or None if it is not installed; found out without importing it."""
    if importlib.util.find_spec("torch") is None:
        return None
    return importlib.metadata.version("torch")


def torch_reference(entry: Entry, exact: Reference) -> Reference | None:
    """What PyTorch says of an entry in float64, or None if it has no such function.

    Args:
      entry: The entry.
      exact: Its float64 reference, for the inputs and the cotangent.
    """
    if entry.name not in _FUNCTIONS:
        return None
    torch = importlib.import_module("torch")
    at, data = exact.inputs
    values, gradients = {}, {}
    for label, case in entry.cases.items():
        at_tensors = _map(lambda leaf: _tensor(torch, leaf).requires_grad_(), at[label])
        data_tensors = _map(functools.partial(_tensor, torch), data[label])
        value = _FUNCTIONS[entry.name](torch, at_tensors, data_tensors, **case.options)
        value.backward(_tensor(torch, exact.cotangent[label]))
        values[label] = value.detach().numpy()
        gradients[label] = _map(lambda leaf: leaf.grad.numpy(), at_tensors)
    found = leaves(value=values, gradient=gradients)
    return Reference("PyTorch", exact.dtype, exact.inputs, exact.cotangent, found)


def _map(function: Callable[[Any], Any], tree: Any) -> Any:
    """``function`` of every leaf of nested dicts."""
    if isinstance(tree, dict):
        return {name: _map(function, child) for name, child in tree.items()}
    return function(tree)


def _tensor(torch: Any, array: Any) -> Any:
    array = np.array(array)
    return torch.tensor(array, dtype=torch.float64 if array.dtype.kind == "f" else torch.int64)


def _activation(name: str) -> Callable[..., Any]:
    """A function of ``torch.nn.functional`` whose options are called as ours."""
    return lambda torch, x, data, **options: getattr(torch.nn.functional, name)(x, **options)


def _hard_sigmoid(torch: Any, x: Any, data: Any) -> Any:
    # The gradient of torch's hardsigmoid is 1/6 in float32 even for float64 inputs.
    return torch.nn.functional.relu6(x + 3) / 6


def _softplus(torch: Any, x: Any, data: Any, **options: Any) -> Any:
    return torch.nn.functional.softplus(x, threshold=1000, **options)


def _gelu(torch: Any, x: Any, data: Any, *, approximate: bool = False) -> Any:
    return torch.nn.functional.gelu(x, approximate="tanh" if approximate else "none")


def _prelu(torch: Any, x: Any, data: Any) -> Any:
    return torch.nn.functional.prelu(x, data["alpha"].reshape(-1))


def _over_axis(name: str) -> Callable[..., Any]:
    return lambda torch, x, data, *, axis=-1: getattr(torch, name)(x, dim=axis)


def _element_loss(name: str) -> Callable[..., Any]:
    """A loss of one value an element, weighted and reduced under the contract of jaxnets."""

    def loss(torch: Any, x: Any, data: Any, *, reduction: str = "mean", **options: Any) -> Any:
        more = {option: value for option, value in data.items() if option == "pos_weight"}
        function = getattr(torch.nn.functional, name)
        values = function(x, data["targets"], reduction="none", **more, **options)
        return _reduced(values, torch.ones_like(values), data.get("weights"), reduction)

    return loss


def _kl_divergence(torch: Any, x: Any, data: Any, *, reduction: str = "mean") -> Any:
    values = torch.nn.functional.kl_div(x, data["targets"], reduction="none").sum(-1)
    return _reduced(values, torch.ones_like(values), data.get("weights"), reduction)


def _class_loss(name: str) -> Callable[..., Any]:
    """Cross-entropy and nll; PyTorch has the classes on axis 1, so all examples go on axis 0."""

    def loss(torch: Any, x: Any, data: Any, *, reduction: str = "mean", **options: Any) -> Any:
        y, c = data["targets"], data.get("class_weights")
        rows, counts = x.reshape(-1, x.shape[-1]), torch.ones_like(x[..., 0])
        if y.ndim < x.ndim:
            kept = y != options.get("ignore_index", -100)
            counts = kept * (counts if c is None else c[y])
            y = y.reshape(-1)
        if name == "nll_loss" and y.ndim > 1:  # PyTorch's takes labels only
            values = -(y * x if c is None else c * y * x).sum(-1)
        else:
            function = getattr(torch.nn.functional, name)
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


def _dense(torch: Any, at: Any, data: Any) -> Any:
    return torch.nn.functional.linear(at["x"], at["params"]["w"].T, at["params"].get("b"))


def _layer_norm(torch: Any, at: Any, data: Any, *, eps: float = 1e-5) -> Any:
    scale, shift = at["params"]["scale"], at["params"]["shift"]
    return torch.nn.functional.layer_norm(at["x"], scale.shape, scale, shift, eps)


def _rms_norm(torch: Any, at: Any, data: Any, *, eps: float | None = None) -> Any:
    scale = at["params"]["scale"]
    return torch.nn.functional.rms_norm(at["x"], scale.shape, scale, eps)


def _embedding(torch: Any, at: Any, data: Any) -> Any:
    return torch.nn.functional.embedding(data["x"], at["params"]["table"])


def _parametric_relu(torch: Any, at: Any, data: Any) -> Any:
    x, alpha = at["x"].movedim(-1, 1), at["params"]["alpha"].reshape(-1)
    return torch.nn.functional.prelu(x, alpha).movedim(1, -1)


def _flatten(torch: Any, at: Any, data: Any) -> Any:
    return at["x"].reshape(at["x"].shape[0], -1)


def _sequential(torch: Any, at: Any, data: Any) -> Any:
    params, x = at["params"], at["x"]
    x = _dense(torch, {"params": params["0"], "x": x}, {})
    x = torch.relu(_layer_norm(torch, {"params": params["1"], "x": x}, {}))
    return torch.softmax(_dense(torch, {"params": params["3"], "x": x}, {}), -1)


def _parallel(torch: Any, at: Any, data: Any) -> Any:
    params, x = at["params"], at["x"]
    first = _dense(torch, {"params": params["0"], "x": x}, {})
    return first + torch.tanh(x) + _dense(torch, {"params": params["2"], "x": x}, {})


def _residual(torch: Any, at: Any, data: Any) -> Any:
    return at["x"] + torch.tanh(_dense(torch, {"params": at["params"]["0"], "x": at["x"]}, {}))


def _perceptron(torch: Any, at: Any, data: Any) -> Any:
    return torch.sigmoid(_dense(torch, at, data)).squeeze(-1)


def _mlp(torch: Any, params: Any, data: Any, *, activation: Any, output: Any, loss: Any) -> Any:
    a = data["x"]
    for i in range(len(params)):
        a = _dense(torch, {"params": params[str(2 * i)], "x": a}, {})
        unit = activation if i < len(params) - 1 else output
        a = a if unit is None else _FUNCTIONS[unit.__name__](torch, a, {})
    return _FUNCTIONS[loss.__name__](torch, a, {"targets": data["y"]})


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "celu": _activation("celu"),
    "elu": _activation("elu"),
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _activation("hardtanh"),
    "identity": lambda torch, x, data: x * 1,
    "leaky_relu": _activation("leaky_relu"),
    "log_sigmoid": _activation("logsigmoid"),
    "log_softmax": _over_axis("log_softmax"),
    "mish": _activation("mish"),
    "prelu": _prelu,
    "relu": _activation("relu"),
    "relu6": _activation("relu6"),
    "selu": _activation("selu"),
    "sigmoid": _activation("sigmoid"),
    "silu": _activation("silu"),
    "softmax": _over_axis("softmax"),
    "softplus": _softplus,
    "softsign": _activation("softsign"),
    "tanh": _activation("tanh"),
    "bce": _element_loss("binary_cross_entropy"),
    "bce_with_logits": _element_loss("binary_cross_entropy_with_logits"),
    "cross_entropy": _class_loss("cross_entropy"),
    "huber": _element_loss("huber_loss"),
    "kl_divergence": _kl_divergence,
    "mae": _element_loss("l1_loss"),
    "mse": _element_loss("mse_loss"),
    "nll": _class_loss("nll_loss"),
    "smooth_l1": _element_loss("smooth_l1_loss"),
    "dense": _dense,
    "embedding": _embedding,
    "flatten": _flatten,
    "layer_norm": _layer_norm,
    "parametric_relu": _parametric_relu,
    "rms_norm": _rms_norm,
    "parallel": _parallel,
    "perceptron": _perceptron,
    "residual": _residual,
    "sequential": _sequential,
    "mlp": _mlp,
}
