"""Every type is converted where two meet: ``jax_numpy_dtype_promotion`` may be strict."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 3, 0, 1])
ONE_HOT = np.eye(4, dtype=np.float32)[LABELS]


@pytest.fixture(autouse=True)
def _strict():
    with jax.numpy_dtype_promotion("strict"):
        yield


METRICS = {
    "accuracy": [(X, LABELS), (X, ONE_HOT), (ONE_HOT[:, :1], ONE_HOT[:, :1])],
    "confusion_matrix": [(X, LABELS), (ONE_HOT[:, :1], ONE_HOT[:, :1])],
    "precision_recall_f1": [(X, LABELS), (ONE_HOT[:, :1], ONE_HOT[:, :1])],
    "r2": [(X, ONE_HOT), (X, X * 0)],
    "mse": [(X, ONE_HOT)],
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", METRICS)
def test_metrics(name, dtype):
    function = getattr(jn.metrics, name)
    for predictions, targets in METRICS[name]:
        narrow = targets if targets.dtype == int else jnp.asarray(targets, dtype)
        found = function(jnp.asarray(predictions, dtype), narrow)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


LAYERS = {
    "dense": jn.dense(3),
    "dropout": jn.dropout(0.5),
    "layer_norm": jn.layer_norm(),
    "rms_norm": jn.rms_norm(),
    "parametric_relu": jn.parametric_relu(),
    "residual": jn.residual(jn.dense(4)),
    "with_precision": jn.with_precision(jn.sequential(jn.dense(3), jn.layer_norm())),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_their_gradients(name, dtype):
    net, x = LAYERS[name], jnp.asarray(X, dtype)
    params = net.init(KEY, x)
    assert jnp.isfinite(jax.grad(lambda x: net.apply(params, x, key=KEY).sum())(x)).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_training(dtype):
    """With an optimizer that is strict itself, as ``optax.adam`` is not in narrow types."""
    x, y = jnp.asarray(X, dtype), jnp.asarray(ONE_HOT, dtype)
    options = {"steps": 3, "validation": (x, y), "metrics": {"r2": jn.metrics.r2}}
    trial = (jn.dense(4), jn.losses.mse, optax.sgd(0.1))
    fitted = jn.fit(*trial, (x, y), key=KEY, stop=jn.Stop(patience=2), **options)
    swept = jn.sweep(trial, (x, y), keys=KEY[None], **options)
    assert fitted.params["w"].dtype == swept.params["w"].dtype == dtype
    assert np.isfinite(np.float32(fitted.history["loss"])).all()
