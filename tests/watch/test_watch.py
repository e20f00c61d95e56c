"""Watchers: their files hold what the result holds, however the run was cut into looks."""

import csv
import json
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentFileError, ArgumentTypeError, ArgumentValueError

KEY = jax.random.key(0)
X = jnp.linspace(0, 1, 8)[:, None]
DATA = (X, 2 * X)
TRIAL = (jn.dense(1), jn.losses.mse, optax.sgd(0.1))


def outer(predictions, targets):
    return jnp.outer(predictions, targets)[:2, :2]


def run(watch, *, steps=6, first=0, sweep=False, metrics=None):
    """A run whose looks are cut by hand: two records each, with evaluations at every third."""
    options = {"steps": steps, "validation": DATA, "validate_every": 3}
    if sweep:
        result = jn.sweep(TRIAL, DATA, keys=jax.random.split(KEY, 3), **options)
    else:
        result = jn.fit(*TRIAL, DATA, key=KEY, metrics=metrics, **options)
    for start in range(first, steps, 2):
        parts = []
        for part, shift in ((result.history, 0), (result.validation, 1)):
            chosen = (part["step"] >= start + shift) & (part["step"] < start + 2 + shift)
            own = {
                name: column[:, chosen]
                if sweep and name not in ("step", "epoch")
                else column[chosen]
                for name, column in part.items()
            }
            parts.append(jn.History(own))
        watch(jn.Look(start + 2, steps, 0.1 * start, *parts, result.params))
    return result


def test_a_csv_is_that_of_the_history_at_the_end_of_each_run(tmp_path):
    watcher = jn.watch.csv(tmp_path / "run.csv")
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):  # the second begins the files anew
        result = run(watcher)
        result.history.to_csv(tmp_path / "history.csv")
        result.validation.to_csv(tmp_path / "validation.csv")
        for own, expected in (("run", "history"), ("run.validation", "validation")):
            assert (tmp_path / f"{own}.csv").read_bytes() == (
                tmp_path / f"{expected}.csv"
            ).read_bytes()


def test_a_run_that_goes_on_adds_to_its_file(tmp_path):
    path = tmp_path / "run.csv"
    run(jn.watch.csv(path), steps=4)
    result = run(jn.watch.csv(path), steps=8, first=4)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == result.history["loss"].tolist()


def test_a_csv_of_a_sweep_has_the_rows_of_its_history_with_the_members(tmp_path):
    path = tmp_path / "run.csv"
    result = run(jn.watch.csv(path), sweep=True)
    result.history.to_csv(tmp_path / "history.csv")
    lines = [(tmp_path / name).read_text().splitlines() for name in ("run.csv", "history.csv")]
    assert lines[0][0] == lines[1][0]
    assert sorted(lines[0]) == sorted(lines[1])


def test_json_lines_tell_records_from_evaluations(tmp_path):
    path = tmp_path / "run.jsonl"
    result = run(jn.watch.jsonl(path), metrics={"matrix": outer})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses == result.history["loss"].tolist()
    evaluations = [line for line in lines if "validation_loss" in line]
    assert [line["step"] for line in evaluations] == result.validation["step"].tolist()
    assert evaluations[0]["validation_matrix"] == result.validation["matrix"][0].tolist()
    assert len(lines) == len(losses) + len(evaluations)


def test_what_is_not_finite_is_null_in_json(tmp_path):
    path = tmp_path / "run.jsonl"
    history = jn.History({"step": [0], "epoch": [0.0], "loss": [np.nan]})
    jn.watch.jsonl(path)(jn.Look(1, 1, 0.0, history, jn.History({}), {}))
    assert json.loads(path.read_text()) == {"step": 0, "epoch": 0.0, "loss": None}


def test_every_hands_on_all_that_happened_since_its_last_call():
    seen = []
    result = run(jn.watch.every(3600, seen.append), metrics={"matrix": outer})
    assert [look.step for look in seen] == [2, 6]  # the first look, and the last
    joined = np.concatenate([look.history["loss"] for look in seen])
    assert joined.tolist() == result.history["loss"].tolist()
    joined = np.concatenate([look.validation["matrix"] for look in seen if look.validation])
    np.testing.assert_array_equal(joined, result.validation["matrix"])
    seen.clear()
    result = run(jn.watch.every(3600, seen.append), sweep=True)
    joined = np.concatenate([look.history["loss"] for look in seen], axis=1)
    np.testing.assert_array_equal(joined, result.history["loss"])
    seen.clear()
    run(jn.watch.every(1e-9, seen.append))
    assert [look.step for look in seen] == [2, 4, 6]


def test_every_forgets_a_run_that_was_broken_off():
    seen = []
    watcher = jn.watch.every(3600, seen.append)

    def broken_off(look):
        if look.step == 6:
            raise KeyboardInterrupt
        watcher(look)

    with pytest.raises(KeyboardInterrupt):
        run(broken_off)
    seen.clear()
    result = run(watcher)
    assert seen[-1].history["loss"].tolist() == result.history["loss"].tolist()


def test_every_and_together_hand_the_answer_on():
    look = jn.Look(2, 6, 0.0, jn.History({"step": [0]}), jn.History({}), {})
    assert jn.watch.every(1.0, lambda look: True)(look) is True
    seen = []
    both = jn.watch.together(lambda look: True, seen.append)
    assert both(look) is True
    assert seen == [look]
    assert jn.watch.together(seen.append, lambda look: None)(look) is False


def test_a_picture_grows_with_the_run(tmp_path, monkeypatch):
    drawn = []

    def note(figure, path):
        drawn.append([len(line.get_xdata()) for line in figure.axes[0].get_lines()])

    monkeypatch.setattr("jaxnets.watch.pictures.save_figure", note)
    watcher = jn.watch.plot(tmp_path / "run.png", every=1e-9)
    run(watcher)
    assert drawn == [[2], [4, 1], [6, 2]]
    run(watcher, steps=2)
    assert drawn[-1] == [2]


def test_a_picture_is_written(tmp_path):
    result = jn.fit(*TRIAL, DATA, key=KEY, steps=5, watch=jn.watch.plot(tmp_path / "run.svg"))
    assert result.status == "completed"
    assert b"<svg" in (tmp_path / "run.svg").read_bytes()


def test_tensorboard_gets_every_scalar_with_its_step(tmp_path, monkeypatch):
    written = []

    class SummaryWriter:
        def __init__(self, folder, flush_secs):
            assert flush_secs <= 10
            written.append(folder)

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

    module = types.SimpleNamespace(SummaryWriter=SummaryWriter)
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    place = tmp_path / "runs" / "first"
    result = run(jn.watch.tensorboard(place), metrics={"matrix": outer})
    assert written[0] == str(place)
    losses = [(value, step) for name, value, step in written[1:] if name == "training/loss"]
    assert losses == list(zip(result.history["loss"].tolist(), range(6), strict=True))
    names = {name for name, *_ in written[1:]}
    assert names == {"training/loss", "validation/loss"}  # no matrix
    written.clear()
    result = run(jn.watch.tensorboard(tmp_path), sweep=True)
    losses = [value for name, value, _ in written[1:] if name == "training/loss"]
    np.testing.assert_allclose(losses, np.median(result.history["loss"], axis=0), rtol=1e-6)


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError) as caught:
        jn.watch.tensorboard(tmp_path)
    assert str(caught.value) == (
        "tensorboard: tensorboardX must be installed; got none. "
        "Install it with: pip install 'jaxnets[tensorboard]'"
    )


@pytest.mark.parametrize("make", [jn.watch.csv, jn.watch.jsonl, jn.watch.plot])
def test_a_place_that_cannot_be_written_is_refused_before_training(make, tmp_path):
    with pytest.raises(
        ArgumentFileError, match=f"^{make.__name__}: path must name a file that can"
    ):
        make(tmp_path / "no" / "such" / "run.png")
    with pytest.raises(ArgumentValueError, match="path must name a file; got the folder"):
        make(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentFileError):
        make(tmp_path / "file" / "run.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (
            lambda: jn.watch.every(0, print),
            ArgumentValueError,
            "every: seconds must be a positive finite number; got 0. Pass seconds=10.0, for "
            "example.",
        ),
        (
            lambda: jn.watch.every(1.0, None),
            ArgumentTypeError,
            "every: function must be callable; got None. Pass a function f(look).",
        ),
        (
            lambda: jn.watch.together(),
            ArgumentValueError,
            'together: watchers must be given; got none. Pass jn.watch.csv("run.csv").',
        ),
        (
            lambda: jn.watch.plot("run.txt"),
            ArgumentValueError,
            "plot: path must end in a picture format such as .png or .svg; got run.txt. Pass "
            "run.png.",
        ),
    ],
)
def test_misuse_is_named(misuse, error, message):
    with pytest.raises(error) as caught:
        misuse()
    assert str(caught.value) == message
