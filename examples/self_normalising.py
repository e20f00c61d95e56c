"""Fifty layers without normalisation: SELU keeps mean 0 and variance 1 all the way down.

    python examples/self_normalising.py

prints mean and variance of the fiftieth layer before training, and the accuracy on test digits
after it, for SELU and for ReLU with the same initial weights (Klambauer et al., 2017).
"""

import jax
import optax

import jaxnets as jn

(x, y), (x_test, y_test) = jn.data.digits()
x, x_test = ((part.reshape(-1, 64) - x.mean()) / x.std() for part in (x, x_test))
layer = jn.dense(64, w_init=jn.initializers.lecun_normal(), b_init=jn.initializers.zeros)
keys, options = jax.random.split(jax.random.key(0)), {"epochs": 30, "batch_size": 64}


def init(key, x):
    return jax.vmap(lambda key: layer.init(key, x))(jax.random.split(key, 50))


def run(activation):
    def apply(params, x, *, key=None):
        return jax.lax.scan(lambda h, p: (activation(layer.apply(p, h)), None), x, params)[0]

    body, loss = jn.Model(init, apply), jn.losses.cross_entropy
    inside = body.apply(body.init(keys[0], x), x)
    net = jn.sequential(body, jn.dense(10))
    result = jn.fit(net, loss, optax.adam(3e-4), (x, y), key=keys[1], **options)
    return inside.mean(), inside.var(), jn.metrics.accuracy(result.predict(x_test), y_test)


runs = {activation.__name__: run(activation) for activation in (jn.selu, jn.relu)}
print(runs)
