"""A physics-informed network: u'' = -pi^2 sin(pi x) on [0, 1], u = 0 at both ends.

    python examples/poisson.py

prints the relative L2 error against the solution sin(pi x). The boundary holds by construction;
the objective is the mean square of the equation's residual at 64 points.
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

net = jn.mlp([32, 32, 1], jn.tanh)
x = jnp.linspace(0, 1, 64)[:, None]


def u(params, point):
    return point * (1 - point) * net.apply(params, point[None])[0]


def residual(params, points, *, key):
    curvature = jax.vmap(jax.grad(jax.grad(u, 1), 1), (None, 0))(params, points[:, 0])
    return jnp.mean((curvature + jnp.pi**2 * jnp.sin(jnp.pi * points[:, 0])) ** 2)


goal = jn.objective(residual)
rough = jn.fit(net, goal, optax.adam(1e-3), x, key=jax.random.key(0), steps=2000)
fine = jn.fit(net, goal, optax.lbfgs(), x, key=jax.random.key(1), params=rough.params, steps=500)
found = jax.vmap(u, (None, 0))(fine.params, x[:, 0])
exact = jnp.sin(jnp.pi * x[:, 0])
error = float(jnp.linalg.norm(found - exact) / jnp.linalg.norm(exact))
print(f"relative L2 error {error:.1e}")
