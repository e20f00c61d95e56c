"""Ctrl-C and requests to terminate: answered soon, with nothing lost."""

import os
import pickle
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.files.checkpoint import CheckpointStore
from jaxnets.training.run import Run

XOR = jn.data.xor()
KEY = jax.random.key(0)
TRIAL = (jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid), jn.losses.bce, optax.sgd(0.5))


def signalled(number):
    """A watch that sends this process a signal at its second look."""
    looks = []

    def watch(look):
        looks.append(look)
        if len(looks) == 2:
            signal.raise_signal(number)

    return watch


ENDLESS = {"steps": 10**9, "record_every": 1000}


def test_ctrl_c_raises_with_the_run_so_far():
    with pytest.raises(jn.TrainingInterrupted, match=r"^interrupted after \d+ steps; ") as caught:
        jn.fit(*TRIAL, XOR, key=KEY, watch=signalled(signal.SIGINT), **ENDLESS)
    result = caught.value.result
    assert isinstance(caught.value, KeyboardInterrupt)
    assert result.status == "interrupted"
    steps = int(result.state.step)
    assert steps > 0
    np.testing.assert_array_equal(result.history["step"], np.arange(0, steps, 1000))
    assert np.isfinite(result.history["loss"]).all()


def test_ctrl_c_returns_the_run_so_far_where_that_is_asked_for():
    options = {"on_interrupt": "return", "watch": signalled(signal.SIGINT), **ENDLESS}
    result = jn.fit(*TRIAL, XOR, key=KEY, **options)
    assert result.status == "interrupted"
    assert int(result.state.step) > 0


def test_ctrl_c_ends_a_sweep_as_well():
    keys = jax.random.split(KEY, 3)
    with pytest.raises(jn.TrainingInterrupted) as caught:
        jn.sweep(TRIAL, XOR, keys=keys, watch=signalled(signal.SIGINT), **ENDLESS)
    result = caught.value.result
    assert result.status.tolist() == ["interrupted"] * 3
    assert result.stopped_at.tolist() == [int(result.state.step)] * 3
    assert np.isfinite(result.history["loss"]).all()


def test_ctrl_c_saves_the_checkpoint_and_the_run_goes_on_from_it(tmp_path):
    checkpoint = jn.Checkpoint(tmp_path)
    with pytest.raises(jn.TrainingInterrupted) as caught:
        jn.fit(
            *TRIAL,
            XOR,
            key=KEY,
            checkpoint=checkpoint,
            watch=signalled(signal.SIGINT),
            **ENDLESS,
        )
    steps = int(caught.value.result.state.step)
    assert any(str(steps) in path.name for path in tmp_path.iterdir())
    options = {"key": KEY, "steps": steps + 1000, "record_every": 1000}
    resumed = jn.fit(*TRIAL, XOR, checkpoint=checkpoint, **options)
    whole = jn.fit(*TRIAL, XOR, **options)
    np.testing.assert_array_equal(resumed.history["loss"], whole.history["loss"])
    jax.tree.map(np.testing.assert_array_equal, resumed.params, whole.params)


def test_the_handlers_of_before_are_back_afterwards():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(jn.TrainingInterrupted):
        jn.fit(*TRIAL, XOR, key=KEY, watch=signalled(signal.SIGINT), **ENDLESS)
    jn.fit(*TRIAL, XOR, key=KEY, steps=1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_signals_while_a_checkpoint_is_saved_do_not_lose_it(tmp_path, monkeypatch):
    flush = os.fsync

    def interrupted(descriptor):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", interrupted)
    checkpoint = jn.Checkpoint(tmp_path, every_steps=10)
    with pytest.raises(jn.TrainingInterrupted) as caught:
        jn.fit(*TRIAL, XOR, key=KEY, checkpoint=checkpoint, **ENDLESS)
    assert int(caught.value.result.state.step) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["step-0000000010.safetensors"]


def test_further_signals_ask_for_the_same_once_more():
    def impatient(look):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(jn.TrainingInterrupted) as caught:
        jn.fit(*TRIAL, XOR, key=KEY, watch=impatient, **ENDLESS)
    assert caught.value.result.status == "interrupted"


def test_ctrl_c_while_a_model_is_traced_is_answered_at_once():
    def apply(params, x, *, key=None):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    before = signal.getsignal(signal.SIGINT)
    model = jn.Model(TRIAL[0].init, apply)
    message = "^interrupted before the first step could be made$"
    with pytest.raises(jn.TrainingInterrupted, match=message) as caught:
        jn.fit(model, *TRIAL[1:], XOR, key=KEY, on_interrupt="return", **ENDLESS)
    assert caught.value.result is None
    assert signal.getsignal(signal.SIGINT) is before


def interrupting(method):
    """A method of a run that is called while a Ctrl-C waits."""

    def call(*arguments):
        signal.raise_signal(signal.SIGINT)
        return method(*arguments)

    return call


def test_ctrl_c_while_a_run_is_compiled_returns_it_without_a_step(monkeypatch):
    monkeypatch.setattr(Run, "compile", interrupting(Run.compile))
    result = jn.fit(*TRIAL, XOR, key=KEY, on_interrupt="return", validation=XOR, **ENDLESS)
    assert (result.status, int(result.state.step), result.scores) == ("interrupted", 0, {})
    assert len(result.history["loss"]) == len(result.validation["loss"]) == 0


def test_a_chunk_of_one_network_is_kept_and_one_of_many_blocks_abandoned(monkeypatch):
    monkeypatch.setattr(Run, "advance", interrupting(Run.advance))
    options = {"on_interrupt": "return", **ENDLESS}
    assert int(jn.fit(*TRIAL, XOR, key=KEY, **options).state.step) == 10
    keys = jax.random.split(KEY, 3)
    found = jn.sweep(TRIAL, XOR, keys=keys, batch_members=1, **options)
    assert (found.status.tolist(), int(found.state.step)) == (["interrupted"] * 3, 0)


@pytest.mark.parametrize("on_interrupt", ["raise", "return"])
def test_ctrl_c_in_the_last_chunk_is_not_lost(monkeypatch, on_interrupt):
    monkeypatch.setattr(Run, "advance", interrupting(Run.advance))
    options = {"key": KEY, "steps": 5, "validation": XOR, "validate_every": 5}
    options["on_interrupt"] = on_interrupt
    if on_interrupt == "return":
        result = jn.fit(*TRIAL, XOR, **options)
    else:
        with pytest.raises(jn.TrainingInterrupted, match="after 5 steps") as caught:
            jn.fit(*TRIAL, XOR, **options)
        result = caught.value.result
    assert (result.status, len(result.history["loss"])) == ("completed", 5)
    assert result.scores["loss"] > 0


def test_a_watch_is_not_waited_for():
    def endless(look):
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    with pytest.raises(jn.TrainingInterrupted) as caught:
        jn.fit(*TRIAL, XOR, key=KEY, watch=endless, **ENDLESS)
    assert int(caught.value.result.state.step) == 10


def test_ctrl_c_in_a_run_within_a_watch_ends_the_run_around_it():
    def watch(look):
        jn.fit(*TRIAL, XOR, key=KEY, watch=signalled(signal.SIGINT), **ENDLESS)

    with pytest.raises(jn.TrainingInterrupted) as caught:
        jn.fit(*TRIAL, XOR, key=KEY, steps=7, watch=watch)
    result = caught.value.result
    assert (int(result.state.step), result.status) == (7, "completed")


def test_a_handler_of_one_s_own_gets_the_request_to_terminate_once_the_run_is_saved(tmp_path):
    found = []
    before = signal.signal(signal.SIGTERM, lambda *_: found.append(list(tmp_path.iterdir())))
    options = {"checkpoint": jn.Checkpoint(tmp_path), "watch": signalled(signal.SIGTERM)}
    try:
        with pytest.raises(jn.TrainingInterrupted) as caught:
            jn.fit(*TRIAL, XOR, key=KEY, **options, **ENDLESS)
    finally:
        signal.signal(signal.SIGTERM, before)
    (files,) = found
    assert [int(file.stem.removeprefix("step-")) for file in files] == [
        int(caught.value.result.state.step)
    ]


def test_a_request_to_terminate_is_not_lost_where_the_run_fails(tmp_path, monkeypatch):
    def failing(*_):
        signal.raise_signal(signal.SIGTERM)
        raise RuntimeError("mine")

    monkeypatch.setattr(CheckpointStore, "latest", failing)
    calls = []
    before = signal.signal(signal.SIGTERM, lambda *_: calls.append(1))
    try:
        with pytest.raises(RuntimeError, match="mine"):
            jn.fit(*TRIAL, XOR, key=KEY, checkpoint=jn.Checkpoint(tmp_path), **ENDLESS)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(calls) == 1


def test_a_handler_of_one_s_own_is_left_alone():
    calls = []
    before = signal.signal(signal.SIGINT, lambda *_: calls.append(1))
    try:
        options = {"key": KEY, "steps": 3, "watch": lambda look: signal.raise_signal(signal.SIGINT)}
        result = jn.fit(*TRIAL, XOR, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls
    assert result.status == "completed"


def test_a_run_in_another_thread_sets_no_handler():
    results = []
    thread = threading.Thread(target=lambda: results.append(jn.fit(*TRIAL, XOR, key=KEY, steps=3)))
    thread.start()
    thread.join()
    assert results[0].status == "completed"


def test_an_interrupt_crosses_between_processes_without_a_result():
    again = pickle.loads(pickle.dumps(jn.TrainingInterrupted(Stopped())))
    assert str(again) == "interrupted after 7 steps; error.result holds the run up to there"


class Stopped:
    """What a result is to the error."""

    class state:
        step = 7


PROGRAM = """
import sys, time
import jax, optax
import jaxnets as jn

def watch(look):
    print(look.step, flush=True)

net = jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid)
checkpoint = jn.Checkpoint(sys.argv[1]) if len(sys.argv) > 1 else None
try:
    jn.fit(
        net, jn.losses.bce, optax.sgd(0.5), jn.data.xor(), key=jax.random.key(0), steps=10**9,
        record_every=1000, checkpoint=checkpoint, watch=watch,
    )
except jn.TrainingInterrupted as error:
    print("interrupted", error.result.status, int(error.result.state.step), flush=True)
"""


def sent(number: int, *arguments: str) -> tuple[int, str, float]:
    """Exit code, output and seconds from a signal to the end of a process in the midst of a run."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(jn.__file__).parents[1])},
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.strip().isdecimal()
    started = time.perf_counter()
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    return process.returncode, rest, time.perf_counter() - started


@pytest.mark.slow
def test_a_process_answers_ctrl_c_within_about_a_second(tmp_path):
    code, output, seconds = sent(signal.SIGINT, str(tmp_path))
    assert code == 0
    word, status, steps = output.strip().splitlines()[-1].split()
    assert (word, status) == ("interrupted", "interrupted")
    assert any(steps in path.name for path in tmp_path.iterdir())
    assert seconds < 5  # a fraction, and the end of the interpreter on a busy machine


@pytest.mark.slow
def test_a_process_that_is_to_terminate_saves_and_ends_by_the_signal(tmp_path):
    code, output, seconds = sent(signal.SIGTERM, str(tmp_path))
    assert code == -signal.SIGTERM
    assert "interrupted" not in output
    assert list(tmp_path.glob("step-*"))
    assert seconds < 5


SCRIPT = Path(__file__).parents[2] / "experiments" / "benchmarks" / "signals.py"
"""Prints the seconds of each answer."""


@pytest.mark.slow
@pytest.mark.parametrize("situation", runpy.run_path(str(SCRIPT))["SITUATIONS"])
def test_signals_at_a_bad_time_are_answered_within_a_second(situation):
    command = [sys.executable, str(SCRIPT), "--only", situation, "--within", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
