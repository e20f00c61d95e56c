"""A folder sealed with the SHA-256 of every file in it."""

import hashlib
import os
from pathlib import Path

__all__ = ["check_seal", "seal", "write_text"]

SEAL = "SHA256SUMS"
"""Holds one line a file, in the format of ``sha256sum --check``."""


def seal(folder: Path) -> None:
    """Writes down the checksum of every file in the folder.

    Example:
      >>> import tempfile
      >>> folder = Path(tempfile.mkdtemp())
      >>> write_text(folder / "a.txt", "1")
      >>> seal(folder)
      >>> check_seal(folder)
      >>> write_text(folder / "a.txt", "2")
      >>> check_seal(folder)
      Traceback (most recent call last):
      ValueError: a.txt was altered
    """
    write_text(folder / SEAL, _text(_checksums(folder)))


def check_seal(folder: Path) -> None:
    """Raises unless every file is what it was when the folder was sealed.

    Raises:
      ValueError: Naming the first file that is missing, altered or new.
      OSError: If a file cannot be read.
    """
    if not (folder / SEAL).is_file():
        raise ValueError(f"{SEAL} is missing")
    found = _checksums(folder)
    sealed = (folder / SEAL).read_bytes()
    if sealed == _text(found).encode():
        return
    lines = [line.split("  ", 1) for line in sealed.decode(errors="replace").splitlines()]
    expected = {line[-1]: line[0] for line in lines}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise ValueError(f"{name} is missing")
        if name not in expected:
            raise ValueError(f"{name} is not among its files")
        if expected[name] != found[name]:
            raise ValueError(f"{name} was altered")
    raise ValueError(f"{SEAL} was altered")


def write_text(path: Path, text: str) -> None:
    """Writes a file that is on the disk, not in a cache, when this returns."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _checksums(folder: Path) -> dict[str, str]:
    """The checksum of every file but the seal, by its path in the folder."""
    files = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    files.pop(SEAL, None)
    return {name: _sha256(files[name]) for name in sorted(files)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(checksums: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in checksums.items())
