"""PyTorch's CPU random stream on NumPy alone."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxnets.checks import check_integer, require_type
from jaxnets.errors import named, require
from jaxnets.torch_compat.fma import fused_multiply_add

__all__ = ["TorchGenerator", "check_seed"]

Array = npt.NDArray[Any]

_LARGEST = {"float32": 1e37, "float64": 1e290}
"""The dtypes that can be drawn, with the largest bound, mean or scale: far from overflow."""

_BLOCK = 16
"""PyTorch draws normals in blocks of so many values, and fewer than that in pairs."""

_LARGEST_PERMUTATION = (2**32 - 1) // 20 - 1
"""From the next length on, PyTorch's ``randperm`` follows another rule, with 64-bit words."""


class TorchGenerator:
    """The stream of numbers that PyTorch draws on the CPU after ``torch.manual_seed(seed)``.

    A sequence of calls gives what the same sequence of PyTorch calls gives, and as there each
    call continues where the one before stopped. This is the one object of the library with a
    state that changes: PyTorch's stream is one long sequence from which every draw takes the
    next words, and the values of a draw depend on all draws before it. Everything else takes a
    key; use this only to reproduce PyTorch. A fresh generator replaces ``manual_seed``.

    Measured against PyTorch 2.13 on x86 processors with AVX2 or AVX-512: `uniform`, `randperm`
    and `random_int64` agree in every bit; `normal` does to the tolerance that it states.
    PyTorch's own values differ from machine to machine: a build for processors without fused
    multiply-add rounds twice in `uniform`, unless the interval is [0, 1).

    Args:
      seed: A whole number from -2**63 to 2**64 - 1. As in PyTorch, only its low 32 bits count.

    Attributes:
      seed: The seed as it was given.

    Raises:
      TypeError: If ``seed`` is not a whole number.
      ValueError: If ``seed`` is out of range.

    Example:
      ``torch.manual_seed(0); torch.rand(3); torch.randperm(4)`` gives the same:

      >>> generator = TorchGenerator(0)
      >>> print(generator.uniform(3))
      [0.4962566  0.7682218  0.08847743]
      >>> print(generator.randperm(4))
      [0 2 3 1]

    References:
      Matsumoto and Nishimura, "Mersenne Twister", 1998; PyTorch's ``DistributionsHelper.h`` and
      ``DistributionTemplates.h``, version 2.13.
    """

    @named("TorchGenerator")
    def __init__(self, seed: int) -> None:
        self.seed = check_seed(seed)
        # NumPy keeps the stream of RandomState unchanged for good, by its own policy.
        self._source = np.random.RandomState(self.seed & 0xFFFFFFFF)
        self._spare_normal: float | None = None

    @named("TorchGenerator.uniform")
    def uniform(
        self,
        shape: int | Sequence[int],
        low: float = 0.0,
        high: float = 1.0,
        dtype: npt.DTypeLike = np.float32,
    ) -> Array:
        r"""Uniform values, as ``torch.empty(shape).uniform_(low, high)`` draws them.

        .. math:: y = a + (b - a) u, \qquad u = k/2^{24} \text{ or, in float64, } k/2^{53}

        The sum is rounded once; where it comes out as b, the value is a.

        Args:
          shape: A size or a sequence of sizes; ``()`` gives a scalar array.
          low: The lower end a, which is included.
          high: The upper end b, which is not.
          dtype: float32, of one 32-bit word per value, or float64, of two.

        Returns:
          A NumPy array of that shape and dtype.

        Raises:
          TypeError: If a size, an end or the dtype is of the wrong type.
          ValueError: If a size is negative, ``high`` is below ``low``, or an end is beyond 1e37
            (float64: 1e290).

        Example:
          >>> print(TorchGenerator(777).uniform((2, 2), -0.5, 0.5))
          [[-0.41808468 -0.00886256]
           [-0.09670669 -0.11408007]]
        """
        sizes, kind = _check_shape(shape), _check_dtype(dtype)
        low, high = _check_number("low", low, kind), _check_number("high", high, kind)
        require(high >= low, "high", f"be at least low, {low}", high, "Exchange low and high.")
        start, end = kind.type(low), kind.type(high)
        values = fused_multiply_add(self._fractions(math.prod(sizes), kind), end - start, start)
        return np.where(values == end, start, values).reshape(sizes)

    @named("TorchGenerator.normal")
    def normal(
        self,
        shape: int | Sequence[int],
        mean: float = 0.0,
        std: float = 1.0,
        dtype: npt.DTypeLike = np.float32,
    ) -> Array:
        r"""Normal values, as ``torch.empty(shape).normal_(mean, std)`` draws them.

        .. math:: y = \mu + \sigma \sqrt{-2 \ln(1 - u)} \, \{\cos, \sin\}(2 \pi v)

        Sixteen values or more come in blocks of sixteen; fewer come in pairs, and the second
        of a pair that is not used waits for the next such call, whatever its dtype.

        Measured at mean 0, in units of the last place: blocks differ from PyTorch's by at most 3
        in float32 and 2 in float64 (ten million values each), because both approximate
        logarithm, sine and cosine in their own way; pairs by none (a million each), given the
        same C library. A PyTorch without AVX2 rounds the angle of float32 blocks differently:
        its values differ by up to 2.3e-6 absolute.

        Args:
          shape: A size or a sequence of sizes; ``()`` gives a scalar array.
          mean: The mean.
          std: The standard deviation, at least 0.
          dtype: float32 or float64.

        Returns:
          A NumPy array of that shape and dtype.

        Raises:
          TypeError: If a size, a number or the dtype is of the wrong type.
          ValueError: If a size or ``std`` is negative, or a number is beyond 1e37 (float64: 1e290).

        Example:
          >>> generator = TorchGenerator(0)
          >>> print(generator.normal(2))
          [ 1.5409961 -0.2934289]
        """
        sizes, kind = _check_shape(shape), _check_dtype(dtype)
        mean, std = _check_number("mean", mean, kind), _check_number("std", std, kind)
        require(std >= 0, "std", "be at least 0", std, "Pass std=1.0, for example.")
        count = math.prod(sizes)
        if count < _BLOCK:
            normals = np.array([self._paired_normal() for _ in range(count)], np.float64)
        else:
            normals = self._normals_in_blocks(count, kind)
        place = normals.dtype.type
        scaled = fused_multiply_add(normals, place(std), place(mean))
        return scaled.astype(kind).reshape(sizes)

    @named("TorchGenerator.randperm")
    def randperm(self, n: int) -> Array:
        """A random order of 0 to n - 1, as ``torch.randperm(n)`` draws it.

        Args:
          n: At most 214,748,363: longer ones follow another rule in PyTorch.

        Returns:
          int64, shape ``[n]``.

        Raises:
          TypeError: If ``n`` is not a whole number.
          ValueError: If ``n`` is negative or too large.

        Example:
          >>> print(TorchGenerator(777).randperm(5))
          [0 4 3 2 1]
        """
        n = check_integer("n", n, minimum=0)
        remedy = "Shuffle longer data with jax.random.permutation."
        require(n <= _LARGEST_PERMUTATION, "n", f"be at most {_LARGEST_PERMUTATION}", n, remedy)
        order = list(range(n))
        places = np.arange(max(n - 1, 0))
        partners = places + self._words(len(places)) % (n - places)
        for i, j in enumerate(partners.tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, np.int64)

    def random_int64(self) -> int:
        """A whole number below 2**63, as ``torch.empty((), dtype=torch.int64).random_()``.

        Returns:
          A Python ``int``. PyTorch's data loaders draw one per pass as the seed of its order.

        Example:
          >>> TorchGenerator(777).random_int64()
          2816148791055203119
        """
        return int(self._double_words(1)[0]) & (2**63 - 1)

    def _words(self, count: int) -> Array:
        """The next ``count`` words of 32 bits."""
        return self._source.randint(0, 2**32, size=count, dtype=np.uint32)

    def _double_words(self, count: int) -> Array:
        """The next ``count`` words of 64 bits, each of two: the first is the upper half."""
        words = self._words(2 * count).astype(np.uint64)
        return words[::2] << np.uint64(32) | words[1::2]

    def _fractions(self, count: int, kind: np.dtype[Any]) -> Array:
        """Uniform values on [0, 1) with as many bits as the dtype holds."""
        if kind == np.float32:
            words, bits = self._words(count), 24
        else:
            words, bits = self._double_words(count), 53
        kept = words & words.dtype.type(2**bits - 1)
        fractions: Array = np.ldexp(kept.astype(kind), -bits)
        return fractions

    def _paired_normal(self) -> float:
        """The next normal value of the rule for few values: the spare one, or half a new pair."""
        if self._spare_normal is not None:
            value, self._spare_normal = self._spare_normal, None
            return value
        v, u = self._fractions(2, np.dtype(np.float64)).tolist()
        radius, angle = math.sqrt(-2 * math.log1p(-u)), 2 * math.pi * v
        self._spare_normal = radius * math.sin(angle)
        return radius * math.cos(angle)

    def _normals_in_blocks(self, count: int, kind: np.dtype[Any]) -> Array:
        """Normal values by the rule for many; a last block that is short is drawn anew."""
        values = self._fractions(count, kind)
        whole = count - count % _BLOCK
        values[:whole] = _box_muller(values[:whole])
        if whole < count:
            values[-_BLOCK:] = _box_muller(self._fractions(_BLOCK, kind))
        return values


def _box_muller(fractions: Array) -> Array:
    """Turn blocks of 8 values u and 8 values v into 8 cosines and 8 sines.

    Every step is rounded to the dtype, as in PyTorch. The functions are computed in float64
    first, so that the float32 steps do not depend on NumPy's own approximations.
    """
    kind = fractions.dtype
    u, v = np.moveaxis(fractions.reshape(-1, 2, _BLOCK // 2), 1, 0)
    logarithm = np.log(1 - u.astype(np.float64)).astype(kind)
    radius = np.sqrt(-2 * logarithm)
    angle = (kind.type(2 * math.pi) * v).astype(np.float64)
    waves = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(kind)
    normals: Array = radius[:, None] * waves
    return normals.reshape(-1)


def check_seed(seed: Any) -> int:
    """Return ``seed`` as an ``int`` in the range that ``torch.manual_seed`` takes."""
    number = check_integer("seed", seed, minimum=-(2**63))
    require(number < 2**64, "seed", "be at most 2**64 - 1", number, "Pass seed=777, for example.")
    return number


def _check_shape(shape: Any) -> tuple[int, ...]:
    """The sizes, each a whole number of at least 0."""
    if not isinstance(shape, tuple | list):
        return (check_integer("shape", shape, minimum=0),)
    return tuple(check_integer(f"shape[{i}]", size, minimum=0) for i, size in enumerate(shape))


def _check_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype, one of those that can be drawn."""
    try:
        # NumPy reads None as float64, which nobody means by it.
        kind = np.dtype("void" if dtype is None else dtype)
    except TypeError:
        kind = np.dtype("void")
    good, remedy = kind.name in _LARGEST, "Pass dtype=np.float32."
    require_type(good, "dtype", dtype, "be float32 or float64", remedy)
    return kind


def _check_number(argument: str, value: Any, kind: np.dtype[Any]) -> float:
    """The value as a ``float``, far enough from overflow in the dtype."""
    largest = _LARGEST[kind.name]
    rule = f"be a number from -{largest:g} to {largest:g}"
    remedy = f"Pass {argument}=1.0, for example."
    is_number = isinstance(value, int | float | np.integer | np.floating)
    require_type(is_number and not isinstance(value, bool), argument, value, rule, remedy)
    number = value.item() if isinstance(value, np.generic) else value
    require(abs(number) <= largest, argument, rule, value, remedy)
    return float(number)
