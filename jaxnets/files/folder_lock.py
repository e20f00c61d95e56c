"""One user at a time for a folder."""

import os
import sys
import weakref
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["FolderLock", "lock_folder"]


class FolderLock:
    """A folder held until `close`, or until the process ends in whatever way.

    A forked child does not hold it, and cannot keep others from it.
    """

    def __init__(self, folder: Path, descriptor: int | None) -> None:
        self._folder = folder
        self._descriptor = descriptor
        _held.add(self)

    def holds(self) -> bool:
        """Whether the folder at that path is the one held, not moved away, deleted or replaced."""
        if self._descriptor is None:
            return sys.platform == "win32"
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._folder.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the folder; in a forked child, of the child's copy of the descriptor only."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _close_all() -> None:
    for lock in list(_held):
        lock.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_all)


def lock_folder(folder: Path) -> FolderLock | None:
    """Return the lock, or None if it is held. A no-op where the file system has no locks.

    Nothing is written: the folder itself is locked, so that a kill leaves nothing behind.

    Example:
      >>> import tempfile
      >>> folder = Path(tempfile.mkdtemp())
      >>> first, second = lock_folder(folder), lock_folder(folder)
      >>> second is None
      True
      >>> first.close()
    """
    if sys.platform == "win32":
        return FolderLock(folder, None)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a file system without locks
        pass
    return FolderLock(folder, descriptor)
