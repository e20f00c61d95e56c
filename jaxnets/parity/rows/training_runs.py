"""Whole training runs: gradients by hand against autodiff, and against PyTorch."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from jaxnets import data, losses
from jaxnets.activations import sigmoid
from jaxnets.combinators import mlp
from jaxnets.parity import backprop
from jaxnets.parity.entries.networks import mlp_params
from jaxnets.parity.leaves import LeafError, leaf_error, tree_errors
from jaxnets.parity.programs import precision
from jaxnets.parity.report import Report
from jaxnets.training import Fit, Supervised, fit, objective

__all__ = ["TRAINING", "run_errors", "starting_params", "train", "train_by_hand", "training_row"]

STEPS = 10_001
"""Steps of a training run, as in the course."""

TORCH_STEPS = 1000
"""Steps that PyTorch makes of it."""

TRAINING = {
    "training_2_2_1": ((2, 2, 1), 1.0),
    "training_2_10_10_10_1": ((2, 10, 10, 10, 1), 0.3),
}
"""Widths and learning rate of the training runs.

The deep network gets 0.3 and not the course's 1.0. With 1.0 it passes a stretch where it is
chaotic: a change of the weights in their 12th digit changes the loss in its first. No two
programs that round differently agree after that, whichever way they differentiate.
"""


def training_row(name: str, *, torch: bool) -> Report:
    """XOR learned with gradients by hand and by autodiff, from the same weights."""
    exact = train_by_hand(name, np.float64)
    errors = {
        "float64": run_errors(exact, train(name, np.float64)),
        "float32": run_errors(train_by_hand(name, np.float32), train(name, np.float32)),
    }
    if torch:
        curve = exact.history["loss"][:TORCH_STEPS]
        errors["PyTorch"] = (_curve_error(curve, _losses_by_torch(name)),)
    compared = f"XOR, {STEPS} steps (PyTorch: {TORCH_STEPS})"
    return Report(name, "training", errors, compared)


def train_by_hand(name: str, dtype: Any) -> Fit:
    """XOR learned without automatic differentiation, to compare with the same run with it.

      L, d_w_k, d_b_k = loss and gradient by hand    (see backprop, sigmoid, bce)
      w_k <- w_k - lr d_w_k                          (see sgd)
      b_k <- b_k - lr d_b_k

    Compared are the loss of every step and the parameters after the last one. Both runs start
    from the same parameters and see the same data, so they are one sequence in exact arithmetic.
    Their gradients differ by rounding, r, and that difference grows or shrinks on the way. With
    e the difference of all parameters between the runs, one step of both gives

      e <- e - lr (gradient at p + e, less that at p) - lr r
        =  e - lr H e - lr r                         (to first order in e)
        =  (I - lr H) e - lr r

    Where the eigenvalues of lr H are between 0 and 2, old differences shrink; in a direction in
    which the loss is curved downwards they grow. That is why runs pass within a wider tolerance
    than single gradients, and why a chaotic stretch, where I - lr H is large for long, can be
    compared by no tolerance.

    Symbols: X [4, 2] and Y [4, 1] the data; w_k [in_k, out_k], b_k [out_k], d_w_k, d_b_k of the
    same shapes, the parameters of layer k and their gradients; L and lr (the learning rate)
    numbers; p all n parameters in one vector [n], e and r [n]; H [n, n] the second derivatives
    of L by them; I the identity [n, n].
    """
    widths, _ = TRAINING[name]
    units = [sigmoid] * (len(widths) - 1)
    by_hand = functools.partial(backprop.value_and_grad, activations=units, loss=losses.bce)
    return train(name, dtype, by_hand)


def train(name: str, dtype: Any, value_and_grad: Callable[..., Any] | None = None) -> Fit:
    """The run with a gradient ``(params, x, y) -> (loss, gradient)``, or with autodiff."""
    widths, learning_rate = TRAINING[name]
    net = mlp(list(widths[1:]), sigmoid, output_activation=sigmoid)
    gradient = value_and_grad and (lambda params, batch, *, key: value_and_grad(params, *batch))
    with precision(dtype):
        return fit(
            net,
            objective(Supervised(net, losses.bce), value_and_grad=gradient),
            optax.sgd(learning_rate),
            data.xor(),
            key=jax.random.key(0),
            steps=STEPS,
            params=starting_params(widths, dtype),
        )


def run_errors(one: Fit, other: Fit) -> tuple[LeafError, ...]:
    """The errors of all recorded losses, each relative to itself, and of the trained parameters."""
    curves = _curve_error(one.history["loss"], other.history["loss"])
    return curves, *tree_errors(one.params, other.params)


def starting_params(widths: tuple[int, ...], dtype: Any) -> Any:
    """Weights from which the networks learn XOR."""
    params = mlp_params(widths, np.random.default_rng(3))
    return jax.tree.map(lambda leaf: (2 * leaf).astype(dtype), params)


def _curve_error(ours: np.ndarray, theirs: np.ndarray) -> LeafError:
    return leaf_error("losses", ours, theirs, scale=np.abs(theirs))


def _losses_by_torch(name: str) -> np.ndarray:
    """The losses of the same run by PyTorch's autograd and optimizer."""
    from jaxnets.parity.torch_reference import losses_on_the_way

    widths, rate = TRAINING[name]
    x, y = (np.asarray(array, np.float64) for array in data.xor())
    params = starting_params(widths, np.float64)
    return losses_on_the_way(params, x, y, learning_rate=rate, steps=TORCH_STEPS)
