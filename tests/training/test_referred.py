"""What functions read besides their arguments: a change of it is another program."""

import functools
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training.referred import Referred

KEY = jax.random.key(2)
X = np.float32([[0.0], [1.0], [2.0]])
Y = 2 * X + 1
NET, SGD = jn.dense(1), optax.sgd(0.01)
FACTOR = 1.0
SETTINGS = types.ModuleType("settings")
SETTINGS.factor = 1.0


def first_loss(loss, model=NET, optimizer=SGD, **options):
    options = {"key": KEY, "steps": 2, **options}
    return jn.fit(model, loss, optimizer, (X, Y), **options).history["loss"][0]


class Scaled:
    """A loss with a factor that is an attribute."""

    def __init__(self):
        self.factor, self.results = 1.0, []

    def __call__(self, p, y):
        return self.inner(p, y)

    def inner(self, p, y):
        return self.factor * jn.losses.mse(p, y)

    @property
    def doubled(self):
        return 2 * self.factor

    def of_a_property(self, p, y):
        return self.doubled * jn.losses.mse(p, y)

    def change(self):
        self.factor = 100.0


def of_a_list():
    factor = [1.0]
    return lambda p, y: factor[0] * jn.losses.mse(p, y), lambda: factor.__setitem__(0, 100.0)


def of_a_variable():
    factor = 1.0

    def change():
        nonlocal factor
        factor = 100.0

    return lambda p, y: factor * jn.losses.mse(p, y), change


def of_a_dict_in_an_inner_function():
    factors = {"of": {"mse": 1.0}}

    def inner(p, y):
        return factors["of"]["mse"] * jn.losses.mse(p, y)

    return lambda p, y: inner(p, y), lambda: factors.update({"of": {"mse": 100.0}})


def of_an_array():
    factor = np.ones(3, np.float32)
    return lambda p, y: jn.losses.mse(p, y) * factor[0], lambda: factor.fill(100.0)


def of_another_array():
    factor = [jnp.ones(3)]
    return lambda p, y: jn.losses.mse(p, y) * factor[0][0], lambda: factor.__setitem__(
        0, jnp.full(3, 100.0)
    )


def of_an_attribute():
    loss = Scaled()
    return loss, loss.change


def of_a_method():
    loss = Scaled()
    return loss.inner, loss.change


def of_a_property():
    loss = Scaled()
    return loss.of_a_property, loss.change


def of_an_object_around_it():
    settings = types.SimpleNamespace(factor=1.0)
    return lambda p, y: settings.factor * jn.losses.mse(p, y), lambda: setattr(
        settings, "factor", 100.0
    )


def of_a_default():
    def loss(p, y, factor=1.0):
        return factor * jn.losses.mse(p, y)

    return loss, lambda: setattr(loss, "__defaults__", (100.0,))


def of_a_partial():
    def loss(factor, p, y):
        return factor[0] * jn.losses.mse(p, y)

    factor = [1.0]
    return functools.partial(loss, factor), lambda: factor.__setitem__(0, 100.0)


def of_a_global():
    def loss(p, y):
        return FACTOR * jn.losses.mse(p, y)

    return loss, lambda: globals().__setitem__("FACTOR", 100.0)


def of_a_module():
    return lambda p, y: SETTINGS.factor * jn.losses.mse(p, y), lambda: setattr(
        SETTINGS, "factor", 100.0
    )


def of_an_objective():
    factor = [1.0]

    def goal(params, batch, *, key):
        x, y = batch
        return factor[0] * jn.losses.mse(NET.apply(params, x), y)

    return jn.objective(goal), lambda: factor.__setitem__(0, 100.0)


@pytest.fixture(autouse=True)
def _as_they_were():
    yield
    globals()["FACTOR"] = SETTINGS.factor = 1.0


LOSSES = [
    of_a_list,
    of_a_variable,
    of_a_dict_in_an_inner_function,
    of_an_array,
    of_another_array,
    of_an_attribute,
    of_a_method,
    of_a_property,
    of_an_object_around_it,
    of_a_default,
    of_a_partial,
    of_a_global,
    of_a_module,
    of_an_objective,
]


@pytest.mark.parametrize("make", LOSSES)
def test_a_loss_whose_factor_has_changed_is_compiled_anew(make):
    loss, change = make()
    before = first_loss(loss)
    change()
    np.testing.assert_allclose(first_loss(loss), 100 * before, rtol=1e-6)


def test_a_layer_and_a_schedule_that_have_changed_are_compiled_anew():
    factor, rate = [1.0], [0.0]
    net = jn.sequential(jn.dense(1), lambda x: factor[0] * x)
    optimizer = optax.sgd(lambda count: rate[0])
    options = {"key": KEY, "steps": 1}
    before = jn.fit(net, jn.losses.mae, optimizer, (X, Y), **options)
    rate[0] = 0.1
    after = jn.fit(net, jn.losses.mae, optimizer, (X, Y), **options)
    assert not np.array_equal(before.params["0"]["w"], after.params["0"]["w"])
    factor[0] = 0.0
    np.testing.assert_allclose(first_loss(jn.losses.mae, net, optimizer), np.abs(Y).mean())


def test_a_metric_and_a_trial_that_have_changed_are_compiled_anew():
    shift, rate = [0.0], [0.1]
    metrics = {"shifted": lambda p, y: jn.losses.mse(p, y) * 0 + shift[0]}
    options = {"metrics": metrics, "validation": (X, Y), "steps": 1}

    def trial(momentum):
        return NET, jn.losses.mse, optax.sgd(rate[0], momentum)

    def swept():
        return jn.sweep(
            trial, (X, Y), keys=KEY[None], hyperparameters={"momentum": [0.5]}, **options
        )

    before = swept()
    shift[0], rate[0] = 3.0, 0.2
    after = swept()
    assert after.scores["shifted"].tolist() == [3.0]
    moved = [np.abs(r.params["w"] - before.params["w"]).max() for r in (before, after)]
    assert moved[0] == 0 < moved[1]


def test_what_has_changed_back_is_not_compiled_again(compilations):
    loss = Scaled()
    first_loss(loss)
    loss.change()
    first_loss(loss)
    loss.factor = 1.0
    with compilations() as compiled:
        first_loss(loss)
    assert compiled == []


def test_what_is_not_read_may_change(compilations):
    loss = Scaled()
    first_loss(loss.inner)
    loss.results.append(1)
    with compilations() as compiled:
        first_loss(loss.inner)
    assert compiled == []


def test_what_tracing_itself_changes_is_no_change(compilations):
    shapes, count = [], {"of traces": 0}

    def loss(p, y):
        shapes.append(p.shape)
        count["of traces"] += 1
        return jn.losses.mse(p, y)

    first_loss(loss)
    traced = len(shapes)
    with compilations() as compiled:
        first_loss(loss)
    assert (compiled, len(shapes), count) == ([], traced, {"of traces": traced})


def test_a_circle_and_a_large_thing_are_walked_through_no_further_than_a_bound():
    circle = [1.0]
    circle.append(circle)
    large = {"items": list(range(10**6)), "more": [[0.0] * 100 for _ in range(1000)]}

    def loss(p, y):
        return jn.losses.mse(p, y) * circle[0] + 0 * large["items"][0]

    assert len(Referred(loss).values) < 400
    assert Referred(loss) == Referred(loss)


def test_not_a_number_equals_itself():
    loss = of_an_object_around_it()[0]
    loss.__closure__[0].cell_contents.factor = float("nan")
    assert Referred(loss) == Referred(loss)
    loss.__closure__[0].cell_contents.factor = 0.0
    zero = Referred(loss)
    loss.__closure__[0].cell_contents.factor = -0.0
    assert Referred(loss) != zero
