"""Results of `fit` and `sweep`: what can be read off them, in memory, in files and on a screen."""

import csv
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.intervals import wilson_interval

X, Y = jn.data.xor()
KEYS = jax.random.split(jax.random.key(0), 5)
KEY = KEYS[0]
NET = jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid)
TANH = jn.mlp([3, 1], jn.tanh)


def small_sweep(**options):
    return jn.sweep((TANH, jn.losses.mse, optax.sgd(0.1)), (X, Y), keys=KEYS[:3], **options)


def test_a_sweep_that_recorded_nothing_has_no_losses():
    result = small_sweep(steps=5, stop=jn.Stop(seconds=1e-9))
    assert [row["stopped_at"] for row in result.table()] == [0, 0, 0]
    assert np.isnan(result.last_losses()).all()
    with pytest.raises(
        ValueError,
        match="column 'loss' must be finite for a member that has not diverged; got none",
    ):
        result.best()


def test_the_best_by_any_column():
    result = small_sweep(
        steps=5,
        validation=(X, 1 - Y),
        metrics={"first": lambda predictions, y: predictions[0, 0]},
    )
    assert result.best("validation_loss") == int(np.argmin(result.scores["loss"]))
    assert result.best("validation_first", "max") == int(np.argmax(result.scores["first"]))
    with pytest.raises(
        ValueError, match=r"^Sweep\.best: column must be one of 'loss', .*; got 'fun'"
    ):
        result.best("fun")


def test_questions_to_a_sweep_that_make_no_sense():
    result = small_sweep(steps=1)
    with pytest.raises(
        IndexError, match=r"^Sweep\.member: index must be a whole number from -3 to 2; got 3\."
    ):
        result.member(3)
    with pytest.raises(
        TypeError, match=r"^Sweep\.success_rate: criterion must return one truth value for a member"
    ):
        result.success_rate(lambda params: TANH.apply(params, X) > 0)


def test_success_rate_has_wilsons_interval():
    result = jn.sweep((NET, jn.losses.bce, optax.sgd(2.0)), (X, Y), keys=KEYS, steps=3000)

    def solved(params):
        return ((NET.apply(params, X) > 0.5) == (Y > 0.5)).all()

    share, low, high = result.success_rate(solved)
    expected = np.mean([bool(solved(result.member(i))) for i in range(5)])
    assert share == expected
    assert low <= share <= high
    assert high - low > 0.3


def test_the_best_by_a_metric_of_several_values_is_not_defined():
    result = jn.sweep(
        (NET, jn.losses.bce, optax.sgd(0.1)),
        (X, Y),
        keys=KEYS,
        steps=1,
        validation=(X, Y),
        metrics={"errors": lambda p, y: jnp.abs(p - y)[:, 0]},
    )
    with pytest.raises(
        ValueError,
        match=r"^Sweep.best: column must hold one number a member; got float32\[4\]. Choose with "
        r"sweep.scores, or reduce the metric with .mean\(\).$",
    ):
        result.best("validation_errors")


@pytest.mark.parametrize("index", [True, 1.0, None])
def test_a_member_is_a_whole_number(index):
    result = jn.sweep((NET, jn.losses.bce, optax.sgd(0.1)), (X, Y), keys=KEYS, steps=1)
    with pytest.raises(TypeError) as caught:
        result.member(index)
    assert str(caught.value) == (
        f"Sweep.member: index must be a whole number from -5 to 4; got {index}. Sweep.table() "
        "lists the members."
    )


def test_an_interval_holds_its_share():
    for trials in range(1, 30):
        for successes in (0, trials):
            low, high = wilson_interval(successes, trials)
            assert low <= successes / trials <= high


def test_a_result_without_evaluations_prints():
    result = jn.fit(TANH, jn.losses.mse, optax.sgd(0.1), (X, Y), key=KEY, steps=2)
    assert "History(step, epoch, loss; 2 records)" in repr(result)
    assert "History(empty; 0 records)" in repr(result)


LARGE = (jn.mlp([64, 64, 10], jn.relu), jn.losses.mse, optax.adam(0.1))
TEN = jnp.zeros((4, 10))


def test_results_print_in_a_few_lines_that_hold_no_arrays():
    single = jn.fit(*LARGE, (X, TEN), key=KEY, steps=1, validation=(X, TEN))
    many = jn.sweep(LARGE, (X, TEN), keys=KEYS[:2], steps=1)
    for result in (single, many):
        text = repr(result)
        assert len(text) < 1000
        assert len(text.splitlines()) <= 5
        assert "rray" not in text
        assert "completed" in text
        assert "History(step, epoch, loss; 1 records)" in text
        assert len(result._repr_html_()) < 2000
        assert "<th>loss</th>" in result._repr_html_()
    assert "members 2" in repr(many)


METRICS = {"accuracy": jn.metrics.accuracy}


def test_one_network_is_a_table_of_one_row(tmp_path):
    options = {"steps": 3, "validation": (X, 1 - Y), "metrics": METRICS}
    result = jn.fit(NET, jn.losses.bce, optax.sgd(0.5), (X, Y), key=KEY, **options)
    (row,) = result.table()
    assert row["loss"] == result.history["loss"][-1]
    assert row["status"] == "completed"
    assert row["steps"] == 3
    loss = jn.losses.bce(NET.apply(result.params, X), 1 - Y)
    np.testing.assert_allclose(row["validation_loss"], loss, rtol=1e-6)
    np.testing.assert_allclose(result.scores["loss"], loss, rtol=1e-6)
    assert row["validation_accuracy"] == result.scores["accuracy"]
    result.to_csv(tmp_path / "run.csv")
    (read,) = csv.DictReader((tmp_path / "run.csv").read_text().splitlines())
    assert read == {name: str(value) for name, value in row.items()}
    np.testing.assert_array_equal(result.predict(X), NET.apply(result.params, X))


def test_the_table_of_a_sweep_in_a_file_reads_back_exactly(tmp_path):
    def trial(learning_rate):
        return jn.dense(1), jn.losses.mse, optax.sgd(learning_rate)

    result = jn.sweep(
        trial,
        (X, Y),
        keys=KEYS[:2],
        hyperparameters={"learning_rate": [0.1, 1e4]},
        steps=40,
        validation=(X, Y),
    )
    result.to_csv(tmp_path / "sweep.csv")
    rows = list(csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["completed", "diverged"] * 2
    assert result.status.tolist() == ["completed", "diverged"] * 2
    for row, expected in zip(rows, result.table(), strict=True):
        assert row.keys() == expected.keys()
        for name, value in expected.items():
            if isinstance(value, float):
                assert float(row[name]) == value or math.isnan(value)
            else:
                assert row[name] == str(value)


def test_members_predict_side_by_side():
    def trial(scale):
        own = jn.Model(TANH.init, lambda params, x, *, key=None: scale * TANH.apply(params, x))
        return own, jn.losses.mse, optax.sgd(0.1)

    result = jn.sweep(trial, (X, Y), keys=KEYS[:2], hyperparameters={"scale": [1.0, 3.0]}, steps=2)
    outputs = result.predict(X)
    assert outputs.shape == (4, 4, 1)
    for number, scale in enumerate([1.0, 3.0] * 2):
        expected = scale * TANH.apply(result.member(number), X)
        np.testing.assert_allclose(outputs[number], expected, rtol=1e-6)


def test_members_of_equal_models_predict_what_each_does_alone():
    result = jn.sweep((TANH, jn.losses.mse, optax.sgd(0.1)), (X, Y), keys=KEYS[:3], steps=2)
    for number, outputs in enumerate(result.predict(X)):
        expected = TANH.apply(result.member(number), X)
        np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=1e-7)
