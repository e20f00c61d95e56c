"""Early stops held against the same rules in plain Python, value by value."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxnets as jn

KEY = jax.random.key(0)
MEMBERS, EVALUATIONS = 3, 12
NAN = 99.0
"""The mark of a NaN in a table of values: data must be finite."""

# Multiples of a quarter, so that a value is often better by exactly `min_delta`.
VALUES = st.sampled_from([*np.arange(-8, 9) / 4, NAN])
TABLES = st.lists(VALUES, min_size=MEMBERS * EVALUATIONS, max_size=MEMBERS * EVALUATIONS)


def counting(row):
    """A trial whose parameter counts steps and whose output is that count and the row."""
    model = jn.Model(
        lambda key, x: {"steps": jnp.zeros(())},
        lambda params, x, *, key=None: jnp.stack([params["steps"], row + 0 * params["steps"]]),
    )
    return model, lambda predictions, targets: -predictions[0], optax.sgd(1.0)


def looked_up(predictions, table):
    """The value that the table has for a member after so many steps."""
    step, row = jnp.round(predictions).astype(jnp.int32)
    value = table[step - 1, row]
    return jnp.where(value == NAN, jnp.nan, value)


def expected(values, stop):
    """How a run ends, after how many steps, and which evaluation was the best, 0 for none."""
    sign = 1 if stop.mode == "min" else -1
    best, best_step, since = math.inf, 0, 0
    mark = math.inf if stop.baseline is None else sign * stop.baseline
    for step, value in enumerate(values, 1):
        if step < stop.start_after:
            continue
        signed = math.nan if value == NAN else sign * value
        if signed < best:
            best, best_step = signed, step
        if signed < mark - stop.min_delta:
            mark, since = signed, 0
        else:
            since += 1
        if stop.target is not None and signed <= sign * stop.target:
            return "target", step, best_step
        if stop.patience is not None and since >= stop.patience:
            return "patience", step, best_step
    return "completed", -1, best_step


STOPS = [
    jn.Stop("value", "min", patience=3),
    jn.Stop("value", "max", patience=2, min_delta=0.5),
    jn.Stop("value", "min", patience=3, min_delta=0.25, baseline=0.5),
    jn.Stop("value", "max", patience=4, baseline=1.0, start_after=4),
    jn.Stop("value", "min", target=-1.75, start_after=5),
    jn.Stop("value", "max", patience=3, min_delta=0.25, target=2.0, start_after=2, baseline=-1.0),
]


@pytest.mark.parametrize("stop", STOPS, ids=range(len(STOPS)))
@given(numbers=TABLES)
@settings(max_examples=30, deadline=None)
@pytest.mark.filterwarnings("ignore:sweep. stop.metric must be a number")
def test_every_member_of_a_sweep_ends_as_the_rules_say_and_keeps_its_best(stop, numbers):
    table = np.reshape(numbers, (EVALUATIONS, MEMBERS)).astype(np.float32)
    result = jn.sweep(
        counting,
        (np.zeros((EVALUATIONS, 1), "f4"), table),
        keys=KEY[None],
        hyperparameters={"row": [float(row) for row in range(MEMBERS)]},
        steps=EVALUATIONS,
        validation=(np.zeros((EVALUATIONS, 1), "f4"), table),
        metrics={"value": looked_up},
        stop=stop,
    )
    for member in range(MEMBERS):
        status, stopped_at, best = expected(table[:, member], stop)
        end = EVALUATIONS if stopped_at < 0 else stopped_at
        kept = best if best and stop.patience is not None else end
        assert result.status[member] == status
        assert result.stopped_at[member] == stopped_at
        assert float(result.params["steps"][member]) == kept
        assert float(result.state.params["steps"][member]) == end


def run(values, **options):
    """A fit whose validation has these values, one after every step."""
    table = np.array(values, np.float32)[:, None]
    data = (np.zeros_like(table), table)
    options = {"key": KEY, "steps": len(values), "validation": data, **options}
    return jn.fit(*counting(0), data, metrics={"value": looked_up}, **options)


@pytest.mark.parametrize("stop", STOPS, ids=range(len(STOPS)))
def test_a_single_run_ends_as_a_member_does(stop):
    values = [0.5, 0.5, 0.25, 1.0, NAN, 1.25, 1.5, 0.0, 0.0, -0.25, -2.0, 2.0]
    status, stopped_at, best = expected(values, stop)
    result = run(values, stop=stop)
    end = len(values) if stopped_at < 0 else stopped_at
    assert (result.status, int(result.state.step)) == (status, end)
    assert float(result.params["steps"]) == (best if stop.patience is not None else end)


def test_a_stop_goes_on_where_an_earlier_run_ended():
    stop = jn.Stop("value", "min", patience=4, min_delta=0.25, baseline=1.0, start_after=2)
    values = [3.0, 2.0, 1.0, 0.5, 0.5, 0.25, 0.5, 0.5, 0.0, 0.0]
    whole = run(values, stop=stop)
    first = run(values, stop=stop, steps=5)
    rest = run(values, stop=stop, key=None, steps=5, start=first)
    assert (whole.status, int(whole.state.step)) == ("patience", 8)
    jax.tree.map(np.testing.assert_array_equal, (rest.state.step, *rest.judged),
                 (whole.state.step, *whole.judged))  # fmt: skip


def test_the_last_parameters_are_evaluated_wherever_the_run_ends():
    # Evaluations after steps 4 and 8; the run ends at 10.
    result = run([*range(10)], validate_every=4)
    assert result.validation["step"].tolist() == [4, 8]
    assert float(result.scores["value"]) == 9.0
    assert float(result.scores["loss"]) == -10.0


def test_nothing_but_nan_from_where_a_stop_looks_is_named():
    stop = jn.Stop("value", "min", patience=9, start_after=3)
    with pytest.warns(UserWarning, match="got NaN at every evaluation of 'value'"):
        run([1.0, 0.5, NAN, NAN], stop=stop)
    assert run([1.0, 0.5, NAN, 2.0], stop=stop).params["steps"] == 4


def test_a_stop_that_would_look_only_after_the_end_is_refused():
    def until(start_after, steps):
        return run([1.0] * 10, stop=jn.Stop(patience=3, start_after=start_after), steps=steps)

    message = (
        "fit: steps must reach step 6, where the first evaluation is made that stop watches; "
        "got 5. Pass steps=6 or more, or a smaller stop.start_after."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        until(6, 5)
    assert until(6, 6).status == until(5, 5).status == "completed"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"patience": 1, "min_delta": -0.1},
            "min_delta must be a finite number of at least 0; got -0.1. Pass min_delta=0.1, for "
            "example.",
        ),
        (
            {"patience": 1, "start_after": 1.5},
            "start_after must be a whole number of at least 0; got 1.5. Pass start_after=10, for "
            "example.",
        ),
        (
            {"patience": 1, "baseline": math.nan},
            "baseline must be a finite number; got nan. Pass baseline=0.1, for example.",
        ),
        (
            {"target": 1.0, "baseline": 0.0},
            "patience must be given beside baseline; got none. Pass patience=5.",
        ),
        (
            {"target": 1.0, "min_delta": 0.1},
            "patience must be given beside min_delta; got none. Pass patience=5.",
        ),
        (
            {"seconds": 1.0, "start_after": 7},
            "patience must be given beside start_after; got none. Pass patience=5.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises((ValueError, TypeError)) as caught:
        jn.Stop(**options)
    assert str(caught.value) == f"Stop: {message}"
