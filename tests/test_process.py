"""How a command line ends: with the code of its main, and with one line where it cannot."""

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
