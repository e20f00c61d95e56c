"""REINFORCE: 64 agents learn to balance a pole, all at once.

    python examples/reinforce.py

prints for how many of 200 steps of 0.02 s they keep it up, before and after 100 updates (Williams,
1992). A push of 3 to either side works against a fall at 9.8 times the angle. The episodes are a
scan inside the objective; there are no data.
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

net, keys = jn.mlp([32, 2], jn.tanh), jax.random.split(jax.random.key(0), 64)


def surrogate(params, batch, *, key):
    def step(state, key):
        logits, (angle, speed) = net.apply(params, state), state.T
        push = jax.random.categorical(key, logits)
        speed += 0.02 * (9.8 * angle + 6 * push - 3)
        new, up = jnp.stack([angle + 0.02 * speed, speed], axis=1), abs(angle) < 0.2
        log_p = -jn.losses.cross_entropy(logits, push, reduction="none")
        return jnp.where(up[:, None], new, state), (up, up * log_p)

    _, (up, log_p) = jax.lax.scan(step, jnp.zeros((16, 2)), jax.random.split(key, 200))
    gain = jnp.cumsum(up[::-1], axis=0)[::-1]
    return -((gain - gain.mean(1, keepdims=True)) * log_p).mean(), {"up": up.sum(0).mean()}


params = jax.vmap(lambda key: net.init(key, jnp.zeros(2)))(keys)
trial = (net, jn.objective(surrogate), optax.adam(0.02))
study = jn.sweep(trial, None, keys=keys, params=params, steps=100)
print("steps up, before and after:", study.history["up"].mean(0)[[0, -1]])
