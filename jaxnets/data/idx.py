"""IDX files, the format of MNIST: an array of any shape under a short header."""

import gzip
import math
import zlib
from os import PathLike
from pathlib import Path

import numpy as np

from jaxnets.checks import fail

__all__ = ["read_idx"]

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""Types by the third byte of a file; numbers of several bytes have the largest one first."""

GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | PathLike[str]) -> np.ndarray:
    """Reads an IDX file, plain or gzipped.

    The file says itself what it is, so its name does not matter.

    Args:
      path: The file.

    Returns:
      An array of the shape and dtype that the file states, in the byte order of this machine.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If the file is no IDX file, or holds more or fewer bytes than its header says.

    Example:
      >>> import tempfile
      >>> file = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
      >>> _ = file.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
      >>> read_idx(file).tolist()
      [5, 0, 4]

    References:
      LeCun, Cortes and Burges, "The MNIST database of handwritten digits", which defines it.
    """
    path = Path(path)
    if not path.is_file():
        got = f"{path}, which is {'a folder' if path.is_dir() else 'not there'}"
        fail("read_idx", "path", "name an IDX file", got, "Check it.", error=FileNotFoundError)
    content = _content(path)
    dtype, shape = _header(path, content)
    body = content[4 + 4 * len(shape) :]
    expected = math.prod(shape) * dtype.itemsize
    if len(body) != expected:
        size = " x ".join(map(str, shape))
        rule = f"hold {expected} bytes after its header, which says {size} {dtype.name}"
        remedy = "The file is cut short or damaged: get it again."
        fail("read_idx", "path", rule, f"{len(body)} in {path}", remedy)
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    """All bytes of the file, unpacked if it is gzipped."""
    content = path.read_bytes()
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        rule, got = "name a whole gzip file", f"{path} ({error})"
        fail("read_idx", "path", rule, got, "The file is cut short or damaged: get it again.")


def _header(path: Path, content: bytes) -> tuple[np.dtype, tuple[int, ...]]:
    """The dtype and shape that the file states."""
    magic = content[:4]
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or magic[3] == 0:
        rule = "name an IDX file, whose first bytes are 00 00, a type (08 for bytes) and its axes"
        got = f"{magic.hex(' ') or 'nothing'} in {path}"
        fail("read_idx", "path", rule, got, "Pass an IDX file such as train-images-idx3-ubyte.gz.")
    axes = magic[3]
    sizes = content[4 : 4 + 4 * axes]
    if len(sizes) < 4 * axes:
        rule, got = f"hold the sizes of {axes} axes", f"{len(content)} bytes in {path}"
        fail("read_idx", "path", rule, got, "The file is cut short or damaged: get it again.")
    return np.dtype(DTYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())
