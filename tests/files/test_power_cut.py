"""Checkpoints outlive a power cut, on a disk that forgets everything that was not flushed.

The disk is a model of a file system at its worst: what a file holds is on it once the file was
flushed, and until then nothing, a part, or zeros; which names a folder holds is on it once the
folder was flushed, and of what happened to names since then any part may be, in any combination.
"""

import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnets.files.checkpoint import Checkpoint, CheckpointStore

DESCRIBED = {"params/w": "float32[1000]"}

SAVES = 6

OPERATIONS = 5
"""Of a save: create, flush, rename, flush the folder, delete an old one."""


class PowerCutError(BaseException):
    """Stands for the end of the machine."""


class Disk:
    """What a folder would hold if the power were cut after so many operations."""

    def __init__(self, folder: Path, operations: int, *, flushes: bool) -> None:
        self.folder, self.left, self.flushes = folder, operations, flushes
        self.contents = {path.stat().st_ino: path.read_bytes() for path in folder.iterdir()}
        self.names = {path.name: path.stat().st_ino for path in folder.iterdir()}
        self.since: list[tuple[str | None, str | None, int]] = []

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sees all operations from now on."""
        flush, replace, unlink, create = os.fsync, os.replace, os.unlink, Path.open

        def fsync(descriptor: int) -> None:
            flush(descriptor)
            if self.flushes:
                self._flushed(os.fstat(descriptor))

        def renamed(old: Path, new: Path) -> None:
            self.since.append((Path(old).name, Path(new).name, Path(old).stat().st_ino))
            replace(old, new)

        def unlinked(path: Path) -> None:
            self.since.append((Path(path).name, None, Path(path).stat().st_ino))
            unlink(path)

        def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            file = create(path, mode, *args, **kwargs)
            if "x" in mode:
                inode = os.fstat(file.fileno()).st_ino
                self.contents.pop(inode, None)
                self.since.append((None, path.name, inode))
            return file

        monkeypatch.setattr(os, "fsync", self._counted(fsync))
        monkeypatch.setattr(os, "replace", self._counted(renamed))
        monkeypatch.setattr(os, "unlink", self._counted(unlinked))
        monkeypatch.setattr(
            Path, "open", lambda path, mode="r", *a, **k: self._create(opened, path, mode, *a, **k)
        )

    def _create(
        self, opened: Callable[..., Any], path: Path, mode: str, *args: Any, **kwargs: Any
    ) -> Any:
        return (self._counted(opened) if "x" in mode else opened)(path, mode, *args, **kwargs)

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if not self.left:
                raise PowerCutError
            self.left -= 1
            return operation(*args, **kwargs)

        return counted

    def _flushed(self, status: os.stat_result) -> None:
        if stat.S_ISDIR(status.st_mode):
            self.names = {path.name: path.stat().st_ino for path in self.folder.iterdir()}
            self.since.clear()
        else:
            self.contents[status.st_ino] = self._written()[status.st_ino]

    def _written(self) -> dict[int, bytes]:
        return {path.stat().st_ino: path.read_bytes() for path in self.folder.iterdir()}

    def left_over(self, folder: Path, chance: random.Random) -> None:
        """Makes a folder of what is on the disk after the cut."""
        names, written = dict(self.names), self._written()
        for old, new, inode in self.since:
            if chance.random() < 0.5:
                names.pop(old or "", None)
                if new is not None:
                    names[new] = inode
        folder.mkdir()
        for name, inode in names.items():
            whole = written.get(inode, b"")
            torn = [b"", whole[: chance.randrange(len(whole) + 1)], bytes(len(whole))]
            content = self.contents.get(inode)
            (folder / name).write_bytes(chance.choice(torn) if content is None else content)


def arrays_of(step: int) -> dict[str, np.ndarray]:
    return {"params/w": np.full(1000, step, np.float32)}


def save(store: CheckpointStore, step: int) -> None:
    store.save(step, arrays_of(step), DESCRIBED)


def outlived(folder: Path, chance: random.Random, *, keep: int, flushes: bool) -> bool:
    """Whether a run whose power is cut goes on from the last save that returned, or a later one."""
    with CheckpointStore(Checkpoint(folder / "run", keep=keep)) as store:
        save(store, 1)
        returned = 1
        disk = Disk(folder / "run", chance.randrange(SAVES * OPERATIONS), flushes=flushes)
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk.watch(monkeypatch)
            try:
                for step in range(2, 2 + SAVES):
                    save(store, step)
                    returned = step
            except PowerCutError:
                pass
    disk.left_over(folder / "after", chance)
    with CheckpointStore(Checkpoint(folder / "after", keep=keep)) as store:
        saved = store.latest(DESCRIBED)
        assert saved is not None
        np.testing.assert_array_equal(saved.arrays["params/w"], arrays_of(saved.step)["params/w"])
        save(store, saved.step + 1)
    left = {path.suffix for path in (folder / "after").iterdir()}
    return saved.step in (returned, returned + 1) and left == {".safetensors"}


@pytest.mark.parametrize("keep", [1, 3])
def test_no_power_cut_loses_a_checkpoint(tmp_path: Path, keep: int) -> None:
    """Nor is any damaged, which would be a warning, or anything left behind."""
    for cut in range(60):
        (tmp_path / str(cut)).mkdir()
        assert outlived(tmp_path / str(cut), random.Random(cut), keep=keep, flushes=True), cut


@pytest.mark.filterwarnings("ignore:fit. the checkpoint .+ is damaged")
@pytest.mark.parametrize("keep", [1, 3])
def test_on_that_disk_most_would_be_lost_if_nothing_were_flushed(tmp_path: Path, keep: int) -> None:
    lost = 0
    for cut in range(60):
        (tmp_path / str(cut)).mkdir()
        try:
            lost += not outlived(tmp_path / str(cut), random.Random(cut), keep=keep, flushes=False)
        except (ValueError, AssertionError):
            lost += 1
    assert lost > 30
