"""Checkpoints: what a run needs to go on, saved so that a kill at any moment harms nothing.

A checkpoint is a folder ``step-0000001000`` with the arrays in Orbax's format, the rest as JSON,
and the SHA-256 of every file. It is made in a folder of another name and renamed when whole.
Nothing in it is code, and nothing is ever unpickled.
"""

import json
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from jaxnets.checks import ArgumentTypeError, check_integer, check_positive, describe, fail
from jaxnets.training.checksums import check_seal, seal, write_text
from jaxnets.training.folder_lock import lock_folder
from jaxnets.training.orbax_arrays import import_orbax, read_arrays, shapes_of, write_arrays

__all__ = ["PROGRAM", "Checkpoint", "CheckpointStore", "Saved", "check_checkpoint"]

PROGRAM = "program"
"""The path of what may differ: the same run, computed by another version, is another program."""

DEFAULT_SECONDS = 60.0
"""Time between saves when none is asked for."""

SHOWN_DIFFERENCES = 8
"""Differences that an error lists; two models may differ in thousands of paths."""


@dataclass(frozen=True)
class Checkpoint:
    """Where and when `fit` or `sweep` saves a run, so that it can be resumed.

    A folder holds the checkpoints of one run, and is that run's alone while it lasts. Saves
    happen between two steps, once the steps or the seconds since the last one have passed, and
    when the run ends.

    Args:
      directory: The folder; made if it is not there.
      every_steps: Steps between saves.
      every_seconds: Seconds between saves; 60 if neither this nor ``every_steps`` is given.
      keep: How many of the newest checkpoints to keep. With 2 or more, a damaged one can be
        made up for.

    Raises:
      ValueError: If a number is out of range, or ``directory`` is a file or cannot be written.
      TypeError: If an argument has the wrong type.

    Example:
      >>> Checkpoint("runs/xor", every_steps=1000)
      Checkpoint(directory='runs/xor', every_steps=1000, every_seconds=None, keep=3)
    """

    directory: str | PathLike[str]
    every_steps: int | None = None
    every_seconds: float | None = None
    keep: int = 3

    def __post_init__(self) -> None:
        _check_directory(self.directory)
        if self.every_steps is not None:
            check_integer("Checkpoint", "every_steps", self.every_steps, minimum=1)
        elif self.every_seconds is None:
            object.__setattr__(self, "every_seconds", DEFAULT_SECONDS)
        if self.every_seconds is not None:
            check_positive("Checkpoint", "every_seconds", self.every_seconds, example=60.0)
        check_integer("Checkpoint", "keep", self.keep, minimum=1)


def check_checkpoint(function: str, checkpoint: Any) -> None:
    """Raises unless it is a `Checkpoint` or None."""
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        remedy = 'Pass jn.Checkpoint("runs/first").'
        fail(
            function,
            "checkpoint",
            "be a Checkpoint",
            describe(checkpoint),
            remedy,
            error=ArgumentTypeError,
        )


class Saved(NamedTuple):
    """What a checkpoint holds.

    Attributes:
      step: The number of updates made.
      arrays: Arrays by path.
    """

    step: int
    arrays: dict[str, np.ndarray]


class CheckpointStore:
    """The checkpoints in a folder.

    Saves are synchronous: when `save` returns, the checkpoint is whole. Use as a context manager,
    or call `close`.

    Args:
      checkpoint: Which folder, and how many to keep.
      function: The public function that was given it, for errors.

    Raises:
      ImportError: If orbax-checkpoint is not installed.
      ValueError: If another run is using the folder.

    Example:
      >>> import tempfile
      >>> described = {"params/w": "float32[2]"}
      >>> with CheckpointStore(Checkpoint(tempfile.mkdtemp())) as store:
      ...     store.save(10, {"params/w": np.ones(2, np.float32)}, described)
      ...     store.latest(described)
      Saved(step=10, arrays={'params/w': array([1., 1.], dtype=float32)})
    """

    def __init__(self, checkpoint: Checkpoint, *, function: str = "fit") -> None:
        import_orbax(function)
        self._function = function
        self._folder = Path(checkpoint.directory).absolute()
        # Whatever is in here is being made or deleted, so a leftover of a kill is worth nothing.
        self._scratch = self._folder / "unfinished"
        self._keep = checkpoint.keep
        self._refused: dict[Path, str] = {}
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(self._folder)
        if self._lock is None:
            rule, remedy = "be a folder that no other run is using", "Pass another directory."
            fail(function, "checkpoint", rule, f"{self._folder}, in use", remedy)
        try:
            self._clear_scratch()
        except OSError:
            self._lock.close()
            raise

    def __enter__(self) -> "CheckpointStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes what a save that failed has left, and lets other runs use the folder."""
        self._clear_scratch()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def latest(self, expected: Mapping[str, str]) -> Saved | None:
        """The newest checkpoint that is intact, or None if there are none at all.

        A checkpoint that was truncated or altered is refused with a warning.

        Args:
          expected: What `save` is given as ``described`` by a run that may go on from here.

        Raises:
          ValueError: If the checkpoint is of another run, naming the paths that differ; or if
            there are checkpoints, but all are damaged.
        """
        for folder in reversed(self._checkpoints()):
            try:
                check_seal(folder)
                described, saved = _read(folder)
            # Orbax has no exception of its own for files that it cannot make sense of.
            except Exception as error:
                self._refused[folder] = _one_line(error)
                continue
            self._warn_of_refused(folder)
            _check_same_run(self._function, folder, described, expected)
            return saved
        if self._refused:
            self._fail_all_damaged()
        return None

    def save(
        self,
        step: int,
        arrays: Mapping[str, np.ndarray],
        described: Mapping[str, str],
    ) -> None:
        """Adds a checkpoint and removes those that are too many.

        Args:
          step: The number of updates made.
          arrays: Arrays of any numeric dtype by path.
          described: What has to be equal when the run is resumed, as texts by path, such as
            ``{"params/0/w": "float32[2,1]"}``.
        """
        target = self._folder / f"step-{step:010d}"
        made = self._scratch / "new"
        self._clear_scratch()
        made.mkdir(parents=True)
        _write(made, Saved(step, dict(arrays)), described)
        seal(made)
        # Damaged ones go first: one of this very step would be in the way.
        self._discard({target, *self._refused})
        made.rename(target)
        self._discard(self._checkpoints()[: -self._keep])
        self._refused.clear()
        self._clear_scratch()

    def _checkpoints(self) -> list[Path]:
        """The folders of the checkpoints, oldest first."""
        return sorted(
            path for path in self._folder.iterdir() if re.fullmatch(r"step-\d{10}", path.name)
        )

    def _discard(self, folders: Iterable[Path]) -> None:
        """Moves checkpoints to the scratch folder, so that none is ever seen half deleted."""
        for folder in folders:
            if folder.exists():
                folder.rename(self._scratch / folder.name)

    def _clear_scratch(self) -> None:
        if self._scratch.exists():
            shutil.rmtree(self._scratch)

    def _warn_of_refused(self, used: Path) -> None:
        for folder, reason in self._refused.items():
            warnings.warn(
                f"{self._function}: the checkpoint {folder} is damaged ({reason}) and not used; "
                f"the run goes on from {used.name}.",
                stacklevel=3,
            )

    def _fail_all_damaged(self) -> None:
        newest, reason = next(iter(self._refused.items()))
        fail(
            self._function,
            "checkpoint",
            "have an intact checkpoint to go on from",
            f"{len(self._refused)} damaged in {self._folder} (in {newest.name}, {reason})",
            "Restore that folder from a copy, or delete it to start anew.",
        )


def _write(folder: Path, saved: Saved, described: Mapping[str, str]) -> None:
    run = {
        "step": saved.step,
        "described": dict(described),
        "arrays": shapes_of(saved.arrays),
    }
    write_text(folder / "run.json", json.dumps(run, indent=1))
    write_arrays(folder / "arrays", saved.arrays)


def _read(folder: Path) -> tuple[dict[str, str], Saved]:
    """What a run is described by, and what it needs to go on."""
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    arrays = read_arrays(folder / "arrays", run["arrays"])
    return run["described"], Saved(run["step"], arrays)


def _check_directory(directory: Any) -> None:
    """Raises unless the folder is there or can be made, and can be written."""
    example = "Pass directory='runs/xor', for example."
    if not isinstance(directory, str | PathLike) or not str(directory):
        rule, got = "be the path of a folder", describe(directory)
        fail("Checkpoint", "directory", rule, got, example, error=ArgumentTypeError)
    path = Path(directory).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        fail("Checkpoint", "directory", "be a folder", f"the file {there}", example)
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = "Change its permissions, or pass another."
        fail("Checkpoint", "directory", "be a folder to write in", f"{there}, read-only", remedy)


def _check_same_run(
    function: str, folder: Path, described: Mapping[str, str], expected: Mapping[str, str]
) -> None:
    different = [
        path
        for path in sorted(described.keys() | expected.keys())
        if described.get(path) != expected.get(path)
    ]
    if different == [PROGRAM]:
        warnings.warn(
            f"{function}: checkpoint {folder} was saved by another program than the one that goes "
            "on from it: the model, the loss, the optimizer or the version of JAX has changed.",
            stacklevel=2,
        )
        return
    differences = [
        f"{path}: {described.get(path, 'nothing')} saved, {expected.get(path, 'nothing')} here"
        for path in different
        if path != PROGRAM
    ]
    if not differences:
        return
    more = len(differences) - SHOWN_DIFFERENCES
    shown = differences[:SHOWN_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])
    fail(
        function,
        "checkpoint",
        "be of this model, optimizer, data and key",
        f"{folder} with " + "; ".join(shown),
        "Pass what that run was made with, or another directory.",
    )


def _one_line(error: Exception) -> str:
    """The error as a short text; Orbax's run over many lines."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
