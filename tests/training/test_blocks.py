"""Members in blocks, side by side in threads: more of them than one block holds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.prepare import BLOCK
from jaxnets.training.threads import in_threads

X, Y = jn.data.xor()
LINE = jn.dense(1)
MEMBERS = 2 * BLOCK + 44
KEYS = jax.random.split(jax.random.key(1), MEMBERS)
ENDS = (0, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK, MEMBERS - 1)


def line(learning_rate):
    return LINE, jn.losses.mse, optax.sgd(learning_rate)


def test_members_of_three_blocks_are_single_runs():
    """Two whole blocks and one that is filled up."""
    options = {"epochs": 4, "batch_size": 2, "validation": (X, 1 - Y), "validate_every": 3}
    swept = jn.sweep(line(0.2), (X, Y), keys=KEYS, **options)
    assert swept.history["loss"].shape == (MEMBERS, 8)
    assert swept.validation["loss"].shape == (MEMBERS, 2)
    assert swept.scores["loss"].shape == (MEMBERS,)
    assert swept.params["w"].shape == (MEMBERS, 2, 1)
    assert swept.state.key.shape == swept.status.shape == (MEMBERS,)
    assert len(swept.table()) == MEMBERS
    for number in ENDS:
        single = jn.fit(*line(0.2), (X, Y), key=KEYS[number], **options)
        for found, expected in (
            (swept.history["loss"][number], single.history["loss"]),
            (swept.validation["loss"][number], single.validation["loss"]),
            (swept.scores["loss"][number], single.scores["loss"]),
            (swept.member(number)["w"], single.params["w"]),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_size_of_a_block_changes_nothing():
    options = {"keys": KEYS[:7], "steps": 10, "record_every": 3}
    whole = jn.sweep(line(0.2), (X, Y), **options)
    for size in (1, 3, 7):
        pieces = jn.sweep(line(0.2), (X, Y), batch_members=size, **options)
        np.testing.assert_allclose(
            pieces.history["loss"], whole.history["loss"], rtol=1e-5, atol=1e-7
        )
        assert pieces.history["loss"].shape == (7, 4)


def test_members_that_diverge_in_one_block_hurt_no_other():
    rates = {"learning_rate": [0.2, 1e4]}
    options = {"keys": KEYS[:3], "steps": 60, "record_every": 4, "batch_members": 2}
    # A member of each kind in every block, and then blocks of one kind each.
    mixed = jn.sweep(line, (X, Y), hyperparameters=rates, **options)
    assert mixed.status.tolist() == ["completed", "diverged"] * 3
    good = jn.sweep(line(0.2), (X, Y), **options)
    np.testing.assert_allclose(mixed.history["loss"][::2], good.history["loss"], rtol=1e-5)
    assert np.isfinite(good.history["loss"]).all()
    with pytest.raises(jn.TrainingDiverged) as single:
        jn.fit(*line(1e4), (X, Y), key=KEYS[0], steps=60)
    assert mixed.diverged_at[1] == single.value.step


def test_a_block_whose_members_have_all_diverged_leaves_the_others_running():
    # The scale of the loss comes from the key, so that one block alone diverges at once.
    start = {
        "w": jnp.stack([jnp.full((2, 1), v) for v in (1.0, 1.0, 3e38, 3e38)]),
        "b": jnp.zeros((4, 1)),
    }
    options = {"keys": KEYS[:4], "params": start, "steps": 30, "batch_members": 2}
    swept = jn.sweep(line(0.1), (X, Y), **options)
    assert swept.status.tolist() == ["completed"] * 2 + ["diverged"] * 2
    assert swept.diverged_at.tolist() == [-1, -1, 0, 0]
    assert swept.history["loss"].shape == (4, 30)
    assert np.isfinite(swept.history["loss"][:2]).all()
    assert np.isnan(swept.history["loss"][2:]).all()
    single = jn.fit(
        *line(0.1),
        (X, Y),
        key=KEYS[0],
        params=jax.tree.map(lambda leaf: leaf[0], start),
        steps=30,
    )
    np.testing.assert_allclose(swept.history["loss"][0], single.history["loss"], rtol=1e-5)


def test_float64_holds_in_the_threads_of_blocks(x64):
    data = (np.float64(X), np.float64(Y))
    options = {"keys": KEYS[:4], "steps": 50}
    swept = jn.sweep(line(0.2), data, batch_members=1, **options)
    assert swept.params["w"].dtype == swept.history["loss"].dtype == np.float64
    single = jn.fit(*line(0.2), data, key=KEYS[3], steps=50)
    np.testing.assert_allclose(swept.history["loss"][3], single.history["loss"], rtol=1e-12)


def test_threads_have_the_settings_of_their_caller():
    def settings(_):
        return jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision

    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        assert in_threads(settings, 4) == [(True, "highest")] * 4
    assert in_threads(settings, 4) == [(False, None)] * 4
    assert in_threads(lambda number: number**2, 5) == [0, 1, 4, 9, 16]


def test_an_error_in_a_thread_reaches_the_caller():
    def failing(number):
        if number == 2:
            raise ValueError("mine")
        return number

    with pytest.raises(ValueError, match=r"^mine$"):
        in_threads(failing, 4)


@pytest.mark.slow
def test_blocks_that_stop_at_different_times_keep_what_they_had():
    options = {
        "steps": 200,
        "validation": (X, 1 - Y),
        "validate_every": 1,
        "stop": jn.Stop(patience=3),
    }
    swept = jn.sweep(line(0.3), (X, Y), keys=KEYS[:6], batch_members=2, **options)
    assert len(set(swept.stopped_at.tolist())) > 1
    for number, key in enumerate(KEYS[:6]):
        single = jn.fit(*line(0.3), (X, Y), key=key, **options)
        assert swept.status[number] == single.status
        assert swept.stopped_at[number] == int(single.state.step)
        length = len(single.history["loss"])
        losses = swept.history["loss"][number]
        np.testing.assert_allclose(losses[:length], single.history["loss"], rtol=1e-5, atol=1e-6)
        assert np.isnan(losses[length:]).all()
