"""Whole runs: equal to a loop of steps written by hand, and compiled once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(11)
XOR = jn.data.xor()
NET = jn.sequential(jn.dense(2), jn.sigmoid, jn.dense(1), jn.sigmoid)
LINE = jn.dense(1)
LINE_X = np.float32([[0.0], [1.0], [2.0]])
LINE_Y = np.float32([[1.0], [3.0], [5.0]])
SGD = optax.sgd(0.5)


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
    assert_bitwise_equal(result.state.params, result.params)
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
def test_a_second_run_compiles_nothing(change, compilations):
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


def test_another_loss_is_compiled(compilations):
    """The counter of compilations counts."""
    fit_line()
    with compilations() as compiled:
        fit_line(loss=lambda p, y: jnp.abs(p - y).mean())
    assert compiled


def test_another_width_of_data_is_compiled_and_right():
    wide = np.ones((3, 2), np.float32)
    result = fit(LINE, jn.losses.mse, optax.sgd(0.1), (wide, LINE_Y))
    assert result.params["w"].shape == (2, 1)


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


def test_a_model_without_parameters_runs():
    result = jn.fit(
        jn.sequential(jn.tanh), jn.losses.mse, SGD, (XOR[0][:, :1], XOR[1]), key=KEY, steps=2
    )
    assert result.history["loss"][0] == result.history["loss"][1]


@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_data_of_another_byte_order_are_the_same_numbers(dtype):
    found = fit_line(data=(LINE_X.astype(dtype), LINE_Y), steps=5)
    expected = fit_line(steps=5)
    jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)
