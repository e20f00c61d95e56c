"""Faults of the folder of checkpoints in mid-run: the run goes on, and its result is not lost."""

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentFileError
from jaxnets.files import whole

KEY = jax.random.key(0)
TRIAL = (jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid), jn.losses.bce, optax.sgd(0.5))
STEPS = 50


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "PAUSE", 0)


@contextlib.contextmanager
def failing_flush(number: int) -> Iterator[None]:
    """The system says so when a file is put on the disk."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", fail)
        yield


@contextlib.contextmanager
def limited(limit: int, to: int) -> Iterator[None]:
    """A limit of this very process."""
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (to, hard))
    try:
        yield
    finally:
        resource.setrlimit(limit, (soft, hard))


@contextlib.contextmanager
def moved(folder: Path) -> Iterator[None]:
    """The folder is elsewhere."""
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(folder)


FAULTS = {
    "full disk": (lambda _: failing_flush(errno.ENOSPC), "No space left on device"),
    "read-only file system": (lambda _: failing_flush(errno.EROFS), "Read-only file system"),
    "permissions lost": (lambda _: failing_flush(errno.EACCES), "Permission denied"),
    "file-size limit": (lambda _: limited(resource.RLIMIT_FSIZE, 100), "File too large"),
    "open files": (lambda _: limited(resource.RLIMIT_NOFILE, 3), "Too many open files"),
    "folder gone": (moved, "which was moved, deleted"),
}


def train(folder: Path, fault: AbstractContextManager[None], until: int) -> jn.Fit:
    """A run that saves every ten steps, with a fault after the first save, until a step."""
    with contextlib.ExitStack() as stack:

        def watch(look: jn.Look) -> None:
            if look.step == 10:
                stack.enter_context(fault)
            if look.step == until:
                stack.close()

        return jn.fit(
            *TRIAL,
            jn.data.xor(),
            key=KEY,
            steps=STEPS,
            checkpoint=jn.Checkpoint(folder, every_steps=10),
            watch=watch,
        )


def saved(folder: Path) -> list[int]:
    """The steps of the checkpoints in a folder that holds nothing else."""
    return sorted(int(path.stem.removeprefix("step-")) for path in folder.iterdir())


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_goes_on_with_a_warning_and_saves_again_once_it_can(
    name: str, tmp_path: Path
) -> None:
    fault, words = FAULTS[name]
    folder = tmp_path / "run"
    message = f"^fit: checkpoint must .*{words}.* The run goes on.$"
    with pytest.warns(UserWarning, match=message) as caught:
        result = train(folder, fault(folder), 30)
    assert len(caught) == 2
    assert result.status == "completed"
    assert saved(folder) == [10, 40, 50]


@pytest.mark.parametrize("name", FAULTS)
def test_what_could_not_be_saved_in_the_end_is_in_the_error(name: str, tmp_path: Path) -> None:
    fault, words = FAULTS[name]
    folder = tmp_path / "run"
    with (
        pytest.warns(UserWarning, match="The run goes on"),
        pytest.raises(ArgumentFileError, match=f"^fit: checkpoint must .*{words}") as caught,
    ):
        train(folder, fault(folder), -1)
    result = caught.value.result
    plain = jn.fit(*TRIAL, jn.data.xor(), key=KEY, steps=STEPS)
    assert result.status == "completed"
    jax.tree.map(np.testing.assert_array_equal, result.params, plain.params)
    np.testing.assert_array_equal(result.history["loss"], plain.history["loss"])
    # The older one is whole, nothing else is left, and the folder is free again.
    assert saved(folder) == [10]
    again = train(folder, contextlib.nullcontext(), -1)
    jax.tree.map(np.testing.assert_array_equal, again.params, plain.params)
    assert saved(folder) == [30, 40, 50]
