"""The way the proof computes: with all digits, and compiled quickly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

__all__ = ["compiled", "precision"]


@contextmanager
def precision(dtype: Any) -> Iterator[None]:
    """Compute in that precision within, with all of its digits on every device."""
    with jax.enable_x64(dtype == np.float64), jax.default_matmul_precision("highest"):
        yield


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``jax.jit`` in half the time: the program runs a few times, so its code may be slow."""
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=options)
