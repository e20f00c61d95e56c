"""The course's own hand-written update rule for XOR, and what it is.

The lesson that trains the 2-2-1 network "by hand" differentiates with the chain rule and then
steps. Read closely, its rule departs from gradient descent on the loss that it prints in two
places; it is kept here exactly as it stands, with both.

With N examples and Y_pred = sigmoid(l2) the gradient of the printed loss, the mean binary
cross-entropy, is

  d_l2 = (Y_pred - Y) / N,   d_w2 = a1^T d_l2,   d_b2 = sum of d_l2 over the batch

The rule computes instead

  d_l2 = (Y_pred - Y) q      with q = p / (p + 1e-7), p = Y_pred (1 - Y_pred)
  w step: lr a1^T d_l2       (a sum over the batch)
  b step: lr mean of d_l2    (a mean over the batch)

1. Weights and biases are not scaled alike. The 1/N of the mean is missing in d_l2. The bias gets
   it back from its own mean, the weight does not: its step is N times what the gradient asks,
   while the bias's is once. This is the same in the layers below, as every d_l is linear in
   d_l2. So the rule is gradient descent with two learning rates, N lr for weights and lr for
   biases: for XOR with lr = 1 that is 4 and 1. No one learning rate makes it the gradient's, and
   a change of the batch size changes the ratio.
2. The 1e-7 that guards the division also shrinks each example by q. The denominator p is the
   derivative of the sigmoid before it, and would cancel exactly: there is nothing to guard.
   1 - q is 4e-7 where Y_pred = 1/2, but 1/2 where Y_pred is within 1e-7 of 0 or 1: an answer
   that is surely wrong is corrected at half speed, or hardly at all.

It does train: the loss falls, only not along its gradient. There is no automatic differentiation
in this.
"""

from typing import Any

from jaxnets.errors import named, require
from jaxnets.parity.formulas.arrays import namespace, per_feature

__all__ = ["GUARD", "value_and_grad"]

GUARD = 1e-7
"""The number that the rule adds to the denominator."""


@named("tutorial.value_and_grad")
def value_and_grad(params: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The course's loss, and the step that its rule makes for a learning rate of 1.

      l1 = X w1 + b1,   a1 = sigmoid(l1)
      l2 = a1 w2 + b2,  Y_pred = sigmoid(l2)
      cost = -mean(Y log Y_pred + (1 - Y) log(1 - Y_pred))

      d_Y_pred = (Y_pred - Y) / (Y_pred (1 - Y_pred) + 1e-7)
      d_l2 = d_Y_pred sigmoid_prime(l2)
      d_w2 = a1^T d_l2                             summed over the batch
      d_b2 = mean of d_l2                          averaged over the batch
      d_a1 = d_l2 w2^T
      d_l1 = d_a1 sigmoid_prime(l1)
      d_w1 = X^T d_l1
      d_b1 = mean of d_l1

    and likewise for any depth. It is not the gradient of cost: d_w is N times and d_b once what
    the gradient is, both but for the 1e-7. (The logarithms are not guarded: where Y_pred rounds
    to 0 or 1 the cost is not finite, there as here.)

    Symbols: X [N, in]; w1 [in, hidden]; b1 [hidden]; l1, a1 [N, hidden]; w2 [hidden, out];
    b2 [out]; l2, Y_pred and the targets Y [N, out]; cost a number; d_... of the shape of its
    variable; N the number of examples.

    Args:
      params: Those of dense layers with a sigmoid after each, ``{"0": {"w": ..., "b": ...},
        "2": ...}``.
      x: X, ``[batch, in]``.
      y: Y, ``[batch, out]``, in [0, 1].

    Returns:
      ``(cost, step)``, with the step as a dict like ``params``: as the gradient of an
      `jaxnets.objective`, with ``optax.sgd``, it makes the course's updates.

    Raises:
      ValueError: If there are no layers ``"0"``, ``"2"``, ``"4"`` and so on, each with ``w`` and
        ``b``.

    Example:
      The cost that the course prints before its first step:

      >>> import jaxnets as jn
      >>> from jaxnets.torch_compat import torch_init
      >>> x, y = jn.data.xor()
      >>> net = jn.sequential(jn.dense(2), jn.sigmoid, jn.dense(1), jn.sigmoid)
      >>> cost, step = value_and_grad(torch_init(net, x, 777), x, y)
      >>> print(f"{cost:.4f}")
      0.7434
    """
    names = _layer_names(params)
    xp = namespace(x)
    inputs, slopes, a = [], [], x
    for name in names:
        inputs.append(a)
        l1 = a @ params[name]["w"]
        a = 1 / (1 + xp.exp(-(l1 + per_feature(params[name]["b"], l1))))
        slopes.append(a * (1 - a))
    cost = -xp.mean(y * xp.log(a) + (1 - y) * xp.log(1 - a))

    step = {}
    d_a = (a - y) / (a * (1 - a) + GUARD)
    for name, a_below, slope in zip(names[::-1], inputs[::-1], slopes[::-1], strict=True):
        d_l1 = d_a * slope
        step[name] = {"w": a_below.T @ d_l1, "b": xp.mean(d_l1, axis=0)}
        d_a = d_l1 @ params[name]["w"].T
    return cost, {name: step[name] for name in params}


def _layer_names(params: Any) -> list[str]:
    """The keys of the dense layers in the order of the network."""
    names = [str(2 * i) for i in range(len(params))]
    fits = names and all(set(params.get(name, {})) == {"w", "b"} for name in names)
    rule = "be those of dense layers with a sigmoid after each, with the keys '0', '2', '4' ..."
    remedy = "Make them with jn.sequential(jn.dense(2), jn.sigmoid, jn.dense(1), jn.sigmoid)."
    require(fits, "params", rule, f"the keys {sorted(params)}", remedy)
    return names
