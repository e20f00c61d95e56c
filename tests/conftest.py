"""What all tests share: strict settings, one Hypothesis profile, and what is skipped where."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

# Derandomized, so that a failure on one machine is a failure on all of them.
hypothesis.settings.register_profile("jaxnets", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("jaxnets")


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Keeps compiled programs for this process: many tests compile the same small ones anew."""
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        yield
        jax.config.update("jax_compilation_cache_dir", None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not any(d.platform == "gpu" for d in jax.devices()):
        pytest.skip("JAX sees no GPU")


@pytest.fixture
def x64() -> Iterator[None]:
    """float64 for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def mnist() -> Path:
    """The folder of the four MNIST files, which are not part of the repository."""
    folder = os.environ.get("JAXNETS_MNIST")
    if not folder:
        pytest.skip("JAXNETS_MNIST does not name a folder with the MNIST files")
    return Path(folder)
