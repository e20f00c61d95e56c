"""How a command line ends."""

import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["run_as_program"]


def run_as_program(main: Callable[[], int]) -> NoReturn:
    """Ends the process with the exit code of ``main``; an interrupted one is 130, as in a shell.

    A reader that has seen enough, as in ``... | head``, is no error.
    """
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    except BrokenPipeError:
        # What is still to be flushed at the exit has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    # The collector need not go through JAX's modules once more, a tenth of a short run's time.
    gc.freeze()
    sys.exit(code)
