"""Checkpoints: what a run needs to go on, saved so that a kill or a power cut harms nothing.

A checkpoint is a file ``step-0000001000.safetensors``. It is written beside its place, flushed and
renamed, and only then is an older one deleted. What is not provably of this run is never deleted:
a damaged file in the way is renamed.
"""

import functools
import os
import re
import secrets
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from jaxnets.checks import check_integer, check_positive
from jaxnets.errors import ArgumentFileError, fail, named, require
from jaxnets.files.checkpoint_file import NewerFormatError, Saved, pack, unpack
from jaxnets.files.folder_lock import FolderLock, lock_folder
from jaxnets.files.same_run import MACHINE, PROGRAM, check_same_run, differences
from jaxnets.files.whole import (
    LEFTOVER,
    check_path,
    kind_of,
    make_folder,
    read_whole,
    tried,
    write_whole,
)

__all__ = ["MACHINE", "PROGRAM", "Checkpoint", "CheckpointStore", "Saved"]

NAME = r"step-\d{10}\.safetensors"

FORMER = ("step-*/run.json", "members-*/step-*/run.json")
"""Files that tell a folder of checkpoints which Orbax wrote, before this format."""

DEFAULT_SECONDS = 60.0
"""Time between saves when none is asked for."""


@dataclass(frozen=True)
class Checkpoint:
    """Where and when `fit` or `sweep` saves a run, so that it can be resumed.

    A folder holds the checkpoints of one run, and is that run's alone while it lasts. Saves
    happen between two steps, once the steps or the seconds since the last one have passed, and
    when the run ends.

    Args:
      directory: The folder; made if it is not there. A ``~`` is the home of the user.
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

    @named("Checkpoint")
    def __post_init__(self) -> None:
        _check_directory(self.directory)
        if self.every_steps is not None:
            check_integer("every_steps", self.every_steps, minimum=1)
        elif self.every_seconds is None:
            object.__setattr__(self, "every_seconds", DEFAULT_SECONDS)
        if self.every_seconds is not None:
            check_positive("every_seconds", self.every_seconds, example=60.0)
        check_integer("keep", self.keep, minimum=1)


class CheckpointStore:
    """The checkpoints in a folder, which is this store's alone until `close`.

    Saves are synchronous: when `save` returns, the checkpoint is whole and on the disk.

    Args:
      checkpoint: Which folder, and how many to keep.
      function: The public function that was given it, for warnings.

    Raises:
      ValueError: If another run is using the folder.
      OSError: If the folder cannot be made or opened.

    Example:
      >>> import tempfile
      >>> described = {"params/w": "float32[2]"}
      >>> with CheckpointStore(Checkpoint(tempfile.mkdtemp())) as store:
      ...     store.save(10, {"params/w": np.ones(2, np.float32)}, described)
      ...     store.latest(described)
      Saved(step=10, arrays={'params/w': array([1., 1.], dtype=float32)})
    """

    def __init__(self, checkpoint: Checkpoint, *, function: str = "fit") -> None:
        self._function = function
        self._folder = _folder(checkpoint.directory).absolute()
        self._keep = checkpoint.keep
        self._damaged: dict[Path, str] = {}
        # Whether a file is of this run, once it was written or read.
        self._own: dict[Path, bool] = {}
        self._lock = _open(self._folder)
        with suppress(OSError):  # of no harm: no run takes it for a checkpoint
            for path in self._files(LEFTOVER + NAME):
                path.unlink()

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
        """Let other runs use the folder."""
        self._lock.close()

    def latest(self, expected: Mapping[str, str]) -> Saved | None:
        """Return the newest checkpoint that is intact, or None if there are none at all.

        One that was truncated or altered is passed over with a warning; so are all that Orbax
        wrote for a former version.

        Args:
          expected: What `save` is given as ``described`` by a run that may go on from here.

        Raises:
          ValueError: If the checkpoint is of another run, naming what differs; if it is of a
            later format; or if there are checkpoints, but all are damaged.
          OSError: If one cannot be read. It is not passed over, because it may be whole.
        """
        self._damaged.clear()
        for path in reversed(self._files(NAME)):
            content = read_whole("checkpoint", path)
            try:
                described, saved = unpack(content)
            except NewerFormatError as error:
                rule, remedy = "be of a format that is known", "Update jaxnets, or pass another."
                fail("checkpoint", rule, f"{path} of format {error}", remedy)
            except Exception:  # damaged bytes raise anything in a parser
                self._damaged[path] = "it is cut short or altered" if content else "it is empty"
                continue
            self._warn_of_damaged(path)
            check_same_run(self._function, path, described, expected)
            self._own[path] = True
            return saved
        if self._damaged:
            self._fail_all_damaged()
        self._warn_of_former()
        return None

    def save(
        self, step: int, arrays: Mapping[str, np.ndarray], described: Mapping[str, str]
    ) -> None:
        """Add a checkpoint and remove those that are too many.

        Args:
          step: The number of steps made.
          arrays: Arrays of any numeric dtype by path.
          described: What has to be equal when the run is resumed, as texts by path, such as
            ``{"params/0/w": "float32[2,1]"}``.

        Raises:
          OSError: If it cannot be written; the older ones are as they were.
        """
        content = pack(Saved(step, dict(arrays)), described)
        self._check_held()
        self._set_damaged_aside()
        target = self._folder / f"step-{step:010d}.safetensors"
        write_whole(target, lambda file: file.write(content), argument="checkpoint")
        self._own[target] = True
        with suppress(OSError):  # tried again at the next save
            own = [path for path in self._files(NAME) if self._is_own(path, described)]
            for path in own[: -self._keep]:
                path.unlink()

    def _files(self, name: str) -> list[Path]:
        """The regular files in the folder whose name is like that, oldest step first."""
        rule = "be a folder that can be read"
        paths = tried(lambda: sorted(self._folder.iterdir()), "checkpoint", rule, self._folder)
        like = [path for path in paths if re.fullmatch(name, path.name)]
        return [path for path in like if kind_of("checkpoint", path) == "file"]

    def _is_own(self, path: Path, described: Mapping[str, str]) -> bool:
        """Whether a file is provably a checkpoint of this run."""
        if path not in self._own:
            try:
                found, _ = unpack(read_whole("checkpoint", path))
            except Exception:  # unreadable or damaged: no proof
                return False
            self._own[path] = not differences(found, described)
        return self._own[path]

    def _check_held(self) -> None:
        if not self._lock.holds():
            rule = "stay where it is, and with the process that opened it, while the run lasts"
            got = f"{self._folder}, which was moved, deleted, or opened before a fork"
            remedy = "Put it back, or resume the run in a process of its own."
            fail("checkpoint", rule, got, remedy, error=ArgumentFileError)

    def _set_damaged_aside(self) -> None:
        """Rename damaged files: one of the next step would be in the way, and lost."""
        for path in filter(Path.exists, self._damaged):
            aside = path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}")
            rule = "be a folder that can be written"
            tried(functools.partial(path.rename, aside), "checkpoint", rule, path)
        self._damaged.clear()

    def _warn_of_damaged(self, used: Path) -> None:
        for path, reason in self._damaged.items():
            warnings.warn(
                f"{self._function}: the checkpoint {path} is damaged ({reason}) and not used; "
                f"the run goes on from {used.name}.",
                stacklevel=3,
            )

    def _warn_of_former(self) -> None:
        if any(any(self._folder.glob(files)) for files in FORMER):
            warnings.warn(
                f"{self._function}: the checkpoints in {self._folder} are Orbax's, of a former "
                "version of jaxnets, and not used; the run starts anew. Finish it with the version "
                "that began it, or pass another directory.",
                stacklevel=3,
            )

    def _fail_all_damaged(self) -> None:
        newest, reason = next(iter(self._damaged.items()))
        fail(
            "checkpoint",
            "have an intact checkpoint to go on from",
            f"{len(self._damaged)} damaged in {self._folder} (in {newest.name}, {reason})",
            "Restore that folder from a copy, or delete it to start anew.",
        )


def _folder(directory: Any) -> Path:
    rule, remedy = "be the path of a folder", "Pass directory='runs/xor', for example."
    return check_path("directory", directory, rule=rule, remedy=remedy)


def _check_directory(directory: Any) -> None:
    """Raise unless the folder is there or can be made, and can be written."""
    path = _folder(directory).absolute()
    kinds = ((place, kind_of("directory", place)) for place in (path, *path.parents))
    there, kind = next((place, kind) for place, kind in kinds if kind is not None)
    example = "Pass directory='runs/xor', for example."
    require(kind == "folder", "directory", "be a folder", f"the {kind} {there}", example)
    rule, remedy = "be a folder to write in", "Change its permissions, or pass another."
    require(os.access(there, os.W_OK | os.X_OK), "directory", rule, f"{there}, read-only", remedy)


def _open(folder: Path) -> FolderLock:
    """Return the lock of the folder, which is made if it is not there."""

    def attempt() -> FolderLock | None:
        make_folder(folder)
        return lock_folder(folder)

    lock = tried(attempt, "checkpoint", "be a folder that can be made and opened", folder)
    if lock is None:
        rule, remedy = "be a folder that no other run is using", "Pass another directory."
        fail("checkpoint", rule, f"{folder}, in use", remedy)
    return lock
