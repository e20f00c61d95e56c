"""A lottery ticket: a few of the initial weights that learn as well as all of them.

    python examples/lottery.py

prunes half of the weights four times and prints the accuracy of what is left each time, trained
from its own initial values, and last that of the same mask with its inputs shuffled (Frankle and
Carbin, 2019). The mask stands among the parameters, as data: all rounds run one program.
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

(data, test), key = jn.data.digits(), jax.random.key(0)
full = jn.sequential(jn.flatten(), jn.mlp([100, 10]))
start = {name: full.init(key, data[0]) for name in ("w", "mask")}


def apply(p, x, *, key=None):
    return full.apply(jax.tree.map(jnp.multiply, p["w"], jax.lax.stop_gradient(p["mask"])), x)


def halved(w, m):
    return (abs(w * m) >= jnp.quantile(abs(w * m), 1 - m.mean() / 2)).astype(w.dtype)


def train(mask):
    return jn.fit(*trial, data, key=key, params={**start, "mask": mask}, epochs=20, batch_size=64)


trial = (jn.Model(lambda key, x: start, apply), jn.losses.cross_entropy, optax.adam(3e-3))
runs, mask = [], jax.tree.map(jnp.ones_like, start["w"])
for _ in range(5):
    runs.append(train(mask))
    mask = jax.tree.map(halved, runs[-1].params["w"], mask)
other = train(jax.tree.map(lambda m: jax.random.permutation(key, m), runs[-1].params["mask"]))
print(*(f"{jn.metrics.accuracy(run.predict(test[0]), test[1]):.1%}" for run in [*runs, other]))
