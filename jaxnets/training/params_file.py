"""Parameters in safetensors files: one array a path, nothing that could run."""

from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

from jaxnets.checks import describe, fail
from jaxnets.model import Params
from jaxnets.training.paths import named_leaves, path_name

__all__ = ["load_params", "save_params"]


def save_params(params: Params, path: str | PathLike[str]) -> None:
    """Writes parameters to a safetensors file, one entry a path such as ``"0/w"``.

    Args:
      params: A nested dict of arrays.
      path: The file to write; its folder must be there.

    Example:
      >>> import tempfile
      >>> file = Path(tempfile.mkdtemp()) / "params.safetensors"
      >>> save_params({"0": {"w": jnp.ones((2, 1))}}, file)
      >>> load_params(file, like={"0": {"w": jnp.zeros((2, 1))}})["0"]["w"].tolist()
      [[1.0], [1.0]]
    """
    leaves = named_leaves(params)
    if len(leaves) < len(jax.tree.leaves(params)):
        names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        twice = sorted(name for name in leaves if names.count(name) > 1)
        remedy = "Use names without a slash."
        fail("save_params", "params", "have one parameter a path", f"two at {twice}", remedy)
    save_file({name: np.asarray(leaf, order="C") for name, leaf in leaves.items()}, path)


def load_params(path: str | PathLike[str], *, like: Params) -> Params:
    """Reads parameters that `save_params` wrote.

    Args:
      path: The file.
      like: Parameters, or ``jax.ShapeDtypeStruct`` in their place, of the structure, shapes and
        dtypes expected, such as ``jax.eval_shape(model.init, key, x)``.

    Returns:
      Parameters of the structure of ``like``.

    Raises:
      ValueError: If the file is no safetensors file, or a path is missing, left over, or of
        another shape or dtype; the message names it.
    """
    try:
        found = load_file(path)
    except safetensors.SafetensorError as error:
        fail("load_params", "path", "name a safetensors file", f"{path} ({error})", "Check it.")
    expected = named_leaves(like)
    for name in sorted(expected.keys() | found.keys()):
        _check_entry(Path(path), name, expected.get(name), found.get(name))
    leaves = [jnp.asarray(found[name]) for name in expected]
    params: Params = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return params


def _check_entry(path: Path, name: str, expected: Any, found: Any) -> None:
    """Raises unless both are there and of one shape and dtype."""
    texts = ["nothing" if leaf is None else describe(leaf) for leaf in (expected, found)]
    if texts[0] != texts[1]:
        fail(
            "load_params",
            f"{name!r} in {path.name}",
            f"be {texts[0]}",
            texts[1],
            "Load it into the model that it was saved from.",
        )
