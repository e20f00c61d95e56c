"""MAML: initial parameters from which one gradient step on ten points learns a new sine.

    python examples/maml.py

prints the squared error on 100 new sines after that step, from the parameters of MAML and from
those of joint training, which is MAML with steps of length 0 (Finn et al., 2017). A task is 22
numbers: the height and phase of a sine and 20 places, ten to learn from and ten to be judged by.
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

net = jn.mlp([40, 40, 1])
error = jn.Supervised(net, jn.losses.mse)


def after(params, task, rate):
    x = 10 * task[2:] - 5
    y = (0.1 + 4.9 * task[0]) * jnp.sin(x + jnp.pi * task[1])
    slope = jax.grad(error)(params, (x[:10], y[:10]), key=None)
    return error(optax.tree.add_scale(params, -rate, slope), (x[10:], y[10:]), key=None)


def trial(rate):
    def goal(params, tasks, *, key):
        return jax.vmap(after, (None, 0, None))(params, tasks, rate).mean()

    return net, jn.objective(goal), optax.adam(1e-3)


tasks, values = jax.random.uniform(jax.random.key(0), (10_100, 22, 1)), {"rate": [0.0, 0.01]}
options = {"keys": jax.random.split(jax.random.key(1), 1), "epochs": 25, "batch_size": 25}
study = jn.sweep(trial, tasks[100:], hyperparameters=values, **options)
joint, maml = (trial(0.01)[1](study.member(i), tasks[:100])[0] for i in (0, 1))
print(f"squared error after one step on a new sine: {maml:.2f}, after joint training {joint:.2f}")
