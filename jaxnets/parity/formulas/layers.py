"""Layers: ``f(params, x, **options) -> (y, backward)``, the way back beside the way there.

``backward(d_y) -> (d_params, d_x)`` is the vector-Jacobian product: it takes the gradient of the
loss L by the output y and returns those by the parameters and by the input,

  d_y = dL/dy,    d_x = dL/dx,    d_w = dL/dw ...     each of the shape of its variable.

Derivations go entry by entry: dL/dx_i = sum_j dL/dy_j dy_j/dx_i, where j runs over all entries
of y.
"""

from collections.abc import Callable
from typing import Any

from jaxnets.parity.formulas.activations.rectifiers import prelu
from jaxnets.parity.formulas.arrays import bracket, log_sum_exp, namespace, per_feature, rows

__all__ = [
    "dense",
    "dropout",
    "embedding",
    "flatten",
    "layer_norm",
    "log_softmax",
    "parametric_relu",
    "rms_norm",
    "softmax",
]

Backward = Callable[[Any], tuple[Any, Any]]
ValueAndBackward = tuple[Any, Backward]


def dense(params: Any, x: Any) -> ValueAndBackward:
    """A fully connected layer, in the course l1 = X w1 + b1.

      l1   = X w1 + b1

      d_w1 = X^T d_l1
      d_b1 = sum over the batch of d_l1
      d_X  = d_l1 w1^T

    Derivation, entry by entry: l1_nk = sum_j X_nj w1_jk + b1_k, so that

      dl1_nk/dw1_jk = X_nj     d_w1_jk = sum_n X_nj d_l1_nk    = (X^T d_l1)_jk
      dl1_nk/db1_k  = 1        d_b1_k  = sum_n d_l1_nk
      dl1_nk/dX_nj  = w1_jk    d_X_nj  = sum_k d_l1_nk w1_jk   = (d_l1 w1^T)_nj

    and every other derivative is 0. Each sum runs over the index that the entry on its left does
    not have: w1_jk acts on l1_nk for every example n, X_nj for every output k.

    Symbols: X the input [batch, in]; w1 [in, out]; b1 [out]; l1 and d_l1 [batch, out];
    d_w1, d_b1, d_X of the shapes of w1, b1, X. n counts examples, j inputs, k outputs. Several
    leading axes act as one batch. Without a bias, b1 and d_b1 are left out.
    """
    xp, w = namespace(x), params["w"]
    y = x @ w
    if "b" in params:
        y = y + per_feature(params["b"], y)

    def backward(d_y: Any) -> tuple[Any, Any]:
        d_params = {"w": rows(x).T @ rows(d_y)}
        if "b" in params:
            d_params["b"] = xp.sum(rows(d_y), axis=0)
        return d_params, d_y @ w.T

    return y, backward


def dropout(params: Any, x: Any, *, mask: Any, rate: float) -> ValueAndBackward:
    """Sets elements to zero and scales up those that stay, given which ones stay.

      y   = m x / (1 - p)
      d_x = m d_y / (1 - p)

    Given the mask m, y is x times a constant, element by element; so is its derivative.

    Symbols: x the input, any shape; m the mask of the same shape, 1 for what stays and 0 for
    what is dropped; p (rate) a number; y, d_y, d_x of the shape of x.
    """
    factor = bracket(mask, x) / (1 - rate)
    return x * factor, lambda d_y: ({}, d_y * factor)


def flatten(params: Any, x: Any) -> ValueAndBackward:
    """Joins all axes behind the first.

      y   = x, reshaped
      d_x = d_y, reshaped back

    Every entry of y is one entry of x, so its derivative is 1 by that entry and 0 by all others.

    Symbols: x and d_x [batch, ...]; y and d_y [batch, product of the other axes].
    """
    xp = namespace(x)
    y = xp.reshape(x, (x.shape[0], -1))
    return y, lambda d_y: ({}, xp.reshape(d_y, x.shape))


def embedding(params: Any, x: Any) -> ValueAndBackward:
    """A table of vectors, looked up by index: a dense layer of one-hot vectors.

      y_n   = E_(x_n)               row x_n of the table
            = sum_v o_nv E_v        with o_nv = [x_n = v], that is y = o E
      d_E   = o^T d_y               (see dense)
      d_E_v = sum over the n with x_n = v of d_y_n

    A row that is looked up twice gets both gradients, one that is not gets 0. Indices have no
    gradient.

    Symbols: x the indices [examples ...]; E (table) [vocabulary, features]; y and d_y
    [examples ..., features]; o [examples, vocabulary]; d_E of the shape of E; n counts examples,
    v rows of the table; several leading axes act as one.
    """
    table = params["table"]
    xp = namespace(table)
    indices = xp.reshape(x, (-1, 1))
    one_hot = bracket(indices == per_feature(xp.arange(table.shape[0]), indices), table)
    y = xp.reshape(one_hot @ table, (*x.shape, table.shape[1]))
    return y, lambda d_y: ({"table": one_hot.T @ rows(d_y)}, None)


def parametric_relu(params: Any, x: Any) -> ValueAndBackward:
    """The rectified linear unit with a learned slope a on the left.

      y   = x             if x > 0  else  a x
      d_x = d_y           if x > 0  else  a d_y      (at the kink: a)
      d_a = sum of d_y min(x, 0)

    Derivation: dy/da = 0 if x > 0 else x, which is min(x, 0). The sum runs over all elements
    that share the slope: over everything, or over all axes but the last where each feature has a
    slope of its own.

    Symbols: x the input [..., features]; a (alpha) [] or [features]; y, d_y, d_x of the shape
    of x; d_a of the shape of a.
    """
    xp, alpha = namespace(x), params["alpha"]
    y, slope = prelu(x, alpha=alpha)

    def backward(d_y: Any) -> tuple[Any, Any]:
        d_alpha = rows(d_y * xp.minimum(x, 0))
        return {"alpha": xp.sum(d_alpha, axis=0 if alpha.ndim else None)}, d_y * slope

    return y, backward


def layer_norm(params: Any, x: Any, *, eps: float = 1e-5) -> ValueAndBackward:
    """Brings each example to mean 0 and variance 1, then scales and shifts its features.

      mu  = mean(x)
      c   = x - mu
      v   = mean(c^2)
      r   = 1 / sqrt(v + eps)
      z   = c r
      y   = s z + t

      d_t = sum over the examples of d_y
      d_s = sum over the examples of d_y z
      d_x = r (h - mean(h) - z mean(h z))     with h = d_z = s d_y

    mean() is over the features of one example. Derivation of d_x, backwards through the lines:

      d_z  = s d_y = h                        (y = s z + t)
      d_r  = sum(h c)                         (z = c r; all features share r)
      d_v  = -r^3/2 sum(h c)                  (dr/dv = -(v + eps)^(-3/2) / 2)
           = -n r^2/2 mean(h z)               (r c = z; sum = n mean)
      d_c  = h r + d_v 2 c/n                  (z = c r and v = mean(c^2))
           = r (h - z mean(h z))              (again r c = z)
      d_x  = d_c - mean(d_c)                  (dc_j/dx_i = [i = j] - 1/n)
           = r (h - z mean(h z) - mean(h))    (mean(z) = 0, as mean(c) = 0)

    Symbols: x the input [examples ..., features]; s (scale), t (shift) and d_s, d_t [features];
    mu, v, r, d_v, d_r and mean(...), sum(...) [examples ..., 1]; c, z, h, y and d_c, d_z, d_x, d_y
    like x; n the number of features, i and j two of them; eps a number.
    """
    xp, s, t = namespace(x), per_feature(params["scale"], x), per_feature(params["shift"], x)
    c = x - _mean(x)
    r = 1 / xp.sqrt(_mean(c**2) + eps)
    z = c * r

    def backward(d_y: Any) -> tuple[Any, Any]:
        h = s * d_y
        d_x = r * (h - _mean(h) - z * _mean(h * z))
        d_scale, d_shift = xp.sum(rows(d_y * z), axis=0), xp.sum(rows(d_y), axis=0)
        return {"scale": d_scale, "shift": d_shift}, d_x

    return s * z + t, backward


def rms_norm(params: Any, x: Any, *, eps: float | None = None) -> ValueAndBackward:
    """Brings each example to a mean square of 1, then scales its features.

      q   = mean(x^2)
      r   = 1 / sqrt(q + eps)
      z   = x r
      y   = s z

      d_s = sum over the examples of d_y z
      d_x = r (h - z mean(h z))               with h = d_z = s d_y

    mean() is over the features of one example. Derivation of d_x, backwards through the lines:

      d_z = s d_y = h                         (y = s z)
      d_r = sum(h x)                          (z = x r; all features share r)
      d_q = -r^3/2 sum(h x)                   (dr/dq = -(q + eps)^(-3/2) / 2)
          = -n r^2/2 mean(h z)                (r x = z; sum = n mean)
      d_x = h r + d_q 2 x/n                   (z = x r and q = mean(x^2))
          = r (h - z mean(h z))               (again r x = z)

    Symbols: x the input [examples ..., features]; s (scale) and d_s [features]; q, r, d_q, d_r and
    mean(...), sum(...) [examples ..., 1]; z, h, y and d_z, d_x, d_y like x; n the number of
    features; eps a number, by default the distance from 1 to the next number of x's dtype.
    """
    xp, s = namespace(x), per_feature(params["scale"], x)
    eps = float(xp.finfo(x.dtype).eps) if eps is None else eps
    r = 1 / xp.sqrt(_mean(x**2) + eps)
    z = x * r

    def backward(d_y: Any) -> tuple[Any, Any]:
        h = s * d_y
        d_x = r * (h - z * _mean(h * z))
        return {"scale": xp.sum(rows(d_y * z), axis=0)}, d_x

    return s * z, backward


def softmax(params: Any, x: Any, *, axis: int = -1) -> ValueAndBackward:
    """Exponentials, scaled to sum to 1 along an axis.

      y_i = e^(x_i) / S                              with S = sum_k e^(x_k)
      d_x = y (d_y - sum(d_y y))

    Derivation, with dS/dx_j = e^(x_j):

      dy_i/dx_j = ([i = j] e^(x_i) S - e^(x_i) e^(x_j)) / S^2       (quotient rule)
                = y_i ([i = j] - y_j)
      d_x_j     = sum_i d_y_i y_i ([i = j] - y_j)
                = y_j (d_y_j - sum_i d_y_i y_i)

    It is computed from x - max(x): the factor e^(-max) cancels in y, and nothing overflows.

    Symbols: x the input, y, d_y, d_x any shape, all the same; S and sum(...) one number for each
    line along the axis; i, j, k count along it.
    """
    xp = namespace(x)
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    y = e / xp.sum(e, axis=axis, keepdims=True)

    def backward(d_y: Any) -> tuple[Any, Any]:
        return {}, y * (d_y - xp.sum(d_y * y, axis=axis, keepdims=True))

    return y, backward


def log_softmax(params: Any, x: Any, *, axis: int = -1) -> ValueAndBackward:
    """The logarithm of the softmax.

      y_i = x_i - log S                              with S = sum_k e^(x_k)
      d_x = d_y - e^y sum(d_y)

    Derivation, with dlog S/dx_j = e^(x_j) / S = e^(y_j):

      dy_i/dx_j = [i = j] - e^(y_j)
      d_x_j     = sum_i d_y_i ([i = j] - e^(y_j))
                = d_y_j - e^(y_j) sum_i d_y_i

    It is computed from x - max(x), which changes x_i and log S by the same amount; then S is 1
    and the sum of the other terms, whose logarithm keeps what 1 + them would lose.

    Symbols: x the input, y, d_y, d_x any shape, all the same; S and sum(...) one number for each
    line along the axis; i, j, k count along it.
    """
    xp = namespace(x)
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    y = shifted - log_sum_exp(shifted, axis)

    def backward(d_y: Any) -> tuple[Any, Any]:
        return {}, d_y - xp.exp(y) * xp.sum(d_y, axis=axis, keepdims=True)

    return y, backward


def _mean(x: Any) -> Any:
    """The mean over the features of each example, ``[..., 1]``."""
    return namespace(x).mean(x, axis=-1, keepdims=True)
