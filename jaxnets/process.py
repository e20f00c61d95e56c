"""The process of a command line: what it keeps compiled, and how it ends."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["NO_CACHE", "programs_kept", "run_as_program"]

NO_CACHE: dict[str, Any] = {
    "action": "store_true",
    "help": "compile anew, and keep nothing compiled for the next run",
}
"""The flag ``--no-cache``, as ``add_argument`` takes it."""


@contextmanager
def programs_kept(wanted: bool) -> Iterator[None]:
    """Let JAX keep what is compiled inside in the user's cache folder, and find it there again.

    JAX's own settings come first: a folder that it was given, or a cache that it was told not to
    use, stays as it is.
    """
    import jax  # not at the top: how a process ends needs none of it

    config: Any = jax.config
    folder = cache_folder()
    if not config.jax_enable_compilation_cache or config.jax_compilation_cache_dir is not None:
        wanted = False
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not wanted or not os.access(folder, os.W_OK):
        yield
        return
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(config, name) for name in settings}
    try:
        for name, value in settings.items():
            config.update(name, value)
        yield
    finally:
        for name, value in before.items():
            config.update(name, value)


def cache_folder() -> Path:
    """The folder of compiled programs, by the custom of the platform."""
    home = Path.home()
    places = {"darwin": home / "Library" / "Caches", "win32": home / "AppData" / "Local"}
    given = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return Path(given or places.get(sys.platform, home / ".cache")) / "jaxnets"


def run_as_program(main: Callable[[], int]) -> NoReturn:
    """End the process with the exit code of ``main``; an interrupted one is 130, as in a shell.

    A reader that has seen enough, as in ``... | head``, is no error. What cannot be written, on
    a full disk for example, is one line and exit code 1.
    """
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    except OSError as error:
        # A file that cannot be opened is named; what was being written is not.
        if error.filename is not None:
            raise
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(
                f"output must be written whole; got {error.strerror!r}. "
                "Make room, or send it to another place.\n"
            )
        code = 0 if isinstance(error, BrokenPipeError) else 1
        # What is still to be flushed at the exit has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # The collector need not go through JAX's modules once more, a tenth of a short run's time.
    gc.freeze()
    sys.exit(code)
