"""Files that are whole or not there, whatever happens while they are written.

`write_whole` is the one way in which anything is saved. What the system says of a file that
cannot be read or written reaches the user in the library's words, after one more try.
"""

import errno
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

from jaxnets.errors import (
    ArgumentError,
    ArgumentFileError,
    ArgumentMissingFileError,
    ArgumentTypeError,
    describe,
    fail,
    require,
)

__all__ = [
    "LEFTOVER",
    "check_file",
    "check_path",
    "fail_for",
    "kind_of",
    "make_folder",
    "read_whole",
    "tried",
    "write_whole",
]

R = TypeVar("R")

LEFTOVER = r"\.jaxnets-[0-9a-f]{16}-"
"""How the name of a file begins that a kill kept from its place; its end is the name meant."""

PAUSE = 0.05
"""Seconds before something that failed is tried once more."""

LONGEST_NAME = 40
"""Characters of a name that an unfinished file repeats; a name holds 255 bytes at most."""

REMEDIES = {
    errno.ENOSPC: "Make room on that disk, or pass another.",
    errno.EDQUOT: "Make room in your quota, or pass another.",
    errno.EFBIG: "Raise the limit of a file's size (ulimit -f).",
    errno.EMFILE: "Close some files, or raise their limit (ulimit -n).",
    errno.ENFILE: "Close some files: the system has too many open.",
    errno.EROFS: "Pass a path on a file system that can be written.",
    errno.ENAMETOOLONG: "Pass a shorter path.",
    errno.ELOOP: "Pass a path whose links lead to a file.",
    errno.ENOENT: "Make its folder again, or pass another.",
}
"""What to do, by what the system says."""


def check_path(argument: str, path: Any, *, rule: str = "be a path", remedy: str) -> Path:
    """Return ``path`` as a `Path` whose ``~`` is expanded; what can be no path is an error.

    Example:
      >>> check_path("path", "runs/a.csv", remedy="Pass 'history.csv', for example.").name
      'a.csv'
    """
    text = os.fspath(path) if isinstance(path, PathLike) else path
    good = isinstance(text, str) and text
    require(good, argument, rule, describe(path), remedy, error=ArgumentTypeError)
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        encoded = b"\0"
    require(b"\0" not in encoded, argument, f"{rule} without null bytes", describe(path), remedy)
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path's raises for unknown users)


def check_file(argument: str, path: Any, *, example: str) -> Path:
    """Return ``path`` as that of a file or of nothing yet; ``example`` is the name to suggest."""
    file = check_path(argument, path, remedy=f'Pass "{example}", for example.')
    kind = kind_of(argument, file)
    place = file if kind == "folder" else file.parent
    remedy = f'Pass one in it, such as "{place / example}".'
    got = f"the {kind} {os.fspath(path)!r}"
    require(kind in ("file", None), argument, "name a file", got, remedy)
    return file


def kind_of(argument: str, path: Path) -> str | None:
    """Return ``"file"``, ``"folder"`` or ``"pipe or device"``; None if nothing is there."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        fail_for(error, argument, "name a file that can be reached", path)
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "pipe or device"


def read_whole(argument: str, path: Path) -> bytes:
    """Return what a regular file holds."""
    return tried(path.read_bytes, argument, "name a file that can be read", path)


def write_whole(
    path: str | PathLike[str],
    write: Callable[[BinaryIO], object],
    *,
    argument: str = "path",
    example: str = "params.safetensors",
) -> None:
    """Write a file that is whole or as it was before, even if the power is cut meanwhile.

    It is written beside its place, flushed, and put into its place, which is flushed too. A link
    is followed; the mode is that of the file that was there, or what the umask leaves of 0666.

    Args:
      path: The file; its folder must be there, and a ``~`` is the home of the user.
      write: Called with the file, open for bytes, to fill it; once more if that failed.
      argument: The name of the argument that ``path`` is, for errors.
      example: The name of a file to suggest.

    Raises:
      TypeError: If ``path`` is no path.
      ValueError: If it names a folder, a pipe or a device.
      FileNotFoundError: If the folder is not there.
      OSError: If the file cannot be written.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "greeting.txt"
      >>> write_whole(path, lambda file: file.write(b"hello"))
      >>> path.read_text()
      'hello'
    """
    target = _target(argument, path, example)
    tried(lambda: _write(target, write), argument, "name a file that can be written", path)


def make_folder(folder: Path) -> None:
    """Make a folder, and those it is in, that a power cut does not take away."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        _flush_folder(place.parent)


def tried(
    act: Callable[[], R], argument: str, rule: str, path: str | PathLike[str], *, times: int = 2
) -> R:
    """Return what ``act`` gives; a fault of the system is an error once it has come twice."""
    try:
        return act()
    except OSError as error:
        if isinstance(error, ArgumentError):
            raise
        if times == 1:
            fail_for(error, argument, rule, path)
    time.sleep(PAUSE)
    return tried(act, argument, rule, path, times=times - 1)


def fail_for(error: OSError, argument: str, rule: str, path: str | PathLike[str]) -> NoReturn:
    """Raise what the system says about a file in the library's words."""
    shown = os.fspath(path)
    shown = shown if len(shown) <= 300 else f"{shown[:100]}...{shown[-100:]}"
    default = "Change its permissions, or pass another."
    remedy = REMEDIES.get(error.errno or 0, default)
    got = f"{shown} ({error.strerror or error})"
    fail(argument, rule, got, remedy, error=ArgumentFileError)


def _target(argument: str, path: Any, example: str) -> Path:
    """Return the file to write, at the end of all links."""
    target = Path(os.path.realpath(check_file(argument, path, example=example)))
    if not target.parent.is_dir():
        remedy = "Make it with Path(path).parent.mkdir(parents=True)."
        rule = "be in a folder that is there"
        fail(argument, rule, f"{path}", remedy, error=ArgumentMissingFileError)
    return target


def _write(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write the file once, leaving nothing beside it if that fails."""
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    name = f".jaxnets-{secrets.token_hex(8)}-{target.name[-LONGEST_NAME:]}"
    beside = target.with_name(name)
    try:
        with beside.open("xb") as file:
            if mode is not None:
                beside.chmod(mode)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Put on the disk which files a folder holds."""
    if sys.platform == "win32":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one to be written, not read: there is no way to flush it
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot flush a folder, and need not.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
