"""What the tests of training share: a count of what XLA compiles."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import jax
import pytest

COMPILED: list[str] = []


def _note_compilation(event: str, *_: Any, fun_name: str = "", **__: Any) -> None:
    # Moving an array of a new shape to the device counts as a program of its own.
    if event == "/jax/core/compile/backend_compile_duration" and fun_name != "jit(stage)":
        COMPILED.append(event)


jax.monitoring.register_event_duration_secs_listener(_note_compilation)


@contextlib.contextmanager
def _compilations() -> Iterator[list[str]]:
    before, seen = len(COMPILED), []
    try:
        yield seen
    finally:
        seen.extend(COMPILED[before:])


@pytest.fixture
def compilations() -> Callable[[], AbstractContextManager[list[str]]]:
    """Opens a list that gets one entry for everything XLA compiles within the block."""
    return _compilations
