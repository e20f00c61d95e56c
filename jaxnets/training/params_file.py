"""Parameters in safetensors files: one array a path, nothing that could run."""

from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

from jaxnets.checks import ArgumentTypeError, describe, fail
from jaxnets.model import Params
from jaxnets.training.paths import named_leaves, path_name

__all__ = ["load_params", "save_params"]

SAVED = frozenset(
    """
    bfloat16 complex64 float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64
    """.split()  # noqa: SIM905
)
"""Dtypes of numbers that a safetensors file gives back as NumPy arrays."""

METADATA = "__metadata__"
"""The entry of a safetensors file that is no array."""


def save_params(params: Params, path: str | PathLike[str]) -> None:
    """Writes parameters to a safetensors file, one entry a path such as ``"0/w"``.

    Args:
      params: A nested dict of arrays.
      path: The file to write; its folder must be there.

    Returns:
      Nothing.

    Raises:
      ValueError: If two parameters have one path.
      TypeError: If a parameter is no array of numbers, or ``path`` no path.
      FileNotFoundError: If the folder is not there.
      OSError: If the file cannot be written.

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
    if METADATA in leaves:
        remedy = "Rename it: the file format has its own use for that name."
        fail("save_params", "params", f"have another name than {METADATA!r}", "that one", remedy)
    arrays = {name: _as_numbers(name, leaf) for name, leaf in leaves.items()}
    file = _as_path("save_params", path)
    if not file.parent.is_dir():
        remedy = "Make it with Path(path).parent.mkdir(parents=True)."
        rule, got = "be in a folder that is there", f"{path}"
        fail("save_params", "path", rule, got, remedy, error=FileNotFoundError)
    try:
        save_file(arrays, file)
    except (safetensors.SafetensorError, OSError) as error:
        rule, remedy = "name a file that can be written", "Change its permissions, or pass another."
        fail("save_params", "path", rule, f"{path} ({error})", remedy, error=OSError)


def _as_path(function: str, path: Any) -> Path:
    """Returns ``path`` as one that can be a file's."""
    if not isinstance(path, str | PathLike):
        remedy = 'Pass "params.safetensors", for example.'
        fail(function, "path", "be a path", describe(path), remedy, error=ArgumentTypeError)
    file = Path(path)
    if file.is_dir():
        remedy = f'Pass one in it, such as "{file / "params.safetensors"}".'
        fail(function, "path", "name a file", f"the folder {str(path)!r}", remedy)
    return file


def _as_numbers(name: str, leaf: Any) -> np.ndarray:
    """Returns a parameter as an array that safetensors can hold."""
    dtype = leaf.dtype if isinstance(leaf, jax.Array) else np.asarray(leaf).dtype
    if jnp.issubdtype(dtype, jnp.number) and str(dtype) not in SAVED:
        rule, remedy = f"be of a dtype that reads back at {name!r}", "Convert it to float32."
        fail("save_params", "params", rule, describe(leaf), remedy, error=ArgumentTypeError)
    if not (jnp.issubdtype(dtype, jnp.number) or dtype == np.bool_):
        remedy = "Leave it out, or save jax.random.key_data(key) of a PRNG key."
        rule = f"hold numbers at {name!r}"
        fail("save_params", "params", rule, describe(leaf), remedy, error=ArgumentTypeError)
    return np.asarray(leaf, order="C")


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
      TypeError: If ``path`` is no path.
      FileNotFoundError: If the file is not there.

    Example:
      >>> import tempfile
      >>> import jaxnets as jn
      >>> net, x = jn.dense(1), jnp.ones((4, 2))
      >>> params = net.init(jax.random.key(0), x)
      >>> file = Path(tempfile.mkdtemp()) / "params.safetensors"
      >>> save_params(params, file)
      >>> like = jax.eval_shape(net.init, jax.random.key(0), x)
      >>> bool((load_params(file, like=like)["w"] == params["w"]).all())
      True
    """
    file = _as_path("load_params", path)
    if not file.exists():
        remedy = "Save one there with jn.save_params(params, path)."
        rule = "name a file that is there"
        fail("load_params", "path", rule, f"{path}", remedy, error=FileNotFoundError)
    try:
        found = load_file(file)
    except safetensors.SafetensorError as error:
        fail("load_params", "path", "name a safetensors file", f"{path} ({error})", "Check it.")
    expected = named_leaves(like)
    for name in sorted(expected.keys() | found.keys()):
        _check_entry(file, name, expected.get(name), found.get(name))
    leaves = [_in_jax(file, name, found[name]) for name in expected]
    params: Params = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return params


def _in_jax(path: Path, name: str, array: np.ndarray) -> jax.Array:
    """The array on the device, in its own dtype."""
    if jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
        rule, remedy = "be of a dtype of 32 bits or fewer", "Load it under jax.enable_x64(True)."
        fail("load_params", f"{name!r} in {path.name}", rule, array, remedy)
    return jnp.asarray(array)


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
