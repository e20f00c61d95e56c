"""L2 and gradient penalties, both varied in one sweep, on twenty noisy points.

    python examples/penalties.py

prints the squared error against the curve without noise, for each pair of penalties the mean over
eight seeds.
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

net, (where, noise) = jn.mlp([64, 64, 1], jn.tanh), jax.random.split(jax.random.key(0))
x = jax.random.uniform(where, (20, 1), minval=-3, maxval=3)
y = jnp.sin(x) + 0.3 * jax.random.normal(noise, x.shape)


def trial(l2, slope):
    def penalised(params, batch, *, key):
        slopes = jax.vmap(jax.grad(lambda point: net.apply(params, point)[0]))(batch[0])
        error = jn.losses.mse(net.apply(params, batch[0]), batch[1])
        return error + l2 * optax.tree.norm(params, squared=True) + slope * (slopes**2).mean()

    return net, jn.objective(penalised), optax.adam(1e-2)


values = {"l2": [0.0, 1e-3], "slope": [0.0, 0.03]}
keys = jax.random.split(jax.random.key(1), 8)
study = jn.sweep(trial, (x, y), keys=keys, hyperparameters=values, steps=3000, record_every=3000)
grid = jnp.linspace(-3, 3, 200)[:, None]
errors = jnp.mean((study.predict(grid) - jnp.sin(grid)) ** 2, axis=(1, 2)).reshape(8, 2, 2)
print(f"error, rows without and with L2, columns without and with slopes:\n{errors.mean(0)}")
