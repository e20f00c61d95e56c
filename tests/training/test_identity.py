"""The texts that tell one run from another."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.training import identity


def test_data_are_read_once_and_forgotten_with_their_owner(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    x = jnp.asarray(np.random.default_rng(0).standard_normal((30, 7), np.float32))
    data, sizes, read = (x, x[:, :1]), [], identity._crc32
    net, sgd = jn.dense(1), optax.sgd(0.1)

    def counted(array: jax.Array, value: int = 0) -> int:
        sizes.append(np.size(array))
        return read(array, value)

    monkeypatch.setattr(identity, "_crc32", counted)
    for _ in range(2):
        checkpoint = jn.Checkpoint(tmp_path_factory.mktemp("run"))
        options = {"key": jax.random.key(0), "steps": 1, "checkpoint": checkpoint}
        jn.fit(net, jn.losses.mse, sgd, data, **options)
    assert sizes.count(30 * 7) == 1
    number = id(x)
    assert number in identity.KNOWN
    del x, data
    gc.collect()
    assert number not in identity.KNOWN
