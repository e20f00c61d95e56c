"""A deep ensemble whose spread can be trusted: ten Gaussian heads, trained at once.

    python examples/ensemble.py

prints how often new targets fall into the ensemble's central 90% interval, within the data, and
how much wider that interval is beyond them. Each member predicts a mean and the logarithm of a
standard deviation; the ensemble is their mixture (Lakshminarayanan et al., 2017).
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn


def draw(key, n):
    where, noise = jax.random.split(key)
    x = jax.random.uniform(where, (n, 1), minval=-1, maxval=1)
    return x, jnp.sin(4 * x) + (0.1 + 0.2 * jnp.abs(x)) * jax.random.normal(noise, (n, 1))


def surprise(predictions, y):
    mean, log_std = jnp.split(predictions, 2, axis=-1)
    return jnp.mean(log_std + ((y - mean) / jnp.exp(log_std)) ** 2 / 2)


trial = (jn.mlp([32, 32, 2], jn.tanh), surprise, optax.adam(3e-3))
data, keys = draw(jax.random.key(0), 500), jax.random.split(jax.random.key(1), 10)
study = jn.sweep(trial, data, keys=keys, epochs=100, batch_size=50)
x, y = draw(jax.random.key(2), 5000)
means, log_stds = jnp.split(study.predict(jnp.append(x, 2 * jnp.sign(x), axis=0)), 2, axis=-1)
mean, std = means.mean(0), jnp.sqrt(jnp.exp(2 * log_stds).mean(0) + means.var(0))
coverage = float(jnp.mean(jnp.abs(y - mean[:5000]) <= 1.645 * std[:5000]))
wider = float(std[5000:].mean() / std[:5000].mean())
print(f"{coverage:.1%} within the 90% interval; {wider:.1f} times as wide beyond the data")
