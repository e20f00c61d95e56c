"""The end of a command line."""

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["run_as_program"]


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
