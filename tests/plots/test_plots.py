"""Pictures: what their lines and cells hold is what the results hold."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentTypeError, ArgumentValueError

X = jnp.linspace(-1, 1, 20)[:, None]
DATA = (X, X**2)
NET = jn.mlp([4, 1], jn.tanh)
KEYS = jax.random.split(jax.random.key(0), 3)


def trial(rate, decay=0.1, beta=0.9):
    return NET, jn.losses.mse, optax.adamw(rate, b1=beta, weight_decay=decay)


@pytest.fixture(scope="module")
def fitted():
    metrics = {"mae": jn.metrics.mae}
    return jn.fit(
        *trial(0.01),
        DATA,
        key=KEYS[0],
        steps=30,
        validation=DATA,
        metrics=metrics,
        validate_every=3,
    )


@pytest.fixture(scope="module")
def study():
    values = {"rate": [0.001, 0.01, 0.1], "decay": [0.0, 1.0]}
    return jn.sweep(
        trial, DATA, keys=KEYS, hyperparameters=values, steps=30, validation=DATA, validate_every=10
    )


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def losses(study, **chosen):
    rows = [row for row in study.table() if all(row[k] == v for k, v in chosen.items())]
    return [row["loss"] for row in rows]


def test_a_history_has_a_panel_per_measure_and_a_line_per_part(fitted):
    loss, mae = jn.plots.history(fitted).axes
    drawn = lines(loss)
    np.testing.assert_allclose(drawn["training"][:, 1], fitted.history["loss"])
    np.testing.assert_allclose(drawn["validation"][:, 1], fitted.validation["loss"])
    np.testing.assert_allclose(drawn["validation"][:, 0], fitted.validation["step"])
    assert list(lines(mae)) == ["validation"]
    assert (loss.get_xlabel(), loss.get_ylabel(), mae.get_ylabel()) == ("step", "loss", "mae")
    (alone,) = jn.plots.history(fitted.history).axes
    assert list(lines(alone)) == ["training"]


def test_a_history_of_a_sweep_is_the_median_in_a_band(study):
    (loss,) = jn.plots.history(study).axes
    drawn = lines(loss)["training"]
    np.testing.assert_allclose(drawn[:, 1], np.median(study.history["loss"], axis=0))
    band = loss.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() >= np.percentile(study.history["loss"], 90, axis=0).max() * 0.999


def test_a_column_over_a_hyperparameter_has_a_line_per_hue(study):
    (ax,) = jn.plots.sweep(study, x="rate", hue="decay").axes
    drawn = lines(ax)
    assert list(drawn) == ["0", "1"]
    for decay in (0.0, 1.0):
        expected = [np.median(losses(study, rate=rate, decay=decay)) for rate in (0.001, 0.01, 0.1)]
        np.testing.assert_allclose(drawn[f"{decay:g}"][:, 1], expected, rtol=1e-6)
    assert ax.get_xscale() == "log"
    assert ax.get_legend().get_title().get_text() == "decay"


def test_two_hyperparameters_make_a_map_of_medians(study):
    (ax,) = jn.plots.sweep(study).axes
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert len(written) == 6
    assert written[(1, 2)] == f"{np.median(losses(study, rate=0.1, decay=1.0)):.3g}"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("decay", "rate")


def test_three_hyperparameters_make_a_line_per_member():
    values = {"rate": [0.01, 0.1], "decay": [0.0, 1.0], "beta": [0.5, 0.9]}
    study = jn.sweep(trial, DATA, keys=KEYS[:1], hyperparameters=values, steps=3)
    (ax,) = jn.plots.sweep(study).axes
    members = [line for line in ax.get_lines() if len(line.get_xdata()) == 4]
    assert len(members) == 8
    best = members[-1].get_ydata()  # drawn last, above the others
    row = study.table()[study.best()]
    assert best.tolist() == [row["rate"] == 0.1, row["decay"] == 1.0, row["beta"] == 0.9, 0.0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [*values, "loss"]


def test_curves_over_the_steps_by_hue(study):
    (ax,) = jn.plots.sweep(study, x="step", hue="rate").axes
    own = study.labels["rate"] == 0.1
    expected = np.median(study.history["loss"][own], axis=0)
    np.testing.assert_allclose(lines(ax)["0.1"][:, 1], expected, rtol=1e-6)
    (ax,) = jn.plots.sweep(study, x="step", y="validation_loss").axes
    (line,) = ax.get_lines()
    np.testing.assert_allclose(line.get_ydata(), np.median(study.validation["loss"], axis=0))


def test_a_diverged_member_leaves_the_others_drawn():
    study = jn.sweep(
        lambda rate: (jn.dense(1), jn.losses.mse, optax.sgd(rate)),
        DATA, keys=KEYS, hyperparameters={"rate": [0.1, 1e30]}, steps=9,
    )  # fmt: skip
    (ax,) = jn.plots.sweep(study).axes
    (line,) = ax.get_lines()
    assert np.isfinite(line.get_ydata()[0])


def test_predictions_of_one_input_are_a_curve_over_it(fitted, study):
    (ax,) = jn.plots.predictions(fitted, DATA).axes
    drawn = lines(ax)["prediction"]
    expected = NET.apply(fitted.params, drawn[:, :1].astype(np.float32))
    np.testing.assert_allclose(drawn[:, 1], expected[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), np.hstack(DATA), rtol=1e-6)
    (ax,) = jn.plots.predictions(study, DATA).axes
    assert len(ax.collections) == 2  # the examples, and a band over the members


def test_predictions_of_several_inputs_stand_against_the_targets():
    x = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    (ax,) = jn.plots.predictions(
        lambda x: x.sum(1, keepdims=True) + 1, (x, x.sum(1, keepdims=True))
    ).axes
    points = ax.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1] - points[:, 0], 1)


def test_predictions_of_classes_are_counted():
    scores, labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]], np.array([0, 1, 2, 2])
    (ax,) = jn.plots.predictions(lambda x: scores, (scores, labels)).axes
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[(1, 2)] == "1"  # predicted 1, truly 2
    assert sum(map(int, written.values())) == 4
    assert ax.get_title() == "75.0% right"


def test_a_surface_marks_its_line_at_one_half():
    x, y = jn.data.xor()
    figure = jn.plots.surface(lambda x: x[:, :1], (x, y))
    ax, bar = figure.axes
    half = ax.collections[1].get_paths()[0].vertices
    np.testing.assert_allclose(half[:, 0], 0.5, atol=1e-6)
    assert bar.get_ylabel() == "probability"


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        (
            lambda study: jn.plots.history(3),
            ArgumentTypeError,
            "history: result must be a result of fit or sweep; got 3. Pass jn.fit(...) or its "
            "history.",
        ),
        (
            lambda study: jn.plots.sweep(study, x="width"),
            ArgumentValueError,
            "sweep: x must be one of 'seed', 'rate', 'decay', 'loss', 'validation_loss', "
            "'diverged_at', 'stopped_at', 'status', 'step'; got 'width'. Pass x='seed'.",
        ),
        (
            lambda study: jn.plots.sweep(3),
            ArgumentTypeError,
            "sweep: result must be a Sweep; got 3. Pass what jn.sweep returned.",
        ),
        (
            lambda study: jn.plots.surface(lambda x: x, (jnp.ones((3, 4)), jnp.ones(3))),
            ArgumentValueError,
            "surface: data must have two inputs; got (3, 4). Pass data=(x[:, :2], y), for example.",
        ),
    ],
)
def test_misuse_is_named(study, misuse, error, message):
    with pytest.raises(error) as caught:
        misuse(study)
    assert str(caught.value) == message


def test_without_matplotlib_the_extra_is_named(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'jaxnets\[plot\]'"):
        jn.plots.history(fitted)
