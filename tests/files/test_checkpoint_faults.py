"""What befalls a folder of checkpoints while a run lasts: faults, other runs, forks."""

import errno
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxnets.errors import ArgumentFileError, ArgumentValueError
from jaxnets.files import whole as files
from jaxnets.files.checkpoint import MACHINE, PROGRAM, Checkpoint, CheckpointStore

ARRAYS = {"params/w": np.arange(100, dtype=np.float32)}
DESCRIBED = {"params/w": "float32[100]", PROGRAM: "crc32 1", MACHINE: "cpu, 2 cores, jax 0.10.2"}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSE", 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    """A store with a checkpoint of step 10."""
    with CheckpointStore(Checkpoint(tmp_path / "run", keep=1)) as store:
        save(store, 10)
        yield store


def save(store: CheckpointStore, step: int) -> None:
    store.save(step, ARRAYS, DESCRIBED)


def latest_step(folder: Path, expected: dict[str, str] = DESCRIBED) -> int:
    with CheckpointStore(Checkpoint(folder)) as store:
        saved = store.latest(expected)
    assert saved is not None
    return saved.step


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Faults of the system.


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EFBIG, errno.EMFILE, errno.EROFS, errno.EACCES, errno.EIO]
)
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_fault_while_saving_leaves_the_older_whole(
    tmp_path: Path, store: CheckpointStore, number: int, call: str
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Path if call == "open" else os, call, failing)
        with pytest.raises(ArgumentFileError) as caught:
            save(store, 20)
    assert str(caught.value).startswith(
        f"checkpoint must name a file that can be written; got {tmp_path}/run/"
        f"step-0000000020.safetensors ({os.strerror(number)}). "
    )
    assert names(tmp_path / "run") == ["step-0000000010.safetensors"]
    save(store, 20)
    store.close()
    assert latest_step(tmp_path / "run") == 20


def test_a_fault_of_a_moment_is_not_noticed(
    tmp_path: Path, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults, original = iter([OSError(errno.EIO, "Input/output error")]), os.fsync

    def failing(descriptor: int) -> None:
        for fault in faults:
            raise fault
        original(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    save(store, 20)
    assert names(tmp_path / "run") == ["step-0000000020.safetensors"]


def test_an_old_one_that_cannot_be_deleted_is_no_error(
    tmp_path: Path, store: CheckpointStore
) -> None:
    def failing(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "unlink", failing)
        save(store, 20)
    assert len(names(tmp_path / "run")) == 2
    save(store, 30)
    assert names(tmp_path / "run") == ["step-0000000030.safetensors"]


def test_what_cannot_be_read_is_neither_passed_over_nor_deleted(
    tmp_path: Path, store: CheckpointStore
) -> None:
    def failing(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    store.close()
    with CheckpointStore(Checkpoint(tmp_path / "run", keep=1)) as again:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(Path, "read_bytes", failing)
            with pytest.raises(ArgumentFileError) as caught:
                again.latest(DESCRIBED)
            save(again, 20)
        assert len(names(tmp_path / "run")) == 2
    assert str(caught.value) == (
        f"checkpoint must name a file that can be read; got {tmp_path}/run/step-0000000010."
        "safetensors (Permission denied). Change its permissions, or pass another."
    )


def test_a_folder_that_cannot_be_made_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "mkdir", failing)
    with pytest.raises(ArgumentFileError) as caught:
        CheckpointStore(Checkpoint(tmp_path / "run"))
    assert str(caught.value) == (
        f"checkpoint must be a folder that can be made and opened; got {tmp_path}/run (No space "
        "left on device). Make room on that disk, or pass another."
    )


LIMITED = """
import resource, sys
import numpy as np
from jaxnets.files.checkpoint import Checkpoint, CheckpointStore

def save(step):
    store.save(step, {"w": np.ones(10_000)}, {})

def limited(limit, to, step):
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (to, before[1]))
    try:
        save(step)
    except OSError as error:
        print(type(error).__name__, error)
    resource.setrlimit(limit, before)

with CheckpointStore(Checkpoint(sys.argv[1], keep=1)) as store:
    save(1)
    limited(resource.RLIMIT_FSIZE, 20_000, 2)
    limited(resource.RLIMIT_NOFILE, 3, 3)
    print(store.latest({}).step)
    save(4)
    print(store.latest({}).step)
"""


def test_real_limits_of_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LIMITED, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(said) == 4
    assert re.fullmatch(
        r"ArgumentFileError checkpoint must .+\(File too large\)\. Raise.+", said[0]
    )
    assert re.fullmatch(r"ArgumentFileError checkpoint must .+ open files\)\. Close.+", said[1])
    assert said[2:] == ["1", "4"]
    assert names(tmp_path) == ["step-0000000004.safetensors"]


# The folder.


def test_a_folder_deleted_in_mid_run_is_noticed(tmp_path: Path, store: CheckpointStore) -> None:
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(ArgumentFileError) as caught:
        save(store, 20)
    assert str(caught.value) == (
        "checkpoint must stay where it is, and with the process that opened it, while the run "
        f"lasts; got {tmp_path}/run, which was moved, deleted, or opened before a fork. Put it "
        "back, or resume the run in a process of its own."
    )


def test_a_run_whose_folder_was_moved_does_not_save_into_that_of_another(
    tmp_path: Path, store: CheckpointStore
) -> None:
    (tmp_path / "run").rename(tmp_path / "moved")
    with CheckpointStore(Checkpoint(tmp_path / "run")) as second:
        save(second, 1)
        with pytest.raises(ArgumentFileError, match=r"which was moved, deleted"):
            save(store, 20)
        assert names(tmp_path / "run") == ["step-0000000001.safetensors"]
    # The advice.
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "moved").rename(tmp_path / "run")
    save(store, 20)
    assert names(tmp_path / "run") == ["step-0000000020.safetensors"]


def test_one_run_at_a_time(tmp_path: Path, store: CheckpointStore) -> None:
    message = (
        f"checkpoint must be a folder that no other run is using; got {tmp_path}/run, in use. "
        "Pass another directory."
    )
    for _ in range(2):
        with pytest.raises(ArgumentValueError, match=f"^{re.escape(message)}$"):
            CheckpointStore(Checkpoint(tmp_path / "run"))
    store.close()
    store.close()
    assert latest_step(tmp_path / "run") == 10


def test_a_close_that_fails_lets_go_of_the_folder(
    tmp_path: Path, store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = os.close

    def failing(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "close", failing)
        with pytest.raises(OSError, match="Input/output error"):
            store.close()
    assert latest_step(tmp_path / "run") == 10


def test_a_leftover_that_cannot_be_deleted_is_no_error(tmp_path: Path) -> None:
    leftover = tmp_path / f".jaxnets-{'0a' * 8}-step-0000000040.safetensors"
    leftover.write_text("{")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "unlink", _refuse)
        with CheckpointStore(Checkpoint(tmp_path)) as store:
            assert store.latest({}) is None
    with CheckpointStore(Checkpoint(tmp_path)):
        assert names(tmp_path) == []


def _refuse(*_: Any) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


FORKED = """
import os, sys, time
import numpy as np
from jaxnets.files.checkpoint import Checkpoint, CheckpointStore

store = CheckpointStore(Checkpoint(sys.argv[1]))
store.save(1, {"w": np.ones(3)}, {})
child = os.fork()
if not child:
    try:
        store.save(2, {"w": np.ones(3)}, {})
    except OSError as error:
        os.write(1, f"{error}\\n".encode())
    store.close()
    os.write(1, b"closed\\n")
    time.sleep(60)
    os._exit(0)
os.write(1, f"{child}\\n".encode())
time.sleep(60)
"""


def test_a_forked_child_neither_saves_nor_holds_the_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    said = [parent.stdout.readline() for _ in range(3)]
    child = next(int(line) for line in said if line.strip().isdigit())
    try:
        assert any("opened before a fork" in line for line in said)
        assert "closed\n" in said
        # What the child closed was its own copy.
        with pytest.raises(ArgumentValueError, match="that no other run is using"):
            CheckpointStore(Checkpoint(tmp_path))
        parent.kill()
        parent.wait()
        os.kill(child, 0)
        assert latest_step(tmp_path, {}) == 1
    finally:
        os.kill(child, signal.SIGKILL)
        parent.kill()
        parent.stdout.close()
        parent.wait()


# What may differ.


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {PROGRAM: "crc32 2"},
            "was saved by another program than the one that goes on from it: the model, the loss, "
            "the optimizer or the version of JAX has changed (program: crc32 1 saved, crc32 2 "
            "here).",
        ),
        (
            {MACHINE: "gpu"},
            "was saved on another machine than the one that goes on from it, so that last digits "
            "may differ (machine: cpu, 2 cores, jax 0.10.2 saved, gpu here).",
        ),
    ],
)
def test_what_may_differ_is_a_warning(
    tmp_path: Path, store: CheckpointStore, changed: dict[str, str], message: str
) -> None:
    path = tmp_path / "run" / "step-0000000010.safetensors"
    with pytest.warns(UserWarning, match="was saved") as caught:
        assert store.latest({**DESCRIBED, **changed}) is not None
    assert [str(w.message) for w in caught] == [f"fit: checkpoint {path} {message}"]


def test_what_may_differ_is_still_of_this_run(tmp_path: Path, store: CheckpointStore) -> None:
    store.close()
    with CheckpointStore(Checkpoint(tmp_path / "run", keep=1)) as again:
        again.save(20, ARRAYS, {**DESCRIBED, MACHINE: "gpu"})
    assert names(tmp_path / "run") == ["step-0000000020.safetensors"]


# Manners.


def test_files_have_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with CheckpointStore(Checkpoint(tmp_path / "run")) as store:
            save(store, 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o750
    for path in (tmp_path / "run").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_home_of_the_user_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with CheckpointStore(Checkpoint("~/run")) as store:
        save(store, 1)
    assert names(tmp_path / "run") == ["step-0000000001.safetensors"]


@pytest.mark.parametrize("directory", [None, 3, b"run", "a\0b", "x" * 5000, "/dev/null/run"])
def test_what_can_be_no_folder_is_refused(directory: Any) -> None:
    with pytest.raises(
        (ArgumentValueError, TypeError, ArgumentFileError), match=r"^Checkpoint: dir"
    ):
        Checkpoint(directory)


def test_a_thread_that_saves_leaves_warnings_and_logging_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Eight threads save while this one warns and logs."""
    filters, disabled = list(warnings.filters), logging.root.manager.disable

    def work(number: int) -> None:
        with CheckpointStore(Checkpoint(tmp_path / str(number), keep=1)) as store:
            for step in range(20):
                save(store, step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    heard = 0
    while any(thread.is_alive() for thread in threads):
        heard += 1
        with pytest.warns(UserWarning, match="heard"):
            warnings.warn("heard", stacklevel=1)
        logging.getLogger("absl").warning("heard")
        for thread in threads:
            thread.join(0.01)
    assert len(caplog.records) == heard > 0
    assert (list(warnings.filters), logging.root.manager.disable) == (filters, disabled)
    assert [latest_step(tmp_path / str(number)) for number in range(8)] == [19] * 8
