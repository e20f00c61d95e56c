"""Named NumPy arrays in a folder of Orbax's, bit for bit."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

__all__ = ["Shapes", "import_orbax", "read_arrays", "shapes_of", "write_arrays"]

Shapes = dict[str, tuple[str, list[int]]]
"""Dtype and shape of arrays by name, fit for JSON."""


def import_orbax(function: str = "fit") -> Any:
    """The module ``orbax.checkpoint``.

    Args:
      function: The public function that needs it, for the error.

    Raises:
      ImportError: If it is not installed, saying how to.
    """
    try:
        with _quiet():
            import orbax.checkpoint
    except ImportError as error:
        raise ImportError(
            f"{function}: checkpoint must find the package orbax-checkpoint; got {error}. "
            "Install it with pip install 'jaxnets[checkpoint]'."
        ) from error
    return orbax.checkpoint


def shapes_of(arrays: Mapping[str, np.ndarray]) -> Shapes:
    """What `read_arrays` has to know about arrays besides their folder."""
    return {name: (str(array.dtype), list(array.shape)) for name, array in arrays.items()}


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays to a new folder; their names may be any texts.

    Example:
      >>> import tempfile
      >>> folder = Path(tempfile.mkdtemp()) / "arrays"
      >>> arrays = {"loss": np.ones(2), "none": np.zeros((0, 3))}
      >>> write_arrays(folder, arrays)
      >>> read_arrays(folder, shapes_of(arrays))
      {'loss': array([1., 1.]), 'none': array([], shape=(0, 3), dtype=float64)}
    """
    # Orbax refuses arrays without elements; their shapes say all there is to them.
    filled = {name: array for name, array in arrays.items() if array.size}
    orbax = import_orbax()
    if filled:
        with _quiet(), orbax.PyTreeCheckpointer() as checkpointer:
            checkpointer.save(folder, args=orbax.args.PyTreeSave(filled))


def read_arrays(folder: Path, shapes: Shapes) -> dict[str, np.ndarray]:
    """Reads what `write_arrays` wrote.

    Args:
      folder: The folder.
      shapes: `shapes_of` the arrays that were written.
    """
    orbax = import_orbax()
    # A dtype by name needs JAX, as NumPy alone knows no bfloat16.
    empty = {
        name: np.zeros(shape, jnp.dtype(dtype))
        for name, (dtype, shape) in shapes.items()
        if 0 in shape
    }
    as_numpy = orbax.RestoreArgs(restore_type=np.ndarray)
    filled = {name: as_numpy for name in shapes if name not in empty}
    if filled:
        with _quiet(), orbax.PyTreeCheckpointer() as checkpointer:
            filled = checkpointer.restore(
                folder, args=orbax.args.PyTreeRestore(restore_args=filled)
            )
    return {name: empty[name] if name in empty else filled[name] for name in shapes}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Orbax's logs and warnings from the user, who gets its exceptions."""
    absl, nothing = logging.getLogger("absl"), logging.NullHandler()
    was_disabled = absl.disabled
    # Without any handler absl would set up the root logger, for good and for everybody.
    logging.root.addHandler(nothing)
    absl.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        absl.disabled = was_disabled
        logging.root.removeHandler(nothing)
