"""Whole runs: equal to a loop of steps written by hand, compiled once, honest when they fail."""

import contextlib
import csv

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.checks import ArgumentTypeError, ArgumentValueError
from jaxnets.training import History

KEY = jax.random.key(11)
XOR = jn.data.xor()
NET = jn.sequential(jn.dense(2), jn.sigmoid, jn.dense(1), jn.sigmoid)
LINE = jn.dense(1)
LINE_X = np.float32([[0.0], [1.0], [2.0]])
LINE_Y = np.float32([[1.0], [3.0], [5.0]])
SGD = optax.sgd(0.5)

COMPILED = []


def _note_compilation(event, *_, fun_name="", **__):
    # Moving an array of a new shape to the device counts as a program of its own.
    if event == "/jax/core/compile/backend_compile_duration" and fun_name != "jit(stage)":
        COMPILED.append(event)


jax.monitoring.register_event_duration_secs_listener(_note_compilation)


@contextlib.contextmanager
def compilations():
    """A list that gets one entry for everything XLA compiles within the block."""
    before, seen = len(COMPILED), []
    try:
        yield seen
    finally:
        seen.extend(COMPILED[before:])


def fit(model=NET, loss=jn.losses.bce, optimizer=SGD, data=XOR, *, key=KEY, steps=10, **options):
    return jn.fit(model, loss, optimizer, data, key=key, steps=steps, **options)


def fit_line(optimizer=SGD, *, loss=jn.losses.mse, data=(LINE_X, LINE_Y), **options):
    return fit(LINE, loss, optimizer, data, **options)


def loop(model, loss, optimizer, data, *, key, steps, params=None):
    """The same run as a plain loop: the final state and the loss of every step."""
    start = jax.jit(lambda key: jn.init_state(model, optimizer, key, data[0], params=params))
    step = jax.jit(jn.make_step(model, loss, optimizer))
    state, losses = start(key), []
    for _ in range(steps):
        state, metrics = step(state, data)
        losses.append(np.asarray(metrics["loss"]))
    return state, np.array(losses)


def assert_bitwise_equal(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def assert_equal_to_rounding(ours, theirs):
    """Of two programs that do the same sums, as XLA may fuse, and so round, them differently."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-6)


DROPPING = jn.sequential(jn.dense(8), jn.relu, jn.dropout(0.3), jn.dense(1), jn.sigmoid)

RUNS = {
    "sgd": (NET, jn.losses.bce, optax.sgd(1.0), XOR),
    "adam": (NET, jn.losses.bce, optax.adam(0.1), XOR),
    "dropout": (DROPPING, jn.losses.bce, optax.sgd(0.5, momentum=0.9), XOR),
    "a loss of one's own": (NET, lambda p, y: jnp.abs(p - y).max(), optax.sgd(0.1), XOR),
    "a schedule": (
        NET,
        jn.losses.bce,
        optax.sgd(optax.exponential_decay(1.0, 5, 0.5)),
        XOR,
    ),
}

QUICK = {"sgd", "dropout"}


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RUNS],
)
def test_a_run_is_a_loop_of_its_steps(name):
    state, losses = loop(*RUNS[name], key=KEY, steps=30)
    result = fit(*RUNS[name], steps=30)
    assert_equal_to_rounding(result.history["loss"], losses)
    np.testing.assert_array_equal(result.history["step"], np.arange(30))
    assert_equal_to_rounding(result.params, state.params)
    assert_equal_to_rounding(result.opt_state, state.opt_state)


def test_what_a_run_returns():
    result = fit(steps=30)
    assert result.status == "completed"
    assert int(result.state.step) == 30
    assert result.state.params is result.params
    assert result.state.opt_state is result.opt_state
    assert set(result.seconds) == {"compile", "run"}
    assert all(seconds > 0 for seconds in result.seconds.values())
    assert isinstance(result.history["loss"], np.ndarray)
    assert result.history["loss"].dtype == np.float32


@pytest.mark.parametrize(("steps", "record_every"), [(10, 3), (11, 10), (10, 25), (1, 5), (12, 4)])
def test_every_nth_step_is_recorded_from_the_first(steps, record_every):
    _, losses = loop(*RUNS["adam"], key=KEY, steps=steps)
    result = fit(*RUNS["adam"], steps=steps, record_every=record_every)
    np.testing.assert_array_equal(result.history["step"], np.arange(0, steps, record_every))
    assert_equal_to_rounding(result.history["loss"], losses[::record_every])
    assert int(result.state.step) == steps


def test_more_records_than_the_device_holds_at_a_time():
    result = fit_line(optax.sgd(1e-4), steps=9001)
    np.testing.assert_array_equal(result.history["step"], np.arange(9001))
    assert (np.diff(result.history["loss"]) <= 0).all()
    assert len(np.unique(result.history["loss"])) > 8000


def test_the_loss_of_a_step_is_the_one_before_its_update():
    params = {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
    result = fit_line(params=params, steps=2)
    assert result.history["loss"][0] == pytest.approx((LINE_Y**2).mean())
    after = fit_line(params=params, steps=1).params
    expected = ((LINE_X * np.asarray(after["w"]) + np.asarray(after["b"]) - LINE_Y) ** 2).mean()
    assert result.history["loss"][1] == pytest.approx(expected, rel=1e-5)


def test_params_take_up_a_run():
    whole = fit(steps=20)
    half = fit(steps=10)
    rest = fit(steps=10, params=half.params)
    assert_bitwise_equal(rest.params, whole.params)
    np.testing.assert_array_equal(rest.history["loss"], whole.history["loss"][10:])
    np.testing.assert_array_equal(rest.history["step"], np.arange(10))


def test_params_given_are_not_changed():
    params = jax.tree.map(np.asarray, fit(steps=1).params)
    before = jax.tree.map(np.copy, params)
    fit(params=params)
    assert_bitwise_equal(params, before)


class Counted:
    """A loss that counts how often it is traced or called."""

    def __init__(self):
        self.times = 0

    def __call__(self, predictions, targets):
        self.times += 1
        return ((predictions - targets) ** 2).mean()


OTHER_KEY = jax.random.key(12)
AGAIN = {
    "nothing changed": {},
    "more steps": {"steps": 37},
    "fewer steps": {"steps": 1},
    "another key": {"key": OTHER_KEY},
    "other data": {"data": (LINE_X + 1, 2 * LINE_Y)},
    "data on the device": {"data": (jnp.asarray(LINE_X), jnp.asarray(LINE_Y))},
}


@pytest.mark.parametrize("change", AGAIN)
def test_a_second_run_compiles_nothing(change):
    loss = Counted()
    fit_line(loss=loss)
    traced = loss.times
    assert traced > 0
    with compilations() as compiled:
        fit_line(loss=loss, **AGAIN[change])
    assert (loss.times, compiled) == (traced, [])


def test_the_step_is_traced_once_however_many_are_made():
    few, many = Counted(), Counted()
    fit_line(loss=few, steps=3, record_every=2)
    fit_line(loss=many, steps=100, record_every=2)
    assert few.times == many.times <= 4


def test_another_loss_is_compiled():
    """The counter of compilations counts."""
    fit_line()
    with compilations() as compiled:
        fit_line(loss=lambda p, y: jnp.abs(p - y).mean())
    assert compiled


def test_another_width_of_data_is_compiled_and_right():
    wide = np.ones((3, 2), np.float32)
    result = fit(LINE, jn.losses.mse, optax.sgd(0.1), (wide, LINE_Y))
    assert result.params["w"].shape == (2, 1)


def test_a_gradient_derived_by_hand_gives_the_same_run():
    """Mean squared error of y = x w + b: dL/dw = 2 x^T e / n, dL/db = 2 sum(e) / n."""

    def by_hand(params, x, y):
        error = x @ params["w"] + params["b"][None] - y
        gradient = {"w": 2 * x.T @ error / len(x), "b": 2 * error.sum(0) / len(x)}
        return (error**2).mean(), gradient

    by_autodiff = fit_line(optax.sgd(0.1), steps=50)
    result = fit_line(optax.sgd(0.1), steps=50, value_and_grad=by_hand)
    np.testing.assert_allclose(
        result.history["loss"], by_autodiff.history["loss"], rtol=1e-5, atol=1e-7
    )
    for name in "wb":
        np.testing.assert_allclose(result.params[name], by_autodiff.params[name], rtol=1e-5)


def test_a_gradient_of_one_s_own_is_used():
    def uphill(params, x, y):
        return jnp.zeros(()), jax.tree.map(jnp.ones_like, params)

    start = {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
    result = fit_line(optax.sgd(0.5), steps=3, params=start, value_and_grad=uphill)
    assert result.history["loss"].tolist() == [0, 0, 0]
    assert float(result.params["w"].item()) == -1.5


def test_float64(x64):
    data = (np.float64(LINE_X), np.float64(LINE_Y))
    result = fit_line(optax.sgd(0.3), data=data, steps=2000)
    assert result.params["w"].dtype == np.float64
    assert result.history["loss"].dtype == np.float64
    assert result.params["w"].item() == pytest.approx(2, abs=1e-12)
    assert result.params["b"].item() == pytest.approx(1, abs=1e-12)


def test_inputs_and_targets_may_be_pytrees():
    model = jn.Model(
        lambda key, x: {"a": jnp.zeros(()), "b": jnp.zeros(())},
        lambda params, x, *, key=None: params["a"] * x["one"] + params["b"] * x["two"],
    )
    x = {"one": np.float32([1, 0, 1]), "two": np.float32([0, 1, 1])}
    y = {"sum": np.float32([2, 3, 5])}
    result = fit(
        model, lambda p, y: ((p - y["sum"]) ** 2).mean(), optax.sgd(0.5), (x, y), steps=100
    )
    assert float(result.params["a"]) == pytest.approx(2, abs=1e-4)
    assert float(result.params["b"]) == pytest.approx(3, abs=1e-4)


def test_the_model_gets_a_new_key_every_step():
    model = jn.Model(
        lambda key, x: {"a": jnp.zeros(())},
        lambda params, x, *, key=None: params["a"] * x + jax.random.uniform(key),
    )
    data = (np.zeros(2, np.float32), np.zeros(2, np.float32))
    result = fit(model, lambda p, y: p.mean(), SGD, data, steps=6, record_every=2)
    _, run_key = jax.random.split(KEY)
    drawn = [float(jax.random.uniform(jax.random.fold_in(run_key, step))) for step in (0, 2, 4)]
    np.testing.assert_allclose(result.history["loss"], drawn, rtol=1e-6)


def test_the_weights_are_those_that_init_state_draws():
    result = fit(optimizer=optax.sgd(1e-30), steps=1)
    expected = jn.init_state(NET, SGD, KEY, XOR[0]).params
    for ours, theirs in zip(jax.tree.leaves(result.params), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_progress_bar_is_on_standard_error_alone(capsys):
    result = fit(steps=25, record_every=2, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "25/25" in shown.err
    assert "loss=" in shown.err
    assert_bitwise_equal(result.params, fit(steps=25, record_every=2).params)
    assert capsys.readouterr() == ("", "")


EXPLODING = optax.sgd(1e5)


def first_bad_step(optimizer, params):
    """The step of a plain loop whose loss, gradient or update is not finite, its path, losses."""
    value_and_grad = jax.value_and_grad(
        lambda params: jn.losses.mse(LINE.apply(params, jnp.asarray(LINE_X)), jnp.asarray(LINE_Y))
    )
    opt_state, losses = optimizer.init(params), []
    for step in range(1000):
        loss, gradient = value_and_grad(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        updated = optax.apply_updates(params, updates)
        bad = [
            name
            for tree in (gradient, updated)
            for name in tree
            if not np.isfinite(tree[name]).all()
        ]
        if bad or not np.isfinite(loss):
            return step, (bad or [None])[0], losses
        losses.append(float(loss))
        params = updated
    raise AssertionError("it did not diverge")


@pytest.mark.parametrize("record_every", [1, 3, 100])
def test_divergence_stops_at_the_step_of_a_plain_loop(record_every):
    params = {"b": jnp.zeros(1), "w": jnp.ones((1, 1))}
    step, path, losses = first_bad_step(EXPLODING, params)
    assert step > 3
    with pytest.raises(
        jn.TrainingDiverged, match=f"stopped being finite at step {step} "
    ) as caught:
        fit_line(EXPLODING, params=params, steps=1000, record_every=record_every)
    error = caught.value
    assert (error.step, error.path) == (step, path)
    recorded = losses[::record_every]
    assert error.loss == pytest.approx(losses[-1], rel=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(error.state.params))
    assert error.state is error.result.state
    assert int(error.state.step) == step
    assert error.result.status == "diverged"
    np.testing.assert_allclose(error.result.history["loss"], recorded, rtol=1e-5)
    np.testing.assert_array_equal(error.result.history["step"], np.arange(step)[::record_every])


def test_divergence_says_where_and_what_to_do():
    params = {"b": jnp.zeros(1), "w": jnp.ones((1, 1))}
    with pytest.raises(
        jn.TrainingDiverged,
        match=r"^fit: the loss stopped being finite at step \d+ \(loss before [\d.e+]+\)\. "
        r"Lower the learning rate or check the data; "
        r"error\.result holds the run up to there\.$",
    ):
        fit_line(EXPLODING, params=params, steps=1000)


def test_divergence_at_the_first_step_has_nothing_recorded():
    params = {"b": jnp.zeros(1), "w": jnp.full((1, 1), 3e38)}
    with pytest.raises(jn.TrainingDiverged, match=r"at step 0 \(no loss before\)") as caught:
        fit_line(params=params)
    assert (caught.value.step, caught.value.loss) == (0, None)
    assert len(caught.value.result.history["loss"]) == 0
    assert_bitwise_equal(caught.value.state.params, params)


def test_divergence_of_the_loss_alone():
    def loss(predictions, targets):
        error = ((predictions - targets) ** 2).mean()
        return error + jax.lax.stop_gradient(jnp.where(error < 1, jnp.nan, 0.0))

    with pytest.raises(jn.TrainingDiverged, match=r"^fit: the loss stopped being") as caught:
        fit_line(optax.sgd(0.1), loss=loss, steps=1000)
    assert caught.value.path is None
    assert caught.value.loss > 1


def test_the_last_finite_state_is_finite():
    params = {"b": jnp.zeros(1), "w": jnp.ones((1, 1))}
    with pytest.raises(jn.TrainingDiverged, match="stopped being finite") as caught:
        fit_line(optax.sgd(1.0), params=params, steps=1000)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(caught.value.state.params))


GOOD_PARAMS = {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}
TYPE, VALUE = ArgumentTypeError, ArgumentValueError
CUT = "Cut them to the same examples."
INIT_REMEDY = "Pass params made by this model's init for data of this width."

BAD = {
    "no steps": (
        {"steps": 0},
        VALUE,
        "fit: steps must be a whole number of at least 1; got 0. Pass steps=10, for example.",
    ),
    "half a step": (
        {"steps": 1.5},
        TYPE,
        "fit: steps must be a whole number of at least 1; got 1.5. Pass steps=10, for example.",
    ),
    "no records": (
        {"record_every": 0},
        VALUE,
        "fit: record_every must be a whole number of at least 1; got 0. "
        "Pass record_every=10, for example.",
    ),
    "a single array": (
        {"data": LINE_X},
        TYPE,
        "fit: data must be a pair (x, y) of inputs and targets; got float32[3,1]. "
        "Pass data=(x, y).",
    ),
    "three arrays": (
        {"data": (LINE_X, LINE_Y, LINE_Y)},
        TYPE,
        "fit: data must be a pair (x, y) of inputs and targets; got ",
    ),
    "lengths": (
        {"data": (LINE_X, LINE_Y[:2])},
        VALUE,
        "fit: data must have as many targets as inputs; got lengths {'x': 3, 'y': 2}. " + CUT,
    ),
    "lengths within a pytree": (
        {"data": ({"a": LINE_X, "b": LINE_X[:1]}, LINE_Y)},
        VALUE,
        "fit: data must have as many targets as inputs; got lengths {'x/a': 3, 'x/b': 1, 'y': 3}. "
        + CUT,
    ),
    "empty": (
        {"data": (LINE_X[:0], LINE_Y[:0])},
        VALUE,
        "fit: data must hold at least one example; got {'x': 0, 'y': 0}. Pass some data.",
    ),
    "a scalar": (
        {"data": (LINE_X, np.float32(3))},
        VALUE,
        "fit: y must have a leading axis of examples; got float32[]. "
        "Pass an array of shape [examples, ...].",
    ),
    "text": (
        {"data": (np.array([["a"], ["b"], ["c"]]), LINE_Y)},
        TYPE,
        "fit: x must hold numbers; got <U1[3,1]. Convert it with jnp.asarray(..., dtype=float).",
    ),
    "nan": (
        {"data": (LINE_X, np.float32([[1], [np.nan], [np.inf]]))},
        VALUE,
        "fit: y must be finite; got nan at index (1, 0). Remove or replace the examples concerned.",
    ),
    "infinity": (
        {"data": ({"a": np.float32([[1], [2], [-np.inf]])}, LINE_Y)},
        VALUE,
        "fit: x/a must be finite; got -inf at index (2, 0). "
        "Remove or replace the examples concerned.",
    ),
    "whole numbers into a dense layer": (
        {"data": (np.array([[0], [1], [2]]), LINE_Y)},
        TYPE,
        "dense(1): x must be floating; got int32[3,1]. Convert it with x.astype(jnp.float32).",
    ),
    "targets without the last axis": (
        {"data": (LINE_X, LINE_Y[:, 0])},
        VALUE,
        "mse: targets must have the shape of predictions, (3, 1); got (3,). "
        "Reshape them with targets.reshape((3, 1)).",
    ),
    "targets out of range": (
        {"model": jn.sequential(LINE, jn.sigmoid), "loss": jn.losses.bce},
        VALUE,
        "bce: targets must ",
    ),
    "a function as the model": (
        {"model": jn.relu},
        TYPE,
        "fit: model must be a Model; got ",
    ),
    "no loss": (
        {"loss": "mse"},
        TYPE,
        "fit: loss must be callable; got 'mse'. Pass a loss such as jn.losses.mse.",
    ),
    "a rate as the optimizer": (
        {"optimizer": 0.1},
        TYPE,
        "fit: optimizer must be an optax transformation; got 0.1. Pass one such as optax.sgd(0.1).",
    ),
    "an optimizer without its rate": (
        {"optimizer": optax.sgd},
        TYPE,
        "fit: optimizer must be an optax transformation; got <function sgd",
    ),
    "no key": (
        {"key": None},
        VALUE,
        "fit: key must be one PRNG key; got None. Pass key=jax.random.key(0).",
    ),
    "a seed as the key": (
        {"key": 0},
        TYPE,
        "fit: key must be one PRNG key; got 0. Pass key=jax.random.key(0).",
    ),
    "params of another width": (
        {"params": {"w": jnp.zeros((2, 1)), "b": jnp.zeros(1)}},
        VALUE,
        "fit: params must have float32[1,1] at 'w', as model.init gives; got float32[2,1]. "
        + INIT_REMEDY,
    ),
    "params with a part missing": (
        {"params": {"w": jnp.zeros((1, 1))}},
        VALUE,
        "fit: params must have float32[1] at 'b', as model.init gives; got nothing. " + INIT_REMEDY,
    ),
    "params with a part too many": (
        {"params": {**GOOD_PARAMS, "z": jnp.zeros(3)}},
        VALUE,
        "fit: params must have nothing at 'z', as model.init gives; got float32[3]. " + INIT_REMEDY,
    ),
    "params of another dtype": (
        {"params": {"w": jnp.zeros((1, 1), int), "b": jnp.zeros(1)}},
        VALUE,
        "fit: params must have float32[1,1] at 'w', as model.init gives; got int32[1,1]. "
        + INIT_REMEDY,
    ),
    "a loss that is not a scalar": (
        {"loss": lambda p, y: p - y},
        TYPE,
        "fit: loss must return a floating scalar; got float32[3,1]. "
        'Reduce it with reduction="mean", or .mean().',
    ),
    "a loss that is a whole number": (
        {"loss": lambda p, y: (p > y).sum()},
        TYPE,
        "fit: loss must return a floating scalar; got int32[]. "
        'Reduce it with reduction="mean", or .mean().',
    ),
    "a loss that returns two": (
        {"loss": lambda p, y: (p.mean(), y.mean())},
        TYPE,
        "fit: loss must return a floating scalar; got ",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_before_anything_is_compiled(name):
    change, error, text = BAD[name]
    options = {
        "model": LINE,
        "loss": jn.losses.mse,
        "optimizer": SGD,
        "data": (LINE_X, LINE_Y),
        "key": KEY,
        "steps": 10,
        **change,
    }
    with (
        compilations() as compiled,
        pytest.raises((TypeError, ValueError), match=" must ") as caught,
    ):
        jn.fit(**options)
    assert str(caught.value).startswith(text)
    assert not text.endswith(".") or str(caught.value) == text
    assert caught.type is error
    assert compiled == []


def test_a_misspelt_option_is_an_error():
    with pytest.raises(TypeError, match="record_evry"):
        fit(record_evry=10)


def test_arguments_after_the_data_have_names():
    with pytest.raises(TypeError, match="positional"):
        jn.fit(NET, jn.losses.bce, SGD, XOR, KEY, 10)


HISTORY = History({"step": [0, 100], "loss": np.float32([1 / 3, 0.1])})


def test_a_history_is_a_mapping_of_arrays():
    assert list(HISTORY) == ["step", "loss"]
    assert len(HISTORY) == 2
    assert "loss" in HISTORY
    assert {name: column.tolist() for name, column in HISTORY.items()} == {
        "step": [0, 100],
        "loss": [np.float32(1 / 3), np.float32(0.1)],
    }
    assert repr(HISTORY) == "History(step, loss; 2 records)"
    with pytest.raises(KeyError, match="accuracy"):
        HISTORY["accuracy"]


def test_a_history_in_a_file_reads_back_exactly(tmp_path):
    HISTORY.to_csv(tmp_path / "history.csv")
    rows = list(csv.reader((tmp_path / "history.csv").read_text().splitlines()))
    assert rows[0] == ["step", "loss"]
    assert [int(row[0]) for row in rows[1:]] == [0, 100]
    np.testing.assert_array_equal(np.float32([row[1] for row in rows[1:]]), HISTORY["loss"])
