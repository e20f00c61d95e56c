"""One user at a time for a folder."""

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["FolderLock", "lock_folder"]


class FolderLock:
    """Holds a folder until `close`, or until the process ends in whatever way."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        """Lets go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_folder(folder: Path) -> FolderLock | None:
    """A lock on a folder, or None if somebody else has one; where there are no locks, one of none.

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
        return FolderLock(None)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a file system without locks
        os.close(descriptor)
        return FolderLock(None)
    return FolderLock(descriptor)
