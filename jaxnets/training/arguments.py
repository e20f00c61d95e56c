"""The questions about arguments of `fit` and `sweep`, asked before anything is compiled."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.checks import check_callable, check_hashable, check_integer, check_text
from jaxnets.errors import ArgumentTypeError, ArgumentValueError, describe, fail, require
from jaxnets.model import Model

__all__ = [
    "check_compilable",
    "check_evaluated",
    "check_metrics",
    "check_not_traced",
    "check_takes",
    "check_trial",
    "count_steps",
    "fail_traced",
    "many_keys",
    "one_key",
    "typed_keys",
]

NOT_GIVEN = object()


def check_trial(model: Any, loss: Any = NOT_GIVEN, optimizer: Any = NOT_GIVEN) -> None:
    """Raise unless the parts of a trial are what they must be."""
    if not isinstance(model, Model):
        remedy = "Wrap layers with jn.sequential(...), or two functions with jn.Model(init, apply)."
        fail("model", "be a Model", describe(model), remedy, error=ArgumentTypeError)
    for name, part in (("init", model.init), ("apply", model.apply)):
        check_callable(f"model.{name}", part, "Pass jn.Model(init, apply).")
    if loss is not NOT_GIVEN:
        check_callable("loss", loss, "Pass a loss such as jn.losses.mse.")
    if optimizer is not NOT_GIVEN and not isinstance(optimizer, optax.GradientTransformation):
        rule, remedy = "be an optax transformation", "Pass one such as optax.sgd(0.1)."
        fail("optimizer", rule, describe(optimizer), remedy, error=ArgumentTypeError)


def check_compilable(trial: Any, eval_params: Any) -> None:
    """Raise unless every function is hashable: it is part of the cache key of the program."""
    parts = {"model.init": trial.model.init, "model.apply": trial.model.apply}
    parts |= {"loss": trial.loss, "optimizer": trial.optimizer, "eval_params": eval_params}
    for argument, value in parts.items():
        check_hashable(argument, value)


def check_not_traced(*, data: Any, **others: Any) -> None:
    """Raise if an argument, or anything at all, is being traced: a run needs its values."""
    # Within jax.jit everything is traced, even what is put on the device there.
    for argument, tree in {**others, "data": (data, jax.device_put(np.int32(0)))}.items():
        try:
            leaves = jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Iterator))
        except (TypeError, ValueError) as error:
            rule, remedy = (
                "be a pytree, with dicts whose keys can be sorted",
                "Name parts by texts.",
            )
            fail(argument, rule, str(error).splitlines()[0], remedy, error=ArgumentTypeError)
        for leaf in leaves:
            if isinstance(leaf, jax.core.Tracer):
                fail_traced(argument, f"a traced {describe(leaf)}")


def fail_traced(argument: str, got: str) -> NoReturn:
    """Raise the error of a run whose values are being traced."""
    rule = "hold values, outside of jax.jit, jax.vmap and jax.grad"
    remedy = "Use jn.make_step for a loop of one's own, or jn.sweep for many runs."
    fail(argument, rule, got, remedy, error=ArgumentTypeError)


def one_key(key: Any) -> jax.Array:
    """Return ``key`` as one typed PRNG key."""
    typed = typed_keys(key)
    if typed is None or typed.shape != ():
        _refuse_key("key", "be one PRNG key", key, "Pass key=jax.random.key(0).")
    return typed


def many_keys(keys: Any) -> jax.Array:
    """Return ``keys`` as an array of typed PRNG keys along one axis."""
    typed = typed_keys(keys)
    if typed is None or typed.ndim != 1 or not len(typed):
        rule = "be an array of PRNG keys, one a seed"
        _refuse_key("keys", rule, keys, "Pass keys=jax.random.split(jax.random.key(0), 1000).")
    return typed


def typed_keys(keys: Any) -> jax.Array | None:
    """The keys of any shape as typed ones, or None if they are no keys."""
    dtype = getattr(keys, "dtype", None)
    if dtype is None:
        return None
    typed: jax.Array = keys
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return typed
    if dtype != jnp.uint32:
        return None
    try:
        typed = jax.random.wrap_key_data(jnp.asarray(keys))
    except TypeError:  # of a length that the default generator's keys do not have
        return None
    return typed


def _refuse_key(argument: str, rule: str, got: Any, remedy: str) -> NoReturn:
    fail(
        argument, rule, got, remedy, error=ArgumentValueError if got is None else ArgumentTypeError
    )


def count_steps(steps: Any, epochs: Any, per_epoch: int, most: int) -> int:
    """The number of steps, from whichever of ``steps`` and ``epochs`` is given."""
    got = "neither" if steps is None else "both"
    one = (steps is None) != (epochs is None)
    require(one, "steps", "be given, or epochs, and not both", got, "Pass steps=1000, for example.")
    name, value, each = ("steps", steps, 1) if epochs is None else ("epochs", epochs, per_epoch)
    count = check_integer(name, value, minimum=1)
    remedy = f"Pass {name}={most // each}, and go on from the result with start=."
    require(count <= most // each, name, f"be at most {most // each}", count, remedy)
    return count * each


def check_metrics(metrics: Any) -> dict[str, Callable[[Any, Any], Any]]:
    """Return ``metrics`` as a dict of hashable functions by name."""
    if not isinstance(metrics, Mapping):
        rule = "be a dict of functions by name"
        remedy = 'Pass metrics={"accuracy": jn.metrics.accuracy}.'
        fail("metrics", rule, metrics, remedy, error=ArgumentTypeError)
    for name, metric in metrics.items():
        check_text(f"the name {name!r} in metrics", name, example="accuracy")
        check_callable(f"metrics[{name!r}]", metric, "Pass jn.metrics.accuracy.")
        check_hashable(f"metrics[{name!r}]", metric)
    reserved = sorted({"step", "epoch", "loss"} & metrics.keys())
    rule = "have names other than step, epoch and loss"
    require(not reserved, "metrics", rule, reserved, "Rename them.")
    return dict(metrics)


def check_evaluated(metrics: Any, watched: Any, validate_every: Any) -> None:
    """Raise if anything is given that asks for validation data, where there are none."""
    given = {"metrics": metrics or None, "stop": watched, "validate_every": validate_every}
    for argument, value in given.items():
        if value is not None:
            rule = "come with validation data to be evaluated on"
            fail(argument, rule, "none", "Pass validation=(x, y), the training data even.")


def check_takes(trial: Callable[..., Any], names: list[str]) -> None:
    """Raise unless a function takes the hyperparameters; its body is not run."""
    try:
        inspect.signature(trial).bind(**dict.fromkeys(names, 0.0))
    except TypeError as error:
        rule = f"take the hyperparameters {names} and no others"
        remedy = 'Pass hyperparameters={"learning_rate": [0.1]}, for example.'
        fail("trial", rule, str(error), remedy, error=ArgumentTypeError)
    except ValueError:  # of a function in C that has no signature
        return
