"""SIREN: an image as a function of its coordinates, with sines for activations.

    python examples/siren.py

prints the peak signal-to-noise ratio of a mosaic of digits as a network with sines has learnt it,
and an equal one with tanh, in decibels (Sitzmann et al., 2020).
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

(digits, _), _ = jn.data.digits()
image = digits[:36].reshape(6, 6, 8, 8).swapaxes(1, 2).reshape(48, 48)
axis = jnp.linspace(-1, 1, 48)
points = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def siren(width, depth, scale=30.0):
    first = jn.dense(width, w_init=jn.initializers.variance_scaling(1 / 6, "fan_in", "uniform"))
    wide = jn.initializers.variance_scaling(2.0 / scale**2, "fan_in", "uniform")
    layers = [jn.dense(width, w_init=wide) for _ in range(depth - 1)]
    waves = [part for layer in (first, *layers) for part in (layer, lambda x: jnp.sin(scale * x))]
    return jn.sequential(*waves, jn.dense(1, w_init=wide))


def quality(net):
    data = (points, image.reshape(-1, 1))
    found = jn.fit(net, jn.losses.mse, optax.adam(1e-3), data, key=jax.random.key(0), steps=500)
    return -10 * float(jnp.log10(jn.losses.mse(found.predict(points), data[1])))


sines, tanhs = quality(siren(64, 3)), quality(jn.mlp([64, 64, 64, 1], jn.tanh))
print(f"sines {sines:.1f} dB, tanh {tanhs:.1f} dB")
