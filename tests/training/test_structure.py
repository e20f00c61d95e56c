"""Sweeps whose structure varies against the separate sweeps of each structure."""

import functools
import signal

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training import structure

X, Y = jn.data.xor()
KEYS = jax.random.split(jax.random.key(7), 2)
RATES, WIDTHS, ACTIVATIONS = [0.1, 0.5], [2, 3], [jn.relu, jn.tanh]
GRID = {"width": WIDTHS, "rate": RATES, "activation": ACTIVATIONS}
OPTIONS = {"steps": 12, "record_every": 4, "validation": (X, Y)}


def trial(rate, width=2, activation=jn.tanh):
    return jn.mlp([width, 1], activation), jn.losses.mse, optax.sgd(rate)


def flagged(flag, rate=0.1):
    # True and 1 are equal, and so are their hashes.
    scale = 2.0 if flag is True else 1.0
    model = jn.Model(jn.dense(1).init, lambda p, x, *, key=None: scale * jn.dense(1).apply(p, x))
    return model, jn.losses.mse, optax.sgd(rate)


def run(hyperparameters=GRID, **changed):
    options = {"trial": trial, "keys": KEYS, "hyperparameters": hyperparameters, **OPTIONS}
    return jn.sweep(data=(X, Y), **{**options, **changed})


@pytest.fixture(scope="module")
def study():
    return run()


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_members_equal_those_of_a_sweep_of_their_structure_to_the_bit(study):
    for width in WIDTHS:
        for activation in ACTIVATIONS:
            bound = functools.partial(trial, width=width, activation=activation)
            alone = run({"rate": RATES}, trial=bound)
            named = study.labels["activation"] == activation.__name__
            own = np.flatnonzero((study.labels["width"] == width) & named)
            assert_equal(study.labels["seed"][own], alone.labels["seed"])
            assert_equal(study.labels["rate"][own], alone.labels["rate"])
            assert_equal(study.history["loss"][own], alone.history["loss"])
            assert_equal(study.scores["loss"][own], alone.scores["loss"])
            assert_equal(study.last_losses()[own], alone.last_losses())
            for number, member in enumerate(own):
                assert_equal(study.member(member), alone.member(number))


def test_the_table_has_every_hyperparameter_key_by_key(study, tmp_path):
    rows = [(row["seed"], row["width"], row["rate"], row["activation"]) for row in study.table()]
    names = ["relu", "tanh"]
    assert rows == [
        (seed, width, rate, name)
        for seed in (0, 1)
        for width in WIDTHS
        for rate in RATES
        for name in names
    ]
    assert type(study.table()[0]["width"]) is int
    study.to_csv(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    assert lines[0].startswith("seed,width,rate,activation,loss,validation_loss")
    assert lines[1].startswith("0,2,0.1,relu,")


def test_a_result_of_many_structures_answers_as_one(study):
    losses = [row["loss"] for row in study.table()]
    assert study.best() == int(np.argmin(losses))
    assert study.member(-1)["0"]["w"].shape == (2, 3)
    assert study.member(0)["0"]["w"].shape == (2, 2)
    assert study.groups[0].members.tolist() == [0, 2, 8, 10]
    assert study.groups[0].values == {"width": 2, "activation": jn.relu}
    assert [params["0"]["w"].shape for params in study.params] == [
        (4, 2, width) for width in (2, 2, 3, 3)
    ]
    outputs = study.predict(X)
    assert outputs.shape == (16, 4, 1)
    for member in (3, 12):
        alone = study.models(member).apply(study.member(member), X)
        np.testing.assert_allclose(outputs[member], alone, rtol=1e-5, atol=1e-6)
    share, _, _ = study.success_rate(lambda params: params["0"]["w"].shape[1] == jnp.array(2))
    assert share == 0.5
    assert "16 completed" in repr(study)


def test_a_second_study_compiles_nothing(study, compilations):
    with compilations() as compiled:
        again = run()
    assert not compiled
    assert_equal(again.history["loss"], study.history["loss"])


@pytest.mark.slow
def test_a_list_of_dicts_is_taken_as_it_stands(study):
    samples = [
        {"width": 3, "rate": 0.5, "activation": jn.tanh},
        {"width": 2, "rate": 0.1, "activation": jn.relu},
        {"width": 3, "rate": 0.1, "activation": jn.tanh},
    ]
    swept = run(samples)
    assert swept.labels["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    assert swept.labels["width"].tolist() == [3, 2, 3] * 2
    for member, row in enumerate(swept.table()):
        (same,) = (
            number
            for number, other in enumerate(study.table())
            if all(row[name] == other[name] for name in ("seed", "width", "rate", "activation"))
        )
        np.testing.assert_allclose(
            swept.history["loss"][member], study.history["loss"][same], rtol=1e-5
        )


def test_a_grid_made_by_hand_is_the_same_sweep_as_a_dict_of_lists():
    values = {"rate": [0.1, 0.5]}
    one, other = run(values), run(jn.grid(**values))
    assert not one.groups
    assert not other.groups
    assert_equal(one.params, other.params)
    assert_equal(one.labels, other.labels)


def test_numbers_among_floats_are_floats():
    assert run({"rate": [0, 0.5]}).labels["rate"].tolist() == [0.0, 0.5] * 2


@pytest.mark.slow
def test_true_and_one_are_two_programs():
    truths, ones = (run({"flag": [flag]}, trial=flagged).history["loss"] for flag in (True, 1))
    assert not np.array_equal(truths, ones)


@pytest.mark.slow
def test_a_study_goes_on_as_if_it_had_not_ended(tmp_path):
    values = {"width": WIDTHS, "rate": RATES}
    whole, half = run(values, steps=24), run(values)
    on = run(None, start=half, keys=None)
    assert_equal(on.history["loss"], whole.history["loss"])
    assert_equal(on.params, whole.params)
    assert on.labels["width"].tolist() == whole.labels["width"].tolist()
    saved = [run(values, steps=n, checkpoint=jn.Checkpoint(tmp_path)) for n in (12, 24)]
    assert_equal(saved[1].params, whole.params)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["group-0000", "group-0001"]


def test_a_member_that_diverges_hurts_no_other_structure():
    mixed = run({"rate": [0.1, 1e6], "width": WIDTHS}, steps=40)
    assert (mixed.diverged_at >= 0).tolist() == [False, False, True, True] * 2
    assert mixed.status.tolist() == ["completed", "completed", "diverged", "diverged"] * 2
    assert mixed.labels["rate"][mixed.best()] == 0.1


@pytest.mark.slow
def test_an_interrupt_leaves_the_members_that_had_begun(monkeypatch):
    share = structure._outlook

    def interrupting(outlook, number, *others):
        if number == 1:
            signal.raise_signal(signal.SIGINT)
        return share(outlook, number, *others)

    monkeypatch.setattr(structure, "_outlook", interrupting)
    values = {"width": [2, 3, 4], "rate": [0.1]}
    cut = run(values, on_interrupt="return")
    assert cut.labels["width"].tolist() == [2, 3] * 2
    assert cut.status.tolist() == ["completed", "interrupted"] * 2
    assert np.isfinite(cut.history["loss"][::2]).all()
    assert np.isnan(cut.history["loss"][1::2]).all()
    with pytest.raises(jn.TrainingInterrupted) as caught:
        run(values)
    assert caught.value.result.status.tolist() == cut.status.tolist()


def test_every_structure_has_a_share_of_the_time():
    swept = run({"width": WIDTHS, "rate": [0.1]}, steps=10**8, stop=jn.Stop(seconds=0.2))
    assert swept.status.tolist() == ["seconds"] * 4
    assert (swept.stopped_at > 0).all()


def test_functions_of_one_name_are_told_apart():
    def act(x):
        return jnp.sin(x)

    first, act = act, lambda x: jnp.cos(x)
    act.__name__ = "act"
    swept = run({"rate": [0.1], "activation": [first, act, first]})
    assert swept.labels["activation"].tolist() == ["act", "act (2)", "act"] * 2
    assert_equal(swept.history["loss"][0], swept.history["loss"][2])


def sweep_of(values, **changed):
    return lambda: run(values, **{"steps": 2, **changed})


STRUCTURED = {"width": [2], "rate": [0.1]}
MISUSES = {
    "a list for a value": (
        sweep_of({"width": [[2], [3]], "rate": [0.1]}),
        r"sweep: hyperparameters\['width'\] must hold values that have a hash; got \[2\]\. Pass a "
        r"tuple instead of a list\.",
    ),
    "values of two kinds": (
        sweep_of({"width": [2, "wide"], "rate": [0.1]}),
        r"sweep: hyperparameters\['width'\] must hold values of one kind; got \[2, 'wide'\]\. .*",
    ),
    "a truth among numbers": (
        sweep_of({"width": [2, True]}),
        r".* must hold values of one kind;.*",
    ),
    "a name that the trial does not take": (
        sweep_of({"depth": [2], "rate": [0.1]}),
        r"sweep: trial must take the hyperparameters \['depth', 'rate'\] and no others; .*",
    ),
    "no values": (
        sweep_of({"width": [], "rate": [0.1]}),
        r"sweep: hyperparameters\['width'\] must be a list of finite numbers; got \[\]\. .*",
    ),
    "no samples": (sweep_of([]), r"sweep: hyperparameters must hold at least one dict .*"),
    "samples that lack a name": (
        sweep_of([{"width": 2, "rate": 0.1}, {"rate": 0.1}]),
        r"sweep: hyperparameters\[1\] must have the names of the others, \['width', 'rate'\]; got "
        r"\['rate'\]\. .*",
    ),
    "a sample with the name of a column": (
        sweep_of([{"loss": 2, "rate": 0.1}]),
        r"sweep: the name 'loss' in hyperparameters must be other than those of the columns .*",
    ),
    "a structure that does not work": (
        sweep_of({"width": [2, 0], "rate": [0.1]}),
        r"width=0 > .*must be .*got 0.*",
    ),
    "a watch": (
        sweep_of(STRUCTURED, watch=print),
        r"sweep: watch must be left out where structure varies; got .* Pass progress=True, .*",
    ),
    "a start without structure": (
        lambda: run(STRUCTURED, keys=None, start=run({"rate": [0.1]}, steps=1)),
        r"sweep: start must be a Sweep whose structure varies, as it does here; got Sweep\. .*",
    ),
    "a start beside structure": (
        lambda: run(STRUCTURED, keys=None, start=run(STRUCTURED, steps=1)),
        r"sweep: hyperparameters must be left out beside a start whose structure varies; .*",
    ),
    "a state of many structures": (
        lambda: run(None, keys=None, start=run(STRUCTURED, steps=1).state, trial=lambda: trial(1)),
        r"sweep: start must have a PRNG key; .*",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_of_structure_is_explained(name):
    misuse, message = MISUSES[name]
    with pytest.raises((ValueError, TypeError), match=f"^{message}$"):
        misuse()


@pytest.mark.slow
def test_outputs_of_unequal_shapes_are_predicted_by_group():
    def wide(columns):
        return jn.dense(columns), lambda p, y: jnp.square(p - y).mean(), optax.sgd(0.1)

    swept = run({"columns": [1, 2]}, trial=wide)
    with pytest.raises(ValueError, match=r"Sweep\.predict: the models must .* Sweep\.groups"):
        swept.predict(X)
    assert [group.sweep.predict(X).shape for group in swept.groups] == [(2, 4, 1), (2, 4, 2)]
