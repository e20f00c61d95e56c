"""IDX files, the format of MNIST: an array of any shape under a short header."""

import gzip
import math
import os
import zlib
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np

from jaxnets.errors import ArgumentMissingFileError, fail, public, require
from jaxnets.files.whole import check_path, fail_for, kind_of

__all__ = ["read_idx"]

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""Types by the third byte of a file; numbers of several bytes have the largest one first."""

GZIP_MAGIC = b"\x1f\x8b"

MOST_PACKED = 1032
"""Bytes that one byte of a gzip file can stand for, at most."""

MOST_AXES = 64
"""Axes that a NumPy array can have."""

MOST_BYTES = np.iinfo(np.intp).max
"""Bytes that can be addressed; the sizes of an array without elements are held to it as well."""

DAMAGED = "The file is cut short or damaged: get it again."


@public
def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """Read an IDX file, plain or gzipped.

    The file says itself what it is, so its name does not matter. Of a gzipped file no more is
    unpacked than its header declares.

    Args:
      path: The file.

    Returns:
      An array of the shape and dtype that the file states, in the byte order of this machine.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is no IDX file, or holds more or fewer bytes than its header says.
      TypeError: If ``path`` is no path.
      OSError: If the file cannot be read.

    Example:
      >>> import tempfile
      >>> file = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
      >>> _ = file.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
      >>> read_idx(file).tolist()
      [5, 0, 4]

    References:
      LeCun, Cortes and Burges, "The MNIST database of handwritten digits", which defines it.
    """
    file = check_path("path", path, remedy='Pass "train-images-idx3-ubyte.gz", for example.')
    kind = kind_of("path", file)
    if kind != "file":
        got = f"{file}, which is {'not there' if kind is None else f'a {kind}'}"
        fail("path", "name an IDX file", got, "Check it.", error=ArgumentMissingFileError)
    try:
        with file.open("rb") as opened:
            return _read(file, opened)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fail("path", "name a whole gzip file", f"{file} ({error})", DAMAGED)
    except OSError as error:
        fail_for(error, "path", "name a file that can be read", file)


def _read(path: Path, opened: BinaryIO) -> np.ndarray:
    """Return the array in an open file."""
    most = os.fstat(opened.fileno()).st_size
    packed = opened.read(2) == GZIP_MAGIC
    opened.seek(0)
    stream: BinaryIO = gzip.GzipFile(fileobj=opened) if packed else opened  # type: ignore[assignment]
    dtype, shape = _header(path, stream)
    header = 4 + 4 * len(shape)
    expected = math.prod(shape) * dtype.itemsize
    # A plain file tells its length, a gzipped one the most that can be in it.
    most = (most * MOST_PACKED if packed else most) - header
    if expected > most or (not packed and expected < most):
        _fail_length(path, dtype, shape, f"{'at most ' if packed else ''}{most}")
    # One byte more than declared, so that the end, with gzip's checksum, is read too.
    body = np.empty(expected + 1, np.uint8)
    found = _fill(stream, body)
    if found != expected:
        _fail_length(path, dtype, shape, "more" if found > expected else f"{found}")
    return body[:expected].view(dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _fill(stream: BinaryIO, body: np.ndarray) -> int:
    """Read until the file ends or ``body`` is full, and return how many bytes there were."""
    view, found = body.data, 0
    while got := stream.readinto(view[found : found + 2**20]):  # type: ignore[attr-defined]
        found += got
    return found


def _header(path: Path, stream: BinaryIO) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the dtype and shape that the file states."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or magic[3] == 0:
        stream.read(2**16)  # where a gzip file that is damaged says so itself
        rule = "name an IDX file, whose first bytes are 00 00, a type (08 for bytes) and its axes"
        got = f"{magic.hex(' ') or 'nothing'} in {path}"
        fail("path", rule, got, "Pass an IDX file such as train-images-idx3-ubyte.gz.")
    axes = magic[3]
    rule = f"name a file of an array of at most {MOST_AXES} axes"
    require(axes <= MOST_AXES, "path", rule, f"{axes} in {path}", DAMAGED)
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        got = f"{len(magic) + len(sizes)} bytes in {path}"
        fail("path", f"hold the sizes of {axes} axes", got, DAMAGED)
    dtype, shape = np.dtype(DTYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())
    spanned = math.prod(max(1, size) for size in shape) * dtype.itemsize
    if 0 in shape and spanned > MOST_BYTES:
        rule = f"name a file of an array that spans at most {MOST_BYTES} bytes"
        fail("path", rule, f"sizes of {shape} in {path}", DAMAGED)
    return dtype, shape


def _fail_length(path: Path, dtype: np.dtype, shape: tuple[int, ...], got: str) -> NoReturn:
    expected, size = math.prod(shape) * dtype.itemsize, " x ".join(map(str, shape))
    rule = f"hold {expected} bytes after its header, which says {size} {dtype.name}"
    fail("path", rule, f"{got} in {path}", DAMAGED)
