"""Texts that tell programs and arrays apart."""

import re
import zlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

__all__ = ["as_array", "checksum", "fingerprint"]


def fingerprint(program: core.ClosedJaxpr, numbers: Any = ()) -> str:
    """The same for programs that compute the same, constants included.

    What ``program`` itself closes over is left out: those are the arguments of a run.

    Args:
      program: What `jax.make_jaxpr` made of the computation.
      numbers: A pytree of arrays that count too.

    Example:
      >>> def traced(scale):
      ...     return jax.make_jaxpr(jax.jit(lambda x: x * scale))(1.0)
      >>> one, other = np.array([1.0, 2.0]), np.array([1.0, 3.0])
      >>> fingerprint(traced(one)) == fingerprint(traced(one))
      True
      >>> fingerprint(traced(one)) == fingerprint(traced(other))
      False
    """
    # Functions are printed with the place in memory that they happen to have.
    text = re.sub(r" at 0x[0-9a-f]+", "", str(program))
    value = zlib.crc32(text.encode())
    for constant in (*_constants(program.jaxpr), *jax.tree.leaves(numbers)):
        value = checksum(constant, value)
    return f"crc32 {value:08x}"


def checksum(array: Any, value: int = 0) -> int:
    """The CRC-32 of the bytes of an array, going on from ``value``."""
    plain = np.ascontiguousarray(as_array(array))
    return zlib.crc32(plain.view(np.uint8).data, value)


def as_array(leaf: Any) -> np.ndarray:
    """The leaf as plain numbers; a PRNG key as the words that make it."""
    is_key = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def _constants(jaxpr: core.Jaxpr) -> Iterator[Any]:
    """The constants of all programs within, in the order in which they are called."""
    for equation in jaxpr.eqns:
        yield from (atom.val for atom in equation.invars if isinstance(atom, core.Literal))
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_program):
            if isinstance(inner, core.ClosedJaxpr):
                yield from inner.consts
                yield from _constants(inner.jaxpr)
            elif isinstance(inner, core.Jaxpr):
                yield from _constants(inner)


def _is_program(value: Any) -> bool:
    return isinstance(value, core.ClosedJaxpr | core.Jaxpr)
