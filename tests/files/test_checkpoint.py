"""Checkpoints: what is saved comes back bit for bit, and damage is never taken for a run."""

import asyncio
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from jaxnets.errors import ArgumentValueError
from jaxnets.files.checkpoint import Checkpoint, CheckpointStore, Saved
from jaxnets.files.params_file import save_params

Mutate = Callable[[bytes, random.Random], bytes]

ARRAYS = {
    "params/0/w": np.array([[1.5], [-np.inf]], np.float32),
    "opt_state/0/count": np.array(3, np.int32),
    "key": np.array([1, 2**32 - 1], np.uint32),
    "history/loss": np.zeros((0,), np.float32),
}
DESCRIBED = {"params/0/w": "float32[2,1]", "data/x": "float32[4,2]"}


def arrays_of(step: int) -> dict[str, np.ndarray]:
    return {**ARRAYS, "history/loss": np.arange(step, dtype=np.float32)}


def fill(folder: Path, steps: tuple[int, ...] = (10, 20, 30), *, keep: int = 3) -> None:
    with CheckpointStore(Checkpoint(folder, keep=keep)) as store:
        for step in steps:
            store.save(step, arrays_of(step), DESCRIBED)


def latest_step(folder: Path) -> int:
    with CheckpointStore(Checkpoint(folder)) as store:
        saved = store.latest(DESCRIBED)
    assert saved is not None
    assert_bitwise_equal(saved.arrays, arrays_of(saved.step))
    return saved.step


def assert_bitwise_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert isinstance(found[name], np.ndarray), name
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        assert found[name].tobytes() == array.tobytes(), name


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Round trips.


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.1, -0.0, np.nan, np.inf, 5e-324]),
        np.array([0.1, -0.0, np.nan, 1e-45], np.float32),
        np.array([0.1, 65504, np.nan], np.float16),
        np.array([0.1, 3e38, np.nan], jnp.bfloat16),
        np.array([0.1, -448], jnp.float8_e4m3fn),
        np.array([[1, -7], [3, 2]], jnp.int4),
        np.array([1 + 2j, np.nan], np.complex64),
        np.array([[True, False]]),
        np.array([2**32 - 1, 0], np.uint32),
        np.array([-(2**63)], np.int64),
        np.array(2**31 - 1, np.int32),
        np.array(np.pi),
        np.zeros((0, 3), jnp.bfloat16),
        np.zeros((2, 0), np.float64),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::-2],
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_every_dtype_and_shape_comes_back_bit_for_bit(tmp_path: Path, array: np.ndarray) -> None:
    with CheckpointStore(Checkpoint(tmp_path)) as store:
        store.save(1, {"a": array}, {})
        saved = store.latest({})
    assert saved is not None
    assert_bitwise_equal(saved.arrays, {"a": array})


def test_names_may_be_any_text(tmp_path: Path) -> None:
    odd = ["a", "a/b", "../out", "..", "/etc", "w", "W", "é\n%", "x" * 300, "a//b", "a.zarray"]
    arrays = {name: np.full(2, float(i)) for i, name in enumerate(odd)}
    with CheckpointStore(Checkpoint(tmp_path / "run")) as store:
        store.save(1, arrays, {})
        saved = store.latest({})
    assert saved is not None
    assert_bitwise_equal(saved.arrays, arrays)
    assert names(tmp_path) == ["run"]


def test_a_run_without_arrays_comes_back(tmp_path: Path) -> None:
    with CheckpointStore(Checkpoint(tmp_path)) as store:
        store.save(7, {}, DESCRIBED)
    with CheckpointStore(Checkpoint(tmp_path)) as store:
        saved = store.latest(DESCRIBED)
    assert saved is not None
    assert (saved.step, saved.arrays) == (7, {})


def test_an_empty_folder_has_no_latest(tmp_path: Path) -> None:
    with CheckpointStore(Checkpoint(tmp_path / "deep" / "run")) as store:
        assert store.latest({}) is None
    assert names(tmp_path / "deep" / "run") == []


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_the_newest_are_kept(tmp_path: Path, keep: int) -> None:
    fill(tmp_path, (9, 10, 100, 1000), keep=keep)
    expected = [
        "step-0000000009.safetensors",
        "step-0000000010.safetensors",
        "step-0000000100.safetensors",
        "step-0000001000.safetensors",
    ]
    assert names(tmp_path) == expected[-keep:]
    assert latest_step(tmp_path) == 1000


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "step-3").mkdir()
    (tmp_path / "step-0000000001").mkdir()
    (tmp_path / "step-0000000002.safetensors").mkdir()
    (tmp_path / "step-0000000003.safetensors").write_bytes(b"mine")
    save_params({"mine": np.ones(2)}, tmp_path / "step-0000000004.safetensors")
    fill(tmp_path / "another", (5,))
    (tmp_path / "another" / "step-0000000005.safetensors").rename(
        tmp_path / "step-0000000005.safetensors"
    )
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished.txt").write_text("mine")
    before = names(tmp_path)
    with CheckpointStore(Checkpoint(tmp_path, keep=1)) as store:
        for step in (10, 20, 30):
            store.save(step, arrays_of(step), {**DESCRIBED, "key": "another"})
    assert names(tmp_path) == sorted([*before, "step-0000000030.safetensors"])


@pytest.mark.parametrize("place", ["step-0000000010", "members-0000000/step-0000000010"])
def test_checkpoints_that_orbax_wrote_are_warned_of_while_there_are_no_others(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "run.json").write_text("{}")
    message = (
        f"fit: the checkpoints in {tmp_path} are Orbax's, of a former version of jaxnets, and not "
        "used; the run starts anew. Finish it with the version that began it, or pass another "
        "directory."
    )
    with CheckpointStore(Checkpoint(tmp_path)) as store:
        with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as caught:
            assert store.latest(DESCRIBED) is None
        assert len(caught) == 1
    fill(tmp_path, (20,))
    assert latest_step(tmp_path) == 20  # a warning would be an error
    assert (tmp_path / place / "run.json").exists()


# Kills.


class Killed(BaseException):
    """Stands for the end of the process."""


class Kill:
    """Ends the process, as it were, at its n-th change to the file system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls_left = 0
        for name in ("fsync", "mkdir", "rename", "replace", "rmdir", "unlink"):
            monkeypatch.setattr(os, name, self.count(getattr(os, name)))

    def count(self, function: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **kwargs: object) -> object:
            if not self.calls_left:
                raise Killed
            self.calls_left -= 1
            return function(*args, **kwargs)

        return counted


def test_a_save_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    fill(tmp_path / "before", (10,))
    survivors = []
    for calls in range(1000):
        folder = tmp_path / str(calls)
        shutil.copytree(tmp_path / "before", folder)
        store = CheckpointStore(Checkpoint(folder, keep=1))
        with pytest.MonkeyPatch.context() as monkeypatch:
            kill = Kill(monkeypatch)
            kill.calls_left = calls
            try:
                store.save(20, arrays_of(20), DESCRIBED)
            except Killed:
                pass
            else:
                break
        store._lock.close()  # as the end of a process does
        survivors.append(latest_step(folder))
        assert set(names(folder)) <= {"step-0000000010.safetensors", "step-0000000020.safetensors"}
    assert survivors == sorted(survivors)
    assert set(survivors) == {10, 20}


def test_leftovers_of_a_kill_are_removed_at_the_next_start(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / f".jaxnets-{'0a' * 8}-step-0000000040.safetensors").write_text("{")
    CheckpointStore(Checkpoint(tmp_path))
    assert names(tmp_path) == [
        "step-0000000010.safetensors",
        "step-0000000020.safetensors",
        "step-0000000030.safetensors",
    ]


def test_a_save_that_fails_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    with (
        pytest.raises(TypeError, match="not JSON serializable"),
        CheckpointStore(Checkpoint(tmp_path)) as store,
    ):
        store.save(40, arrays_of(40), {"path": object()})
    assert names(tmp_path) == [
        "step-0000000010.safetensors",
        "step-0000000020.safetensors",
        "step-0000000030.safetensors",
    ]
    assert latest_step(tmp_path) == 30


# Damage.


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip, "it is cut short or altered"),
        (truncate, "it is cut short or altered"),
        (empty, "it is empty"),
    ],
)
def test_damage_is_passed_over(tmp_path: Path, damage: Callable[[Path], None], reason: str) -> None:
    fill(tmp_path, (10, 20))
    damage(tmp_path / "step-0000000020.safetensors")
    message = (
        f"fit: the checkpoint {tmp_path}/step-0000000020.safetensors is damaged ({reason}) and "
        "not used; the run goes on from step-0000000010.safetensors."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        assert latest_step(tmp_path) == 10


def test_a_checkpoint_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    fill(tmp_path, (10, 20))
    (tmp_path / "step-0000000020.safetensors").unlink()
    assert latest_step(tmp_path) == 10


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("files", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_mutated_file_is_refused_or_identical(
    tmp_path: Path, files: int, mutated: Mutate
) -> None:
    fill(tmp_path, (10,))
    file, moments, refused = tmp_path / "step-0000000010.safetensors", random.Random(0), 0
    whole = file.read_bytes()
    for _ in range(files):
        file.write_bytes(mutated(whole, moments))
        with CheckpointStore(Checkpoint(tmp_path)) as store:
            saved = latest_or_none(store)
        refused += saved is None
        if saved is not None:
            assert saved.step == 10
            assert_bitwise_equal(saved.arrays, arrays_of(10))
    assert refused > 0.9 * files


def latest_or_none(store: CheckpointStore) -> Saved | None:
    """The newest checkpoint, or None if it is refused as damaged."""
    try:
        return store.latest(DESCRIBED)
    except ArgumentValueError as error:
        if "must have an intact checkpoint to go on from" in str(error):
            return None
        raise


def test_a_file_of_a_later_format_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr("jaxnets.files.checkpoint_file.FORMAT", 2)
        fill(tmp_path)
    message = (
        "checkpoint must be of a format that is known; "
        f"got {tmp_path}/step-0000000030.safetensors of format 2. Update jaxnets, or pass another."
    )
    with (
        CheckpointStore(Checkpoint(tmp_path)) as store,
        pytest.raises(ValueError, match=f"^{re.escape(message)}$"),
    ):
        store.latest(DESCRIBED)


def test_several_damaged_ones_are_all_named_and_replaced(tmp_path: Path) -> None:
    fill(tmp_path, (10, 20, 30))
    for name in ("step-0000000020.safetensors", "step-0000000030.safetensors"):
        truncate(tmp_path / name)
    with CheckpointStore(Checkpoint(tmp_path, keep=2)) as store:
        with pytest.warns(UserWarning, match="cut short or altered") as caught:
            saved = store.latest(DESCRIBED)
        assert saved is not None
        assert saved.step == 10
        assert [Path(str(w.message).split()[3]).name for w in caught] == [
            "step-0000000030.safetensors",
            "step-0000000020.safetensors",
        ]
        store.save(20, arrays_of(20), DESCRIBED)
    kept = [path.name for path in sorted(tmp_path.glob("*.safetensors"))]
    aside = [path.name for path in sorted(tmp_path.glob("*.damaged-*"))]
    assert kept == ["step-0000000010.safetensors", "step-0000000020.safetensors"]
    # What was damaged is kept under other names: it may be somebody else's.
    assert [name[:35] for name in aside] == [
        "step-0000000020.safetensors.damaged",
        "step-0000000030.safetensors.damaged",
    ]
    assert latest_step(tmp_path) == 20


def test_if_all_are_damaged_the_run_does_not_start_anew(tmp_path: Path) -> None:
    fill(tmp_path, (10, 20))
    for name in names(tmp_path):
        truncate(tmp_path / name)
    message = (
        f"checkpoint must have an intact checkpoint to go on from; got 2 damaged in {tmp_path}"
        " (in step-0000000020.safetensors, it is cut short or altered). "
        "Restore that folder from a copy, or delete it to start anew."
    )
    with (
        CheckpointStore(Checkpoint(tmp_path)) as store,
        pytest.raises(ValueError, match=f"^{re.escape(message)}$"),
    ):
        store.latest(DESCRIBED)
    shutil.rmtree(tmp_path)  # the advice
    with CheckpointStore(Checkpoint(tmp_path)) as store:
        assert store.latest(DESCRIBED) is None


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    def never(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    fill(tmp_path)
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    assert latest_step(tmp_path) == 30


# Another run.


@pytest.mark.parametrize(
    ("expected", "difference"),
    [
        (
            {**DESCRIBED, "params/0/w": "float32[2,10]"},
            "params/0/w: float32[2,1] saved, float32[2,10] here",
        ),
        ({"params/0/w": "float32[2,1]"}, "data/x: float32[4,2] saved, nothing here"),
        (
            {**DESCRIBED, "opt_state/0/mu/0/w": "float32[2,1]"},
            "opt_state/0/mu/0/w: nothing saved, float32[2,1] here",
        ),
        (
            {"data/x": "float32[5,2]", "params/0/w": "float64[2,1]"},
            "data/x: float32[4,2] saved, float32[5,2] here; "
            "params/0/w: float32[2,1] saved, float64[2,1] here",
        ),
    ],
)
def test_another_run_is_refused(tmp_path: Path, expected: dict[str, str], difference: str) -> None:
    fill(tmp_path)
    message = (
        "checkpoint must be of this model, optimizer, data and key; "
        f"got {tmp_path}/step-0000000030.safetensors with {difference}. "
        "Pass what that run was made with, or another directory."
    )
    with (
        CheckpointStore(Checkpoint(tmp_path)) as store,
        pytest.raises(ValueError, match=f"^{re.escape(message)}$"),
    ):
        store.latest(expected)


def test_many_differences_are_counted(tmp_path: Path) -> None:
    fill(tmp_path)
    expected = {**DESCRIBED, **{f"params/{i}/w": "float32[2,1]" for i in range(10, 21)}}
    with (
        CheckpointStore(Checkpoint(tmp_path)) as store,
        pytest.raises(ValueError, match=r"params/17/w: nothing saved, .+ here; and 3 more\. Pass"),
    ):
        store.latest(expected)


# Misuse.


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"every_steps": 0},
            ValueError,
            "every_steps must be a whole number of at least 1; got 0. "
            "Pass every_steps=10, for example.",
        ),
        (
            {"every_steps": 2.5},
            TypeError,
            "every_steps must be a whole number of at least 1; got 2.5. "
            "Pass every_steps=10, for example.",
        ),
        (
            {"every_seconds": -1.0},
            ValueError,
            "every_seconds must be a positive finite number; got -1.0. "
            "Pass every_seconds=60.0, for example.",
        ),
        (
            {"every_seconds": float("inf")},
            ValueError,
            "every_seconds must be a positive finite number; got inf. "
            "Pass every_seconds=60.0, for example.",
        ),
        (
            {"keep": 0},
            ValueError,
            "keep must be a whole number of at least 1; got 0. Pass keep=10, for example.",
        ),
        (
            {"directory": 3},
            TypeError,
            "directory must be the path of a folder; got 3. "
            "Pass directory='runs/xor', for example.",
        ),
        (
            {"directory": ""},
            TypeError,
            "directory must be the path of a folder; got ''. "
            "Pass directory='runs/xor', for example.",
        ),
    ],
)
def test_misuse(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = {"directory": "runs/xor", **arguments}
    with pytest.raises(error, match=f"^{re.escape('Checkpoint: ' + message)}$"):
        Checkpoint(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("inside", ["", "below/it"])
def test_a_file_is_no_directory(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    message = (
        f"Checkpoint: directory must be a folder; got the file {file}. "
        "Pass directory='runs/xor', for example."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Checkpoint(file / inside)


def test_a_read_only_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Replaced because root, as which tests may run, can write anywhere.
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    message = (
        f"Checkpoint: directory must be a folder to write in; got {tmp_path}, read-only. "
        "Change its permissions, or pass another."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Checkpoint(tmp_path / "run")


def test_the_default_is_every_minute() -> None:
    assert Checkpoint("run").every_seconds == 60.0
    assert Checkpoint("run", every_steps=5).every_seconds is None
    assert Checkpoint("run") == Checkpoint("run", every_seconds=60.0)


# Manners.


def test_a_quiet_guest(tmp_path: Path) -> None:
    """In a fresh process with warnings as errors: no output, no logging set up, no thread left."""
    program = """
import logging, sys, warnings
import numpy as np
from jaxnets.files.checkpoint import Checkpoint, CheckpointStore, Saved
from jaxnets.files.params_file import save_params
filters = list(warnings.filters)
with CheckpointStore(Checkpoint(sys.argv[1])) as store:
    for step in range(3):
        store.save(step, {"a": np.ones(3), "b": np.ones((), np.float32)}, {})
    assert store.latest({}).step == 2
assert logging.root.handlers == [] and not logging.getLogger("absl").disabled
assert warnings.filters == filters
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_logging_of_the_user_hears_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        fill(tmp_path)
    assert [record for record in caplog.records if record.name == "absl"] == []


def test_saves_inside_a_running_event_loop(tmp_path: Path) -> None:
    """A notebook runs one."""

    async def cell() -> None:
        fill(tmp_path)
        assert latest_step(tmp_path) == 30

    asyncio.run(cell())


def test_anyone_can_read_a_checkpoint(tmp_path: Path) -> None:
    fill(tmp_path, (1,))
    found = safetensors.numpy.load_file(tmp_path / "step-0000000001.safetensors")
    assert_bitwise_equal({name: found[name] for name in ARRAYS}, arrays_of(1))
    with safetensors.safe_open(tmp_path / "step-0000000001.safetensors", "numpy") as file:
        metadata = file.metadata()
    assert (metadata["format"], metadata["step"]) == ("1", "1")
    assert json.loads(metadata["run"]) == DESCRIBED
