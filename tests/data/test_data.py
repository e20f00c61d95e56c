"""Data sets and IDX files: what is read is what was written, and damage is named.

The class counts of the shipped digits are those that the UCI repository states for its test set;
the counts of MNIST are those of its home page.
"""

import gzip
import hashlib
import os
import struct
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.errors import ArgumentValueError

CODES = {
    "uint8": 0x08,
    "int8": 0x09,
    "int16": 0x0B,
    "int32": 0x0C,
    "float32": 0x0D,
    "float64": 0x0E,
}


def idx_bytes(array):
    """An IDX file by the definition on MNIST's home page: largest byte first."""
    header = struct.pack(">BBBB", 0, 0, CODES[array.dtype.name], array.ndim)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return header + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write(path, array, *, zipped=False):
    content = idx_bytes(np.asarray(array))
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


LABELS = np.array([5, 0, 4], "uint8")
IMAGES = np.arange(3 * 2 * 2, dtype="uint8").reshape(3, 2, 2)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dtype", CODES)
def test_every_type_and_order_of_bytes(tmp_path, dtype, zipped):
    array = np.array([[1, 2, 3], [100, 101, 127]], dtype)
    read = jn.data.read_idx(write(tmp_path / "any name", array, zipped=zipped))
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, array)


def test_what_is_read_can_be_written_to(tmp_path):
    read = jn.data.read_idx(write(tmp_path / "file", LABELS))
    read[0] = 9
    assert read[0] == 9


WHOLE = idx_bytes(IMAGES)
DAMAGED = {
    "cut short": (
        WHOLE[:-1],
        r"hold 12 bytes after its header, which says 3 x 2 x 2 uint8; got 11",
    ),
    "too long": (WHOLE + b"\0", r"hold 12 bytes after its header.*; got 13 in .*get it again"),
    "cut in the header": (WHOLE[:10], r"must hold the sizes of 3 axes; got 10 bytes"),
    "nothing": (b"", r"must name an IDX file.*; got nothing in .*Pass an IDX file"),
    "wrong first bytes": (b"\1" + WHOLE[1:], r"must name an IDX file.*; got 01 00 08 03 in"),
    "no such type": (b"\0\0\x0a\1" + WHOLE[4:], r"must name an IDX file.*; got 00 00 0a 01 in"),
    "a picture": (b"\x89PNG\r\n", r"must name an IDX file.*; got 89 50 4e 47 in"),
    "gzip cut short": (
        gzip.compress(WHOLE)[:-9],
        r"must name a whole gzip file; got .*get it again",
    ),
    "gzip damaged": (gzip.compress(WHOLE)[:12] + b"junk", r"must name a whole gzip file; got"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named(tmp_path, damage):
    content, message = DAMAGED[damage]
    path = tmp_path / "damaged-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ArgumentValueError, match=rf"read_idx: path.*{message}") as caught:
        jn.data.read_idx(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must name an IDX file; got .*which is not there"):
        jn.data.read_idx(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"which is a folder\. Check it"):
        jn.data.read_idx(tmp_path)


def write_set(folder, **changes):
    """A folder of a tiny set in MNIST's format, each file changed as asked for."""
    arrays = {
        "train-images-idx3-ubyte": IMAGES,
        "train-labels-idx1-ubyte": LABELS,
        "t10k-images-idx3-ubyte.gz": IMAGES[:2],
        "t10k-labels-idx1-ubyte.gz": LABELS[:2],
    }
    for name, array in arrays.items():
        array = changes.get(name.replace("-", "_").partition("_idx")[0], array)
        if array is not None:
            write(folder / name, array, zipped=name.endswith(".gz"))
    return folder


def test_a_folder_in_the_format_of_mnist(tmp_path):
    read = jn.data.mnist(write_set(tmp_path))
    np.testing.assert_allclose(read.train[0], IMAGES / 255, rtol=1e-6)
    assert read.train[0].dtype == np.float32
    assert [labels.tolist() for _, labels in read] == [[5, 0, 4], [5, 0]]


MISFITS = {
    "a file missing": ({"t10k_labels": None}, r"hold t10k-labels-idx1-ubyte, plain or \.gz; got"),
    "fewer labels": ({"train_labels": LABELS[:2]}, r"train files; got 2 labels and 3 images in"),
    "interchanged": ({"train_images": LABELS}, r"bytes on 3 axes.*; got uint8\[3\]\. Check that"),
    "no bytes": ({"t10k_labels": LABELS[:2].astype("int32")}, r"bytes on 1 axis.*got int32\[2\]"),
    "empty": ({"t10k_images": IMAGES[:0], "t10k_labels": LABELS[:0]}, r"some at least"),
    "label": ({"train_labels": LABELS + 5}, r"0 to 9 in its train files; got 10 at index 0 in"),
    "other sizes": ({"t10k_images": IMAGES[:2, :1]}, r"of \(2, 2\) pixels.*; got \(1, 2\)\. Put"),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_files_that_do_not_fit_each_other(tmp_path, misfit):
    changes, message = MISFITS[misfit]
    with pytest.raises((ValueError, FileNotFoundError), match=rf"^mnist: folder must .*{message}"):
        jn.data.mnist(write_set(tmp_path, **changes))


def test_digits_are_those_of_the_repository():
    (x, y), (x_test, y_test) = jn.data.digits()
    assert (x.shape, x_test.shape) == ((1437, 8, 8), (360, 8, 8))
    assert (x.dtype, y.dtype) == (np.float32, np.int32)
    counts = np.bincount(np.concatenate([y, y_test]))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images = np.concatenate([x, x_test])
    sixteenths = images * 16
    np.testing.assert_array_equal(sixteenths, sixteenths.round())
    assert (images.min(), images.max()) == (0, 1)


def test_no_digit_is_in_both_parts():
    (x, _), (x_test, _) = jn.data.digits()
    hashes = [{hashlib.sha256(image.tobytes()).digest() for image in part} for part in (x, x_test)]
    assert not hashes[0] & hashes[1]


def test_the_source_and_licence_of_the_digits_stand_beside_them():
    readme = (jn.data.images.UCI_DIGITS / "README.md").read_text()
    assert "CC BY 4.0" in readme
    assert "Alpaydin" in readme


def test_arrays_go_into_fit_as_they_are():
    train, test = jn.data.digits()
    net = jn.sequential(jn.flatten(), jn.dense(10))
    result = jn.fit(
        net,
        jn.losses.cross_entropy,
        optax.adam(0.01),
        train,
        key=jax.random.key(0),
        steps=100,
        validation=test,
        metrics={"accuracy": jn.metrics.accuracy},
    )
    # A linear classifier reads well over half of them; guessing reads a tenth.
    assert result.validation["accuracy"][-1] > 0.8


def test_reading_needs_no_jax_device():
    """Data are host arrays, so that a set larger than the device's memory can be read."""
    code = "import jaxnets as jn; print(jn.data.digits().train[0].shape)"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JAX_PLATFORMS": "no_such_platform"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == "(1437, 8, 8)\n"


def test_the_real_mnist(mnist):
    (x, y), (x_test, y_test) = jn.data.mnist(mnist)
    assert (x.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert y[:5].tolist() == [5, 0, 4, 1, 9]
    # Its mean and deviation, as every tutorial on it normalises by.
    assert (round(x.mean(dtype=float).item(), 4), round(x.std(dtype=float).item(), 4)) == (
        0.1307,
        0.3081,
    )
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
