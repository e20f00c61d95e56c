"""How a command line ends: with the code of its main, and with one line where it cannot."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [("0", 0, ""), ("1", 1, ""), ("exit(2)", 2, ""), ("stop()", 130, "interrupted\n")],
)
def test_a_process_ends_with_the_code_of_its_main(ends, code, said):
    program = f"""
from jaxnets.process import run_as_program
def stop():
    raise KeyboardInterrupt
run_as_program(lambda: {ends})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_reader_that_stops_reading_is_no_error():
    program = """
from jaxnets.process import run_as_program
run_as_program(lambda: print("line\\n" * 100_000) or 0)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
@pytest.mark.parametrize("lines", [1, 100_000])
def test_output_that_cannot_be_written_is_one_line_and_code_1(lines):
    program = f"""
from jaxnets.process import run_as_program
run_as_program(lambda: print("line\\n" * {lines}) or 0)
"""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=-1, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "output must be written whole; got 'No space left on device'. Make room, or send it to "
        "another place.\n"
    )


def test_an_error_of_a_file_is_not_hidden():
    program = """
from pathlib import Path
from jaxnets.process import run_as_program
run_as_program(lambda: Path("no/such/file").read_text() and 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


KEPT = """
import jax, sys
from jaxnets.process import programs_kept, run_as_program
def main():
    before = jax.config.jax_compilation_cache_dir
    with programs_kept("--no-cache" not in sys.argv):
        jax.jit(lambda x: x + 1)(1.0)
    assert jax.config.jax_compilation_cache_dir == before
    return 0
run_as_program(main)
"""


def kept_by(folder, *args, **settings):
    """How many files a command line has in the user's cache folder."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "LOCALAPPDATA": str(folder)}
    command = [sys.executable, "-c", KEPT, *args]
    done = subprocess.run(command, env=environment | settings, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return sum(path.is_file() for path in Path(folder).glob("jaxnets/**/*"))


def test_a_command_line_keeps_compiled_programs_in_the_users_cache(tmp_path):
    assert (count := kept_by(tmp_path)) > 0
    assert kept_by(tmp_path) == count  # found again


def test_nothing_is_kept_by_no_cache_or_by_jaxs_own_settings(tmp_path):
    assert kept_by(tmp_path, "--no-cache") == 0
    assert kept_by(tmp_path, JAX_ENABLE_COMPILATION_CACHE="0") == 0
    assert kept_by(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "jax")) == 0


def test_a_cache_folder_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")
    assert kept_by(tmp_path / "file") == 0
