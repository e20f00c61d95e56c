"""Work for as many threads as there are cores, in the JAX settings of the caller."""

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import jax

__all__ = ["in_threads"]

R = TypeVar("R")

SETTINGS: dict[str, Callable[[Any], AbstractContextManager[Any]]] = {
    "jax_enable_x64": jax.enable_x64,
    "jax_default_device": jax.default_device,
    "jax_default_matmul_precision": jax.default_matmul_precision,
    "jax_numpy_rank_promotion": jax.numpy_rank_promotion,
    "jax_debug_nans": jax.debug_nans,
    "jax_debug_infs": jax.debug_infs,
    "jax_transfer_guard": jax.transfer_guard,
}
"""Settings that JAX holds per thread and programs depend on, and how each is entered."""


def in_threads(function: Callable[[int], R], count: int) -> list[R]:
    """``[function(0), ..., function(count - 1)]``, side by side."""
    now = {name: getattr(jax.config, name) for name in SETTINGS}

    def in_settings(number: int) -> R:
        with contextlib.ExitStack() as stack:
            for name, enter in SETTINGS.items():
                if getattr(jax.config, name) != now[name]:
                    stack.enter_context(enter(now[name]))
            return function(number)

    with ThreadPoolExecutor(min(count, os.cpu_count() or 1)) as pool:
        return list(pool.map(in_settings, range(count)))
