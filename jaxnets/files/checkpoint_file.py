"""One checkpoint as the bytes of a safetensors file, readable by anyone; nothing in it is code.

The metadata of the file hold the version of the format, the step, what describes the run, dtype
and shape of every array, and the SHA-256 of all these and the arrays. Every version of the format
keeps ``format`` and ``sha256`` in this meaning, so that damage is told from another version.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from jaxnets.errors import ArgumentTypeError, require

__all__ = ["DTYPES", "FORMAT", "NewerFormatError", "Saved", "pack", "unpack"]

FORMAT = 1
"""The version of the format; a file of a later one is not read."""

DTYPES = {
    "BF16": "bfloat16",
    "BOOL": "bool",
    "C64": "complex64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
}
"""Dtypes that a safetensors file gives back as NumPy arrays, by their names in the file."""

PLAIN = frozenset(map(np.dtype, set(DTYPES.values()) - {"bfloat16"})) | {np.dtype(jnp.bfloat16)}


class Saved(NamedTuple):
    """What a checkpoint holds.

    Attributes:
      step: The number of steps made.
      arrays: Arrays by path.
    """

    step: int
    arrays: dict[str, np.ndarray]


class NewerFormatError(Exception):
    """A file that is whole and of a later version of the format, which it names."""


def pack(saved: Saved, described: Mapping[str, str]) -> bytes:
    """Return the file. Arrays may have any dtype, and any texts as names.

    Example:
      >>> content = pack(Saved(3, {"loss": np.ones(2)}), {"record_every": "1"})
      >>> unpack(content)
      ({'record_every': '1'}, Saved(step=3, arrays={'loss': array([1., 1.])}))
      >>> unpack(content[:-1] + b"x")
      Traceback (most recent call last):
      ValueError: it was altered
    """
    arrays = {name: np.asarray(array, order="C") for name, array in saved.arrays.items()}
    for name, array in arrays.items():
        remedy = "Keep texts and objects out of the state of the optimizer."
        ok = not array.dtype.hasobject
        require(
            ok, "checkpoint", f"hold numbers at {name!r}", array, remedy, error=ArgumentTypeError
        )
    about = {
        "format": str(FORMAT),
        "step": str(saved.step),
        "run": json.dumps(dict(described)),
        "arrays": json.dumps({name: [str(a.dtype), a.shape] for name, a in arrays.items()}),
    }
    contents = {name: _bytes_of(array) for name, array in arrays.items()}
    about["sha256"] = _digest(about, contents)
    return safetensors.numpy.save(
        {name: a if a.dtype in PLAIN else contents[name] for name, a in arrays.items()}, about
    )


def unpack(content: bytes) -> tuple[dict[str, str], Saved]:
    """Return what describes the run, and what it needs to go on.

    Raises:
      NewerFormatError: If the file is of a later version of the format.
      Exception: Any other if the file is not whole: whatever its bytes make of reading it.
    """
    length = int.from_bytes(content[:8], "little")
    about = json.loads(content[8 : 8 + length])["__metadata__"]
    stored = {name: entry["data"] for name, entry in safetensors.deserialize(content)}
    if about.pop("sha256") != _digest(about, stored):
        raise ValueError("it was altered")
    if int(about["format"]) > FORMAT:
        raise NewerFormatError(about["format"])
    arrays = {
        name: np.frombuffer(stored[name], jnp.dtype(dtype)).reshape(shape)
        for name, (dtype, shape) in json.loads(about["arrays"]).items()
    }
    return json.loads(about["run"]), Saved(int(about["step"]), arrays)


def _bytes_of(array: np.ndarray) -> np.ndarray:
    """Return the bytes of an array, uncopied."""
    return array.reshape(-1).view(np.uint8)


def _digest(about: Mapping[str, str], contents: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(sorted(about.items())).encode())
    for name in sorted(contents):
        digest.update(f"{name!r} {len(contents[name])}".encode())
        digest.update(contents[name])
    return digest.hexdigest()
