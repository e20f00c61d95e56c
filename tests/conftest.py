"""What all tests share: strict settings, one Hypothesis profile, and what is skipped where."""

import os
import random
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")

# Derandomized, so that a failure on one machine is a failure on all of them.
hypothesis.settings.register_profile("jaxnets", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("jaxnets")


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Keeps compiled programs for this process: many tests compile the same small ones anew."""
    with tempfile.TemporaryDirectory() as folder:
        # Where command lines in processes of their own keep theirs.
        os.environ["XDG_CACHE_HOME"] = os.environ["LOCALAPPDATA"] = folder
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        yield
        jax.config.update("jax_compilation_cache_dir", None)


@pytest.fixture(scope="module", autouse=True)
def _let_go() -> Iterator[None]:
    """Lets go of the programs of a module once its tests are through: they take gigabytes."""
    yield
    jax.clear_caches()


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


@pytest.fixture(scope="session")
def mutated() -> Callable[[bytes, random.Random], bytes]:
    """Of a file: its content after one of the things that happen to files."""

    def mutate(content: bytes, moments: random.Random) -> bytes:
        place, some = moments.randrange(len(content)), moments.randbytes(moments.randrange(1, 64))
        flipped = bytearray(content)
        for _ in range(moments.randrange(1, 4)):
            # Half of them in the first part, where headers are.
            end = len(content) if moments.randrange(2) else min(len(content), 400)
            flipped[moments.randrange(end)] ^= 1 << moments.randrange(8)
        return moments.choice(
            [
                content[:place],
                content + some,
                content[:place] + some + content[place:],
                content[:place] + bytes(len(some)) + content[place + len(some) :],
                bytes(flipped),
            ]
        )

    return mutate


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Asserts that the memory of this process grows by less than 100 MB in one test."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@pytest.fixture
def assert_refused() -> Callable[..., None]:
    """Asserts that a misuse raises an error of exactly these words, and that its advice works."""

    def check(misuse: Callable[[], Any], error: type, message: str, advice: Callable[[], Any]):
        with pytest.raises(error) as caught:
            misuse()
        assert str(caught.value) == message
        for leaf in jax.tree.leaves(advice()):
            if isinstance(leaf, jax.Array):
                assert jnp.isfinite(leaf).all()

    return check
