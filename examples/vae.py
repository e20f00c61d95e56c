"""A variational autoencoder of handwritten digits; its validation is its objective.

    python examples/vae.py

prints the negative evidence lower bound on test digits, in nats per digit, beside that of the best
code of no bits: every pixel drawn by its own frequency.
"""

import jax
import jax.numpy as jnp
import optax

import jaxnets as jn

x, x_test = (images.reshape(-1, 64) for images, _ in jn.data.digits())
encoder, decoder = jn.mlp([128, 16]), jn.mlp([128, 64])
net = jn.sequential(encoder=encoder, mean=lambda code: code[..., :8], decoder=decoder)


def bound(params, x, *, key):
    mean, log_std = jnp.split(encoder.apply(params["encoder"], x), 2, axis=-1)
    noise = jax.random.normal(jax.random.key(0) if key is None else key, mean.shape)
    pixels = decoder.apply(params["decoder"], mean + jnp.exp(log_std) * noise)
    error = jn.losses.bce_with_logits(pixels, x, reduction="sum") / len(x)
    code = (mean**2 + jnp.exp(2 * log_std) - 1 - 2 * log_std).sum() / 2 / len(x)
    return error + code, {"error": error, "code": code}


options = {"key": jax.random.key(0), "epochs": 60, "batch_size": 64, "validation": x_test}
result = jn.fit(net, jn.objective(bound), optax.adam(3e-3), x, **options)
often = x.mean(0).clip(1e-3, 1 - 1e-3)
blind = -(x_test * jnp.log(often) + (1 - x_test) * jnp.log(1 - often)).sum(1).mean()
print(f"{result.scores['loss']:.2f} nats per digit, {blind:.2f} without a code")
