"""Mini-batches inside the compiled run against a plain Python loop over the same order."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.shuffle import permutation

KEY = jax.random.key(3)
OPTIMIZER = optax.adam(1e-2)
NET = jn.sequential(jn.dense(8), jn.tanh, jn.dropout(0.25), jn.dense(1), jn.sigmoid)


def make_data(examples):
    random = np.random.default_rng(0)
    x = random.normal(size=(examples, 3)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


def epoch_order(key, epoch, examples):
    """The documented order of an epoch, written out a second time."""
    run_key = jax.random.split(key)[1]
    epochs_key = jax.random.fold_in(run_key, 2**31 - 1)
    return np.asarray(permutation(jax.random.fold_in(epochs_key, epoch), examples))


def python_loop(data, *, epochs, batch_size, drop_last):
    """Losses and parameters of a loop of one's own over the same batches."""
    x, y = data
    state = jn.init_state(NET, OPTIMIZER, KEY, x)
    step = jax.jit(jn.make_step(NET, jn.losses.bce, OPTIMIZER))
    losses = []
    for epoch in range(epochs):
        order = epoch_order(KEY, epoch, len(x))
        for start in range(0, len(x), batch_size):
            chosen = order[start : start + batch_size]
            if drop_last and len(chosen) < batch_size:
                continue
            state, metrics = step(state, (x[chosen], y[chosen]))
            losses.append(float(metrics["loss"]))
    return losses, state.params


@pytest.mark.parametrize(
    ("examples", "batch_size", "drop_last"),
    [
        (43, 8, False),
        pytest.param(43, 8, True, marks=pytest.mark.slow),
        pytest.param(5, 1, False, marks=pytest.mark.slow),
    ],
)
def test_batches_are_those_of_a_python_loop(examples, batch_size, drop_last):
    data = make_data(examples)
    options = {"epochs": 3, "batch_size": batch_size, "drop_last": drop_last}
    result = jn.fit(NET, jn.losses.bce, OPTIMIZER, data, key=KEY, **options)
    losses, params = python_loop(data, **options)
    np.testing.assert_allclose(result.history["loss"], losses, rtol=1e-6)
    assert len(losses) == len(result.history["loss"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), result.params, params)


@pytest.mark.slow
@pytest.mark.parametrize("record_every", [4, pytest.param(100, marks=pytest.mark.slow)])
def test_recording_less_often_changes_nothing_else(record_every):
    options = {"key": KEY, "epochs": 4, "batch_size": 8}
    data = make_data(43)
    every = jn.fit(NET, jn.losses.bce, OPTIMIZER, data, **options)
    some = jn.fit(NET, jn.losses.bce, OPTIMIZER, data, record_every=record_every, **options)
    for name in ("step", "epoch"):
        np.testing.assert_array_equal(some.history[name], every.history[name][::record_every])
    np.testing.assert_allclose(
        some.history["loss"], every.history["loss"][::record_every], rtol=1e-6
    )
    assert int(some.state.step) == int(every.state.step) == 24


def test_every_epoch_deals_out_every_example_once_in_a_fresh_order():
    seen = []

    def spy(key, x):
        return {"w": jnp.zeros(())}

    # The predictions are the inputs, so the recorded losses name the batches.
    identity = jn.Model(spy, lambda params, x, *, key=None: x + 0 * params["w"])
    x = 2.0 ** np.arange(12, dtype=np.float32)[:, None]
    result = jn.fit(
        identity,
        lambda predictions, targets: predictions.sum() + 0 * targets.sum(),
        optax.sgd(1.0),
        (x, x),
        key=KEY,
        epochs=3,
        batch_size=5,
    )
    for epoch in range(3):
        batches = [int(loss) for loss in result.history["loss"][3 * epoch : 3 * epoch + 3]]
        assert sum(batches) == 2**12 - 1
        assert [batch.bit_count() for batch in batches] == [5, 5, 2]
        seen.append(tuple(batches))
    assert len(set(seen)) == 3


def test_data_are_arguments_and_not_constants_of_the_program():
    traces = []

    def loss(predictions, targets):
        traces.append(predictions.shape)
        return jn.losses.bce(predictions, targets)

    first, second = make_data(43), make_data(43)
    second = (second[0] + 1, second[1])
    options = {"key": KEY, "epochs": 2, "batch_size": 8}
    jn.fit(NET, loss, OPTIMIZER, first, **options)
    compiled = len(traces)
    jn.fit(NET, loss, OPTIMIZER, second, **{**options, "epochs": 5})
    # Batches are traced only when the run is compiled; the checks before it see all examples.
    assert (8, 1) in traces[:compiled]
    assert (8, 1) not in traces[compiled:]


def test_targets_and_inputs_may_be_pytrees():
    data = make_data(30)
    model = jn.Model(
        NET.init and (lambda key, x: NET.init(key, x["points"])),
        lambda params, x, *, key=None: {"p": NET.apply(params, x["points"], key=key)},
    )

    def loss(predictions, targets):
        return jn.losses.bce(predictions["p"], targets["labels"])

    tree = ({"points": data[0]}, {"labels": data[1]})
    options = {"key": KEY, "epochs": 2, "batch_size": 8}
    plain = jn.fit(NET, jn.losses.bce, OPTIMIZER, data, **options)
    nested = jn.fit(model, loss, OPTIMIZER, tree, **options)
    np.testing.assert_allclose(nested.history["loss"], plain.history["loss"], rtol=1e-6)


@pytest.mark.slow
def test_sweep_shuffles_each_member_as_its_own_fit():
    data = make_data(43)
    keys = jax.random.split(KEY, 3)
    options = {"epochs": 2, "batch_size": 8, "record_every": 2}
    members = jn.sweep((NET, jn.losses.bce, OPTIMIZER), data, keys=keys, **options)
    for i, key in enumerate(keys):
        single = jn.fit(NET, jn.losses.bce, OPTIMIZER, data, key=key, **options)
        np.testing.assert_allclose(members.history["loss"][i], single.history["loss"], rtol=1e-5)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
            members.member(i),
            single.params,
        )
