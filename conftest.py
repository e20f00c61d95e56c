"""What doctests may use without importing it."""

import jax
import jax.numpy as jnp
import pytest

import jaxnets

collect_ignore = ["jaxnets/parity/torch_reference.py"]  # imports PyTorch, which tests never do


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace):
    doctest_namespace.update(jax=jax, jnp=jnp, jn=jaxnets)
