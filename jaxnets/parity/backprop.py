"""Backpropagation through a multilayer perceptron, by hand, without automatic differentiation."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from jaxnets import activations as library_activations
from jaxnets import losses as library_losses
from jaxnets.errors import named, require
from jaxnets.parity.formulas import ACTIVATIONS, LAYERS, LOSSES
from jaxnets.parity.formulas.combinators import elementwise, sequential
from jaxnets.parity.formulas.formula import Formula
from jaxnets.parity.formulas.layers import dense

__all__ = ["value_and_grad"]

UNITS: dict[str, Formula] = {
    **{name: elementwise(formula) for name, formula in ACTIVATIONS.items()},
    **{name: LAYERS[name] for name in ("log_softmax", "softmax")},
}
"""Every activation as a layer without parameters."""


@named("backprop.value_and_grad")
def value_and_grad(
    params: Any, x: Any, y: Any, *, activations: Sequence[Any], loss: Any
) -> tuple[Any, Any]:
    """The loss of a multilayer perceptron and its gradient by all parameters, by hand.

      a_0       = X
      l_k       = a_(k-1) w_k + b_k                k = 1 ... depth
      a_k       = f_k(l_k)
      L         = loss(a_depth, Y)

      d_a_depth = dL/da_depth                      (see the loss)
      d_l_k     = d_a_k f_k'(l_k)                  (see the activation)
      d_w_k     = a_(k-1)^T d_l_k                  (see dense)
      d_b_k     = sum over the batch of d_l_k
      d_a_(k-1) = d_l_k w_k^T                      and on with layer k - 1

    Derivation: w_k and b_k act on L only through l_k, l_k only through a_k, and a_k only through
    l_(k+1); the chain rule multiplies these links, from the loss backwards. Where f_k is not
    elementwise, as softmax, d_l_k is what stands there as d_x for d_y = d_a_k.

    Symbols: X the inputs [batch, in]; Y the targets that the loss takes; w_k [in_k, out_k], where
    in_1 is in and in_k is out_(k-1); b_k [out_k]; l_k, a_k, d_l_k, d_a_k [batch, out_k]; L a
    number; d_w_k, d_b_k like w_k, b_k; f_k the activation of layer k, depth the number of layers.

    Args:
      params: The parameters of ``sequential(dense, activation, dense, activation, ...)``, or of
        `jaxnets.mlp` without dropout: ``{"0": {"w": ..., "b": ...}, "2": ..., "4": ...}``. Dense
        layers without a bias have no ``"b"``.
      x: Inputs, ``[batch, in]``.
      y: Targets.
      activations: One activation of jaxnets per dense layer: the function, such as
        ``jaxnets.sigmoid``, its name, or a ``functools.partial`` of it with its options. A layer
        without an activation, such as a linear output, has ``jaxnets.identity``.
      loss: A loss of jaxnets, likewise.

    Returns:
      ``(loss, gradient)``, as ``jax.value_and_grad`` gives them: the gradient is a dict like
      ``params``.

    Raises:
      ValueError: If the parameters are not those of such a network, there is not one activation
        per dense layer, or there is no formula for an activation or the loss.

    Example:
      Training without automatic differentiation:

      >>> import jax, optax, jaxnets as jn
      >>> net = jn.sequential(jn.dense(10), jn.sigmoid, jn.dense(1), jn.sigmoid)
      >>> def by_hand(params, batch, *, key):
      ...     return value_and_grad(params, *batch, activations=[jn.sigmoid] * 2, loss="bce")
      >>> goal = jn.objective(jn.Supervised(net, jn.losses.bce), value_and_grad=by_hand)
      >>> data, options = jn.data.xor(), {"key": jax.random.key(0), "steps": 1000}
      >>> result = jn.fit(net, goal, optax.sgd(1.0), data, **options)
      >>> autodiff = jn.fit(net, jn.losses.bce, optax.sgd(1.0), data, **options)
      >>> bool(abs(result.history["loss"] - autodiff.history["loss"]).max() < 1e-3)
      True

    References:
      Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
      1986.
    """
    _check_params(params, len(activations))
    units = [_formula_of("activation", f, UNITS, library_activations) for f in activations]
    network = sequential(*(layer for unit in units for layer in (dense, unit)))
    a, backward = network(params, x)
    value, d_a = _formula_of("loss", loss, LOSSES, library_losses)(a, y)
    gradient, _ = backward(d_a)
    return value, gradient


def _formula_of(kind: str, function: Any, formulas: dict[str, Formula], library: Any) -> Formula:
    """The hand formula of a function of that module, of its name or of a partial of it."""
    if isinstance(function, partial):
        inner = _formula_of(kind, function.func, formulas, library)
        return partial(inner, **function.keywords)
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    ours = name in formulas and function in (name, getattr(library, name))
    rule, remedy = f"be a {kind} of jaxnets, or its name", f"Pass {min(formulas)!r}, for example."
    require(ours, kind, rule, function, remedy)
    return formulas[name]


def _check_params(params: Any, depth: int) -> None:
    """Raise unless they are those of so many dense layers with an activation after each."""
    names = [str(2 * i) for i in range(depth)]
    fits = names and set(names) == set(params) and all("w" in params[name] for name in names)
    rule = f"be those of {depth} dense layers, {names}, one for each activation"
    remedy = "Pass one activation per dense layer, jaxnets.identity for a linear one."
    require(fits, "params", rule, f"the entries {sorted(params)}", remedy)
