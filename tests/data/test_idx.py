"""IDX files of every kind of damage: refused in the library's words, and in little memory."""

import gzip
import os
import random
import struct
import tracemalloc

import numpy as np
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentError, ArgumentMissingFileError, ArgumentValueError

MEGABYTE = 2**20


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file-idx3-ubyte"


def header(*sizes, code=0x08):
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def refused(file, content, message):
    file.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ArgumentValueError, match=rf"^read_idx: path must {message}"):
        jn.data.read_idx(file)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 * MEGABYTE


@pytest.mark.parametrize("axes", [65, 255])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_more_axes_than_an_array_can_have(file, pack, axes):
    content = pack(header(*[1] * axes) + b"\7")
    refused(file, content, rf"name a file of an array of at most 64 axes; got {axes} in .*again\.$")


def test_as_many_axes_as_an_array_can_have(file):
    file.write_bytes(header(*[1] * 64) + b"\7")
    assert jn.data.read_idx(file).shape == (1,) * 64


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("code", [0x08, 0x0E])
def test_sizes_whose_product_overflows(file, pack, code):
    content = pack(header(*[2**32 - 1] * 3, code=code) + b"\7")
    refused(file, content, r"hold \d{29,} bytes after its header, which says 4294967295 x ")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_sizes_that_overflow_around_an_axis_of_none(file, pack):
    content = pack(header(0, *[2**32 - 1] * 3))
    refused(
        file, content, r"name a file of an array that spans at most \d+ bytes; got sizes of \(0"
    )


def test_an_array_without_elements(file):
    for pack in (bytes, gzip.compress):
        file.write_bytes(pack(header(0, 28, 28)))
        assert jn.data.read_idx(file).shape == (0, 28, 28)


def test_a_bomb_is_unpacked_no_further_than_its_header_declares(file):
    """100 MB of zeros in 100 kB, after a header of three bytes."""
    refused(file, gzip.compress(header(3) + bytes(100 * MEGABYTE)), r"hold 3 bytes .*; got more in")


def test_a_header_that_declares_more_than_a_file_can_hold(file):
    content = gzip.compress(header(2**31) + bytes(1000))
    refused(file, content, r"hold 2147483648 bytes .*; got at most \d+ in")
    refused(file, header(2**31) + bytes(1000), r"hold 2147483648 bytes .*; got 1000 in")


def test_a_gzip_file_whose_checksum_is_wrong(file):
    content = bytearray(gzip.compress(header(3) + b"abc"))
    content[-8] ^= 1
    refused(file, bytes(content), r"name a whole gzip file; got .* \(CRC check failed")


def test_a_gzip_file_in_two_parts(file):
    file.write_bytes(gzip.compress(header(3) + b"a") + gzip.compress(b"bc"))
    assert jn.data.read_idx(file).tobytes() == b"abc"


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("files", [500, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_mutated_file_is_refused_in_words_or_read(file, files, pack, mutated):
    whole = pack(header(2, 3, code=0x0C) + np.arange(6, dtype=">i4").tobytes())
    moments, refusals = random.Random(0), 0
    for _ in range(files):
        file.write_bytes(mutated(whole, moments))
        try:
            read = jn.data.read_idx(file)
        except ArgumentError:
            refusals += 1
        else:
            assert read.dtype.isnative
    assert 0.5 * files < refusals < files


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArgumentMissingFileError, match=r"which is a pipe or device\. Check it\.$"):
        jn.data.read_idx(tmp_path / name)


@pytest.mark.parametrize("function", [jn.data.read_idx, jn.data.mnist])
@pytest.mark.parametrize("path", [None, 3, b"a", "a\0b", "x" * 300, "\ud800", "", "~nobody/x"])
def test_what_is_no_path_is_refused_in_words(function, path):
    with pytest.raises(ArgumentError, match=rf"^{function.__name__}: (path|folder) must "):
        function(path)


def test_a_set_in_pipes_is_not_there(tmp_path):
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(ArgumentMissingFileError, match=r"^mnist: folder must hold train-images"):
        jn.data.mnist(tmp_path)


def test_the_home_of_the_user_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a").write_bytes(header(2) + b"\1\2")
    assert jn.data.read_idx("~/a").tolist() == [1, 2]
