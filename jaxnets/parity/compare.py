"""A derivative by hand against autodiff and against central differences, leaf by leaf.

Errors are measured in one way everywhere. For each leaf, an array of the value or of the
gradient, the relative error is the largest absolute difference between the two sides, divided by
the largest absolute element of the reference; a leaf whose elements are all below `FLOOR` is
measured against that instead, as there the rounding of terms that cancel shows. The largest
element stands for the whole leaf, so neither the error nor its tolerance grows with the leaf.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxnets.checks import ArgumentTypeError, check_callable, describe, fail

__all__ = [
    "FLOOR",
    "TOLERANCES",
    "Comparison",
    "LeafError",
    "Reference",
    "Report",
    "check",
    "compare",
    "leaf_error",
    "leaves",
    "precision",
    "references",
]

TOLERANCES = {
    "autodiff float64": 1e-12,
    "autodiff float32": 1e-5,
    "central differences": 1e-7,
    "PyTorch": 1e-12,
}
"""The largest relative error that passes, by what the hand formula is compared with.

Float64 has 16 digits and float32 has 7, of which a chain of operations loses a few; central
differences in float64 keep 10 at best.
"""

FLOOR = 1e-3
"""The size that smaller leaves are measured against."""

PRECISIONS = {"autodiff float32": np.float32}
"""The precision of the references that are not in float64."""


class LeafError(NamedTuple):
    """How far one leaf is from its reference.

    Attributes:
      leaf: Its path, such as ``"gradient/0/w"``.
      absolute: The largest absolute difference; infinite if a leaf is missing, has another shape
        or dtype, or is not finite where the reference is.
      relative: The same, relative to the largest element of the reference.
      where: At which index of the leaf.
      by_hand: The value there by hand, or what is wrong with the leaf.
      reference: The value there in the reference.
    """

    leaf: str
    absolute: float
    relative: float
    where: tuple[int, ...]
    by_hand: Any
    reference: Any


class Comparison(NamedTuple):
    """A hand formula against one reference.

    Attributes:
      reference: What it is compared with, a key of `TOLERANCES`.
      leaves: The errors of all leaves.
    """

    reference: str
    leaves: tuple[LeafError, ...]

    @property
    def worst(self) -> LeafError:
        """The leaf with the largest relative error."""
        return max(self.leaves, key=lambda leaf: leaf.relative)

    @property
    def ok(self) -> bool:
        """Whether every leaf is within the tolerance."""
        return self.worst.relative <= TOLERANCES[self.reference]


class Report(NamedTuple):
    """All comparisons of one function. ``print(report)`` shows them as a table.

    Attributes:
      name: The function.
      comparisons: One for each reference.
    """

    name: str
    comparisons: tuple[Comparison, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is within its tolerance."""
        return all(comparison.ok for comparison in self.comparisons)

    def __str__(self) -> str:
        """The errors of every leaf."""
        lines = [f"{self.name}: {'ok' if self.ok else 'WRONG'}"]
        for comparison in self.comparisons:
            tolerance = TOLERANCES[comparison.reference]
            lines.append(f"  {comparison.reference} (tolerance {tolerance:.0e} relative)")
            width = max(len(leaf.leaf) for leaf in comparison.leaves)
            for leaf in comparison.leaves:
                place = f"at {leaf.where}: {leaf.by_hand}, reference {leaf.reference}"
                sizes = f"{leaf.absolute:.1e} absolute  {leaf.relative:.1e} relative"
                lines.append(f"    {leaf.leaf:{width}}  {sizes}  {place}")
        return "\n".join(lines)


class Reference(NamedTuple):
    """What a hand formula is compared with, and the inputs that it gets for it.

    Attributes:
      name: A key of `TOLERANCES`.
      inputs: ``(at, *args)`` in the precision of this reference, as NumPy arrays.
      cotangent: The factors that turn the value into the scalar sum(cotangent * value), whose
        gradient is compared; 1 if the value is a scalar.
      leaves: The expected arrays by path, ``value/...`` and ``gradient/...``.
      complete: Whether these are all leaves that there may be.
    """

    name: str
    inputs: tuple[Any, ...]
    cotangent: Any
    leaves: dict[str, Any]
    complete: bool = True


def check(
    fn: Callable[..., Any],
    by_hand: Callable[..., Any],
    at: Any,
    *args: Any,
    kinks: Collection[str] = (),
) -> Report:
    """Compares a derivative written by hand with autodiff and with central differences.

    Works on any function and any formula, not only on those of this library. The configuration
    of JAX is left as it is: float64 is switched on and off within.

    Args:
      fn: ``fn(at, *args) -> value``, a function that JAX can differentiate. The value is an
        array or a pytree of arrays.
      by_hand: ``by_hand(at, *args) -> (value, backward)``, where ``backward(d_value) -> d_at``
        takes the gradient of a loss by the value and returns the one by ``at``. For a scalar
        value the gradient itself may be returned: ``(value, gradient)``. It gets NumPy arrays.
      at: Where to differentiate: an array or a pytree of floating arrays.
      args: Further arrays, or pytrees of them, that ``fn`` is not differentiated by.
      kinks: Names of entries of the dict ``at`` at which ``fn`` has no derivative, only a
        convention for it: central differences know nothing of that and are not compared there.

    Returns:
      A `Report` against autodiff in float64 and in float32 and against central differences in
      float64. A leaf that is missing, or that has another shape or dtype than autodiff's, is an
      error of its own and not within any tolerance.

    Raises:
      TypeError: If ``fn`` or ``by_hand`` cannot be called, ``at`` is not floating, or
        ``by_hand`` does not return a pair.

    Example:
      >>> def cubes(x):
      ...     return (x**3).sum()
      >>> x = np.array([1.0, -2.0])
      >>> check(cubes, lambda x: (np.sum(x**3), 3 * x**2), x).ok
      True
      >>> report = check(cubes, lambda x: (np.sum(x**3), 3.15 * x**2), x)
      >>> report.ok, report.comparisons[0].worst.leaf, report.comparisons[0].worst.where
      (False, 'gradient', (1,))
    """
    check_callable("check", "fn", fn, "Pass a function that JAX can differentiate.")
    check_callable("check", "by_hand", by_hand, "Pass a function that returns (value, gradient).")
    name = getattr(fn, "__name__", type(fn).__name__)
    return compare(name, by_hand, references(fn, at, *args, kinks=kinks))


def references(
    fn: Callable[..., Any], at: Any, *args: Any, kinks: Collection[str] = ()
) -> tuple[Reference, ...]:
    """What autodiff and central differences say of ``fn``; the arguments are those of `check`."""
    with precision(np.float64):
        inputs, cotangent = _prepared(fn, (at, *args), np.float64)
        value, gradient = _autodiff(fn, inputs, cotangent)
        numeric = leaves(gradient=_central_differences(fn, inputs, cotangent, value))
    with precision(np.float32):
        narrow, narrow_cotangent = _prepared(fn, (at, *args), np.float32)
        narrow_value, narrow_gradient = _autodiff(fn, narrow, narrow_cotangent)
    smooth = {path: leaf for path, leaf in numeric.items() if not _within(path, kinks)}
    exact = leaves(value=value, gradient=gradient)
    single = leaves(value=narrow_value, gradient=narrow_gradient)
    return (
        Reference("autodiff float64", inputs, cotangent, exact),
        Reference("autodiff float32", narrow, narrow_cotangent, single),
        Reference("central differences", inputs, cotangent, smooth, complete=False),
    )


def compare(name: str, by_hand: Callable[..., Any], references: Iterable[Reference]) -> Report:
    """A formula as `check` takes it, against references that are already there."""
    return Report(name, tuple(_compared(by_hand, reference) for reference in references))


def leaves(**trees: Any) -> dict[str, Any]:
    """The leaves of pytrees by path; the path begins with the name of the tree."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(trees)
    }


def _compared(by_hand: Callable[..., Any], reference: Reference) -> Comparison:
    with precision(PRECISIONS.get(reference.name, np.float64)):
        result = by_hand(*reference.inputs)
        if not (isinstance(result, tuple) and len(result) == 2):
            rule, remedy = "return (value, backward)", "Return the two as a tuple."
            fail("check", "by_hand", rule, result, remedy, error=ArgumentTypeError)
        value, backward = result
        gradient = backward(reference.cotangent) if callable(backward) else backward
        found = leaves(value=value, gradient=gradient)
    unexpected = [path for path in found if path not in reference.leaves and reference.complete]
    errors = [leaf_error(path, found.get(path), leaf) for path, leaf in reference.leaves.items()]
    errors += [_mismatch(path, found[path], None) for path in unexpected]
    return Comparison(reference.name, tuple(errors))


def leaf_error(path: str, found: Any, expected: Any) -> LeafError:
    """The error of one leaf; ``found`` is None if it is missing."""
    expected = np.asarray(expected)
    # A Python number has no precision of its own, and takes that of the reference.
    found = expected.dtype.type(found) if isinstance(found, int | float) else found
    if np.shape(found) != expected.shape or getattr(found, "dtype", None) != expected.dtype:
        return _mismatch(path, found, expected)
    found = np.asarray(found)
    with np.errstate(invalid="ignore"):
        differences = np.where(found == expected, 0, np.abs(found - expected))
    differences = np.where(np.isfinite(differences), differences, np.inf)
    if not differences.size:
        return LeafError(path, 0.0, 0.0, (), None, None)
    index = np.unravel_index(np.argmax(differences), differences.shape)
    absolute, scale = float(differences[index]), float(np.abs(expected).max(initial=FLOOR))
    return LeafError(
        path,
        absolute,
        absolute / scale,
        tuple(int(i) for i in index),
        found[index].item(),
        expected[index].item(),
    )


def _mismatch(path: str, found: Any, expected: Any) -> LeafError:
    """A leaf that cannot be compared with what is expected, an array or nothing."""
    texts = ["nothing" if leaf is None else describe(leaf) for leaf in (found, expected)]
    return LeafError(path, math.inf, math.inf, (), *texts)


@contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """Computes in that precision within, with all of its digits on every device."""
    with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
        yield


def _prepared(fn: Callable[..., Any], inputs: Any, dtype: Any) -> tuple[Any, Any]:
    """The inputs as NumPy arrays in that precision, and a cotangent for the value.

    The cotangent is 1 for a scalar, else drawn once and for all, so that the gradient of every
    element of the value counts with another factor.
    """
    inputs = jax.tree.map(lambda leaf: _cast(np.asarray(leaf), dtype), inputs)
    value = jax.eval_shape(fn, *inputs)
    rng = np.random.default_rng(0)
    if getattr(value, "shape", None) == ():
        return inputs, np.ones((), value.dtype)
    return inputs, jax.tree.map(
        lambda leaf: rng.standard_normal(leaf.shape).astype(leaf.dtype), value
    )


def _cast(array: np.ndarray, dtype: Any) -> np.ndarray:
    return array.astype(dtype) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``jax.jit`` in half the time: the program runs once, so its machine code may be slow."""
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=options)


def _autodiff(fn: Callable[..., Any], inputs: Any, cotangent: Any) -> tuple[Any, Any]:
    """The value and the gradient of sum(cotangent * value)."""

    def differentiate(at: Any, args: Any, cotangent: Any) -> tuple[Any, Any]:
        value, backward = jax.vjp(lambda at: fn(at, *args), at)
        return value, backward(cotangent)[0]

    at, *args = inputs
    return _compiled(differentiate)(at, args, cotangent)  # type: ignore[no-any-return]


def _central_differences(fn: Callable[..., Any], inputs: Any, cotangent: Any, value: Any) -> Any:
    """The gradient of sum(cotangent * value) from two values beside each element of ``at``.

    The step is the cube root of the machine epsilon, where the error of the difference and the
    rounding of the values balance.
    """
    at, *args = inputs
    flat, unflatten = ravel_pytree(at)
    steps = np.cbrt(np.finfo(np.float64).eps) * np.maximum(np.abs(flat), 1)

    def shifts(flat: Any, steps: Any, args: Any, cotangent: Any, value: Any) -> Any:
        def shift(index_and_step: Any) -> Any:
            index, step = index_and_step
            moved = fn(unflatten(flat.at[index].add(step)), *args)
            parts = jax.tree.map(lambda g, a, b: jnp.sum(g * (a - b)), cotangent, moved, value)
            return sum(jax.tree.leaves(parts))

        return jax.lax.map(shift, (jnp.tile(jnp.arange(flat.size), 2), steps))

    both = jnp.concatenate([steps, -steps])
    up, down = jnp.split(_compiled(shifts)(flat, both, args, cotangent, value), 2)
    return unflatten((up - down) / ((flat + steps) - (flat - steps)))


def _within(path: str, entries: Collection[str]) -> bool:
    """Whether a path such as ``gradient/kinks/w`` is within one of the entries of ``at``."""
    _, _, inner = path.partition("/")
    return inner.partition("/")[0] in entries
