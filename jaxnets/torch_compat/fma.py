"""Multiplication and addition with a single rounding, which NumPy does not offer.

PyTorch's compiled loops contract ``x * scale + offset`` into the processor's fused instruction,
so its last bit is that of one rounding. Rounding the product first gives another last bit in
about half of all values drawn from a symmetric interval.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fused_multiply_add"]

Array = npt.NDArray[Any]

_SPLITTER = 2.0**27 + 1
"""Veltkamp's constant for float64: it parts 53 bits into halves whose products are exact."""


def fused_multiply_add(x: Array, scale: Any, offset: Any) -> Array:
    r"""The scaled and shifted array, rounded once.

    .. math:: y = \mathrm{round}(x \cdot s + c)

    Args:
      x: float32 or float64, any shape.
      scale: s, a scalar of the dtype of ``x``.
      offset: c, a scalar of the dtype of ``x``.

    Returns:
      Same shape and dtype as ``x``. Exact while neither |x s| nor |c| exceeds 1e290 or lies
      between 0 and 1e-290.

    Example:
      The square of 1 + 2**-30 is 1 + 2**-29 + 2**-60, whose last term one rounding keeps:

      >>> x = np.array([1 + 2.0**-30])
      >>> bool(fused_multiply_add(x, x[0], -x[0])[0] == 2.0**-30 + 2.0**-60)
      True
      >>> bool((x * x[0] - x[0])[0] == 2.0**-30)
      True

    References:
      Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms
      using rounding to odd", 2008.
    """
    if x.dtype == np.float32:
        product = x.astype(np.float64) * np.float64(scale)
        return _add_to_odd(product, np.full_like(product, offset)).astype(np.float32)
    product, product_error = _two_product(x, np.full_like(x, scale))
    low, low_error = _two_sum(np.full_like(x, offset), product_error)
    high, high_error = _two_sum(product, low)
    return high + _add_to_odd(low_error, high_error)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded sum and its rounding error, which is exact (Knuth)."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """The rounded product and its rounding error, which is exact (Dekker)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _split(a: Array) -> tuple[Array, Array]:
    """Two parts of at most 26 bits that add up to ``a`` (Veltkamp)."""
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def _add_to_odd(a: Array, b: Array) -> Array:
    """The float64 sum rounded to odd: an inexact sum gets an odd last bit.

    Rounding such a sum again, to a coarser grid, gives what one rounding would have given.
    """
    total, error = _two_sum(a, b)
    even = total.view(np.int64) & 1 == 0
    neighbour = np.nextafter(total, np.copysign(np.inf, error))
    return np.where((error != 0) & even, neighbour, total)
