"""Update rules: ``f(p, g, state, *, learning_rate, ...) -> (p, state)``, for one array.

p is a parameter, g the gradient of the loss by it, both of one shape; all operations go element
by element. The state is None before the first step; what a rule returns is passed to its next
step. Products with b, m, v are of the same shape; everything else is a number.
"""

from typing import Any

from jaxnets.parity.formulas.arrays import namespace
from jaxnets.parity.formulas.formula import formula

__all__ = ["adam", "adamw", "momentum", "nesterov", "rmsprop", "sgd"]

Update = tuple[Any, Any]


def sgd(p: Any, g: Any, state: Any, *, learning_rate: float) -> Update:
    """Gradient descent: a step against the gradient.

      p <- p - lr g

    Derivation: after a small step s the loss is L(p) + g . s, to first order. Of all steps of one
    length |s|, the one against g lowers that most, for g . s >= -|g| |s| (Cauchy and Schwarz),
    with equality for s = -lr g alone.

    Symbols: p, g, s any shape, all the same; L(p), |s|, |g|, g . s (the sum of the products of
    their elements) and lr (learning_rate) numbers.
    """
    return p - learning_rate * g, None


@formula(options=[{"decay": 0.5}])
def momentum(p: Any, g: Any, state: Any, *, learning_rate: float, decay: float = 0.9) -> Update:
    """Gradient descent with momentum: steps along a decaying sum of the gradients.

      m <- u m + g                                   (m = 0 at first)
      p <- p - lr m

    In a constant gradient m grows to g (1 + u + u^2 + ...) = g / (1 - u): ten times g for
    u = 0.9.

    Symbols: p, g, m any shape, all the same; lr (learning_rate), u (decay) numbers.
    """
    m = g if state is None else decay * state + g
    return p - learning_rate * m, m


@formula(options=[{"decay": 0.5}])
def nesterov(p: Any, g: Any, state: Any, *, learning_rate: float, decay: float = 0.9) -> Update:
    """Nesterov's momentum: the step looks one decay ahead.

      m <- u m + g                                   (m = 0 at first)
      p <- p - lr (g + u m)

    Derivation: Nesterov's rule moves q, but takes g at the point p = q - lr u m that its momentum
    alone would lead to:  m' = u m + g,  q' = q - lr m'. The next such point is

      p' = q' - lr u m'
         = p + lr u m - lr m' - lr u m'              (q = p + lr u m)
         = p - lr g - lr u m'                        (m' - u m = g)

    which is the rule above: it keeps p and never needs q.

    Symbols: p, q, g, m any shape, all the same, with a prime after the step; lr (learning_rate),
    u (decay) numbers.
    """
    m = g if state is None else decay * state + g
    return p - learning_rate * (g + decay * m), m


@formula(options=[{"decay": 0.5, "eps": 0.01}])
def rmsprop(
    p: Any, g: Any, state: Any, *, learning_rate: float, decay: float = 0.9, eps: float = 1e-8
) -> Update:
    """RMSProp: each element's step is scaled by the size that its gradients lately had.

      v <- b v + (1 - b) g^2                         (v = 0 at first)
      p <- p - lr g / sqrt(v + eps)

    v is an average of the squares of past gradients. In a constant gradient it grows to g^2, and
    each element moves by lr, whatever the size of its gradient.

    As optax does by default, eps stands inside the root; PyTorch adds it to the root.

    Symbols: p, g, v any shape, all the same; lr (learning_rate), b (decay), eps numbers.
    """
    v = (1 - decay) * g**2 + (0 if state is None else decay * state)
    return p - learning_rate * g / namespace(p).sqrt(v + eps), v


@formula(options=[{"b1": 0.5, "b2": 0.9, "eps": 0.01}])
def adam(
    p: Any,
    g: Any,
    state: Any,
    *,
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Update:
    """Adam: momentum over RMSProp's scale, both freed of their start at 0.

      t <- t + 1                                     (t = 0, m = 0, v = 0 at first)
      m <- b1 m + (1 - b1) g
      v <- b2 v + (1 - b2) g^2
      p <- p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Derivation of the corrections: after t steps of a constant g

      m = (1 - b1) (1 + b1 + ... + b1^(t-1)) g
        = (1 - b1^t) g                               (the geometric series)

    and likewise v = (1 - b2^t) g^2, so that the corrected averages are g and g^2. As in PyTorch
    and by default in optax, eps is added to the root.

    Symbols: p, g, m, v any shape, all the same; lr (learning_rate), b1, b2, eps, t numbers.
    """
    t, m, v = (0, 0, 0) if state is None else state
    t, m, v = t + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    average, square = m / (1 - b1**t), v / (1 - b2**t)
    return p - learning_rate * average / (namespace(p).sqrt(square) + eps), (t, m, v)


@formula(options=[{"b1": 0.5, "b2": 0.9, "eps": 0.01, "weight_decay": 0.1}])
def adamw(
    p: Any,
    g: Any,
    state: Any,
    *,
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
) -> Update:
    """Adam with weight decay apart from the gradient.

      p <- (adam's new p) - lr d p

    The decay is not divided by sqrt(v), as it would be if d p were added to g: large gradients
    do not shield a weight from it.

    Symbols: p, g and adam's m, v any shape, all the same; lr (learning_rate), d (weight_decay),
    b1, b2, eps numbers.
    """
    stepped, state = adam(p, g, state, learning_rate=learning_rate, b1=b1, b2=b2, eps=eps)
    return stepped - learning_rate * weight_decay * p, state
