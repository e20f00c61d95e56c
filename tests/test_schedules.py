"""Schedules, against optax's own at every step, and inside sweeps over what optax cannot vary."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentValueError

STEPS = np.arange(130)


@pytest.mark.parametrize("warmup", [0, 1, 30])
@pytest.mark.parametrize("end", [0.0, 0.02])
def test_warmup_cosine_is_optax_own_at_every_step(warmup, end):
    own = jax.vmap(jn.schedules.warmup_cosine(0.1, warmup, 110, end))(STEPS)
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.1, warmup, 110, end)
    # optax starts at the peak when there is no warm-up, as here.
    np.testing.assert_allclose(own, jax.vmap(theirs)(STEPS), rtol=1e-5, atol=1e-8)


def test_warmup_linear_is_two_of_optax_lines_joined():
    own = jax.vmap(jn.schedules.warmup_linear(0.1, 30, 110, 0.02))(STEPS)
    lines = [optax.linear_schedule(0.0, 0.1, 30), optax.linear_schedule(0.1, 0.02, 80)]
    theirs = jax.vmap(optax.join_schedules(lines, [30]))(STEPS)
    np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=1e-8)


def test_warmup_stable_is_three_of_optax_lines_joined():
    own = jax.vmap(jn.schedules.warmup_stable(0.1, 30, 110, 0.02, decay=0.25))(STEPS)
    lines = [
        optax.linear_schedule(0.0, 0.1, 30),
        optax.constant_schedule(0.1),
        optax.linear_schedule(0.1, 0.02, 20),
    ]
    theirs = jax.vmap(optax.join_schedules(lines, [30, 90]))(STEPS)
    np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["warmup_cosine", "warmup_linear", "warmup_stable"])
def test_every_argument_may_be_traced(name):
    schedule = getattr(jn.schedules, name)
    given = (0.1, 30.0, 110.0, 0.02)
    traced = jax.jit(lambda *values: jax.vmap(schedule(*values))(STEPS))(*given)
    np.testing.assert_allclose(traced, jax.vmap(schedule(*given))(STEPS), rtol=1e-6, atol=1e-8)


def test_a_sweep_varies_the_peak_and_each_member_is_a_fit_with_optax_own():
    x = jnp.linspace(-1, 1, 16)[:, None]
    net, data, key = jn.mlp([4, 1], jn.tanh), (x, x**2), jax.random.key(0)

    def trial(peak):
        return net, jn.losses.mse, optax.adam(jn.schedules.warmup_cosine(peak, 5, 40))

    peaks = [0.01, 0.3]
    study = jn.sweep(
        trial, data, keys=key[None], hyperparameters={"peak": peaks}, steps=40, record_every=13
    )
    for member, peak in enumerate(peaks):
        optimizer = optax.adam(optax.warmup_cosine_decay_schedule(0.0, peak, 5, 40))
        alone = jn.fit(net, jn.losses.mse, optimizer, data, key=key, steps=40, record_every=13)
        np.testing.assert_allclose(study.history["loss"][member], alone.history["loss"], rtol=1e-4)


OPTAX_ON_VALUES = {
    "warmup_cosine_decay_schedule": lambda v: optax.warmup_cosine_decay_schedule(0.0, v, 3, 9),
    "sgdr_schedule": lambda v: optax.sgdr_schedule(
        [{"init_value": 0.0, "peak_value": v, "decay_steps": 9, "warmup_steps": 2}]
    ),
    "exponential_decay": lambda v: optax.exponential_decay(0.1, 9, v),
    "warmup_exponential_decay_schedule": lambda v: optax.warmup_exponential_decay_schedule(
        0.0, 0.1, 3, 9, v
    ),
    "piecewise_constant_schedule": lambda v: optax.piecewise_constant_schedule(0.1, {5: v}),
    "piecewise_interpolate_schedule": lambda v: optax.piecewise_interpolate_schedule(
        "linear", 0.1, {5: v}
    ),
    "cosine_decay_schedule": lambda v: optax.cosine_decay_schedule(0.1, v),
    "linear_schedule": lambda v: optax.linear_schedule(0.0, 0.1, v),
    "polynomial_schedule": lambda v: optax.polynomial_schedule(0.1, 0.0, 2, v),
}


@pytest.mark.parametrize("name", OPTAX_ON_VALUES)
def test_what_the_docstring_says_of_optax_is_so(name):
    assert f"``{name}``" in jn.schedules.__doc__
    with pytest.raises(jax.errors.TracerBoolConversionError):
        jax.eval_shape(lambda value: OPTAX_ON_VALUES[name](value)(4), 0.5)


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (
            lambda: jn.schedules.warmup_cosine(0.1, 100, 100),
            "warmup_cosine: steps must be more than warmup, 100; got 100. Pass steps=1000, for "
            "example.",
        ),
        (
            lambda: jn.schedules.warmup_linear(float("nan"), 10, 100),
            "warmup_linear: peak must be a finite number; got nan. Pass peak=0.1, for example.",
        ),
        (
            lambda: jn.schedules.warmup_linear(0.1, -1, 100),
            "warmup_linear: warmup must be a finite number of at least 0; got -1. Pass "
            "warmup=100, for example.",
        ),
        (
            lambda: jn.schedules.warmup_stable(0.1, 10, 100, decay=1.5),
            "warmup_stable: decay must be at most 1; got 1.5. Pass decay=0.2, for example.",
        ),
    ],
)
def test_misuse_is_named(misuse, message):
    with pytest.raises(ArgumentValueError) as caught:
        misuse()
    assert str(caught.value) == message
