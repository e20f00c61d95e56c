"""Parameters in safetensors files: one array per path, nothing that could run."""

from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors.numpy import save

from jaxnets.errors import (
    ArgumentMissingFileError,
    ArgumentTypeError,
    concrete,
    describe,
    fail,
    public,
    require,
)
from jaxnets.files.checkpoint_file import DTYPES
from jaxnets.files.whole import check_file, read_whole, write_whole
from jaxnets.model import Params
from jaxnets.paths import named_leaves, path_name

__all__ = ["load_params", "save_params"]

METADATA = "__metadata__"
"""The entry of a safetensors file that is no array."""


@public
def save_params(params: Params, path: str | PathLike[str]) -> None:
    """Write parameters to a safetensors file, one entry per path such as ``"0/w"``.

    Args:
      params: A nested dict of arrays.
      path: The file to write; its folder must be there. What it held is replaced once the new
        file is whole and on the disk.

    Returns:
      Nothing, once the file is on the disk.

    Raises:
      ValueError: If two parameters have one path.
      TypeError: If a parameter is no array of numbers, or ``path`` no path.
      FileNotFoundError: If the folder is not there.
      OSError: If the file cannot be written.

    Example:
      >>> import tempfile
      >>> file = Path(tempfile.mkdtemp()) / "params.safetensors"
      >>> save_params({"0": {"w": jnp.ones((2, 1))}}, file)
      >>> load_params(file)["0"]["w"].tolist()
      [[1.0], [1.0]]
    """
    leaves = _leaves("params", params)
    if len(leaves) < len(jax.tree.leaves(params)):
        names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        twice = sorted(name for name in leaves if names.count(name) > 1)
        remedy = "Use names without a slash."
        fail("params", "have one parameter a path", f"two at {twice}", remedy)
    rule, remedy = (
        f"have another name than {METADATA!r}",
        "Rename it: the file format has its own use for that name.",
    )
    require(METADATA not in leaves, "params", rule, "that one", remedy)
    arrays = {name: _as_numbers(name, leaf) for name, leaf in leaves.items()}
    write_whole(path, lambda file: file.write(save(arrays)))


@public
def load_params(path: str | PathLike[str], *, like: Params | None = None) -> Params:
    """Read parameters that `save_params` wrote.

    Args:
      path: The file.
      like: Parameters, or ``jax.ShapeDtypeStruct`` in their place, of the structure, shapes and
        dtypes expected, such as ``jax.eval_shape(model.init, key, x)``. Without it the structure
        is read from the paths: ``"0/w"`` is ``params["0"]["w"]``.

    Returns:
      Parameters of the structure of ``like``, or as a nested dict.

    Raises:
      ValueError: If the file is no safetensors file, its paths are of no nested dict, or one is
        missing, left over, or of another shape or dtype; the message names it.
      TypeError: If ``path`` is no path.
      FileNotFoundError: If the file is not there.
      OSError: If it cannot be read.

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
    file = check_file("path", path, example="params.safetensors")
    if not file.exists():
        remedy = "Save one there with jn.save_params(params, path)."
        fail("path", "name a file that is there", f"{path}", remedy, error=ArgumentMissingFileError)
    try:
        stored = dict(safetensors.deserialize(read_whole("path", file)))
    except safetensors.SafetensorError as error:
        fail("path", "name a safetensors file", f"{path} ({error})", "Check it.")
    found = {name: _as_array(file, name, entry) for name, entry in stored.items()}
    if like is None:
        return _nested(file, {name: _in_jax(file, name, found[name]) for name in found})
    expected = _leaves("like", like)
    for name in sorted(expected.keys() | found.keys()):
        _check_entry(file, name, expected.get(name), found.get(name))
    leaves = [_in_jax(file, name, found[name]) for name in expected]
    params: Params = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return params


def _leaves(argument: str, params: Any) -> dict[str, Any]:
    """The parameters by the names of their paths."""
    try:
        return named_leaves(params)
    except (TypeError, ValueError):  # JAX's, of keys that it cannot sort
        rule, remedy = "have names of one kind in each dict", "Use texts as names."
        fail(argument, rule, params, remedy, error=ArgumentTypeError)


def _as_numbers(name: str, leaf: Any) -> np.ndarray:
    """Return a parameter as an array that safetensors can hold."""
    require(concrete(leaf), "params", f"be known at {name!r}", leaf, "Save them outside jax.jit.")
    dtype = leaf.dtype if isinstance(leaf, jax.Array) else np.asarray(leaf).dtype
    if jnp.issubdtype(dtype, jnp.number) and str(dtype) not in DTYPES.values():
        rule, remedy = f"be of a dtype that reads back at {name!r}", "Convert it to float32."
        fail("params", rule, describe(leaf), remedy, error=ArgumentTypeError)
    if not (jnp.issubdtype(dtype, jnp.number) or dtype == np.bool_):
        remedy = "Leave it out, or save jax.random.key_data(key) of a PRNG key."
        rule = f"hold numbers at {name!r}"
        fail("params", rule, describe(leaf), remedy, error=ArgumentTypeError)
    rule, remedy = f"hold no masked array at {name!r}", "Pass array.filled(0.0), for example."
    require(not np.ma.isMaskedArray(leaf), "params", rule, leaf, remedy, error=ArgumentTypeError)
    return np.asarray(leaf, order="C")


def _as_array(path: Path, name: str, entry: dict[str, Any]) -> np.ndarray:
    """Return an entry of the file as an array."""
    dtype = DTYPES.get(entry["dtype"])
    if dtype is None:
        rule, remedy = f"be of one of the dtypes {', '.join(DTYPES)}", "Convert it to float32."
        fail(f"{name!r} in {path.name}", rule, entry["dtype"], remedy)
    return np.frombuffer(entry["data"], jnp.dtype(dtype)).reshape(entry["shape"])


def _nested(path: Path, found: dict[str, jax.Array]) -> Params:
    """Return the arrays as the nested dict that their names say."""
    if set(found) == {""}:  # parameters that are one array
        bare: Any = found[""]
        return bare  # type: ignore[no-any-return]
    params: dict[str, Any] = {}
    for name, array in found.items():
        *folders, last = name.split("/")
        inner: Any = params
        for folder in folders:
            inner = inner.setdefault(folder, {}) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or last in inner:
            rule, remedy = "name no other's part", "Pass like=, the parameters expected."
            fail(f"{name!r} in {path.name}", rule, f"{sorted(found)}", remedy)
        inner[last] = array
    return params


def _in_jax(path: Path, name: str, array: np.ndarray) -> jax.Array:
    """Return the array on the device, in its own dtype."""
    if jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype:
        rule, remedy = "be of a dtype of 32 bits or fewer", "Load it under jax.enable_x64(True)."
        fail(f"{name!r} in {path.name}", rule, array, remedy)
    return jnp.asarray(array)


def _check_entry(path: Path, name: str, expected: Any, found: Any) -> None:
    """Raise unless both are there and of one shape and dtype."""
    wanted, got = ("nothing" if leaf is None else describe(leaf) for leaf in (expected, found))
    remedy = "Load it into the model that it was saved from."
    require(wanted == got, f"{name!r} in {path.name}", f"be {wanted}", got, remedy)
