"""Labelled images in two parts, to learn from and to be tested on."""

from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.data.idx import read_idx
from jaxnets.errors import ArgumentMissingFileError, fail, public
from jaxnets.files.whole import check_path, kind_of

__all__ = ["LabelledImages", "digits", "mnist"]

CLASSES = 10
"""Digits, or in sets of the same format as many other things."""

UCI_DIGITS = Path(__file__).with_name("uci_digits")
"""The folder of the set that is shipped; its README says where it comes from."""


class LabelledImages(NamedTuple):
    """Images and their labels, NumPy arrays on the host, in two parts.

    Attributes:
      train: Images ``[examples, height, width]``, float32 in [0, 1] where 1 is ink, and
        integer labels ``[examples]``.
      test: The same, of other examples.
    """

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


@public
def digits() -> LabelledImages:
    """The 1,797 handwritten digits of 8 x 8 pixels from the UCI repository, shipped with jaxnets.

    The split is fixed: 1,437 digits to learn from and 360 to be tested on, drawn at random once.

    Returns:
      A `LabelledImages`. The set has 16 levels above white, here sixteenths.

    Example:
      >>> (x, y), (x_test, y_test) = digits()
      >>> x.shape, y[:5].tolist(), y_test.shape
      ((1437, 8, 8), [6, 5, 3, 4, 4], (360,))

    References:
      Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
      Repository, 1998, doi:10.24432/C50P49, licence CC BY 4.0; its test set, 13 writers.
    """
    return _labelled_images(UCI_DIGITS, largest=16)


@public
def mnist(folder: str | PathLike[str]) -> LabelledImages:
    """A set in the format of MNIST: a folder of four IDX files of bytes, plain or gzipped.

    Fashion-MNIST and others of the same format are read as well. The files are
    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each with or without ``.gz``.

    Args:
      folder: Where they are.

    Returns:
      A `LabelledImages` of bytes / 255.

    Raises:
      FileNotFoundError: If a file is not there.
      ValueError: If a file is damaged or holds something else, a label is none of 0 to 9, or two
        files do not fit.
      TypeError: If ``folder`` is no path.

    Example:
      >>> mnist("no/such/folder")
      Traceback (most recent call last):
      jaxnets.errors.ArgumentMissingFileError: mnist: folder must hold train-images-idx3-ubyte,
      plain or .gz; got no/such/folder, where it is not. Pass the folder of the four MNIST files.

    References:
      LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
    """
    remedy = "Pass the folder of the four MNIST files."
    place = check_path("folder", folder, rule="be the path of a folder", remedy=remedy)
    return _labelled_images(place, largest=255)


def _labelled_images(folder: Path, *, largest: int) -> LabelledImages:
    """Both parts of the set in ``folder``, whose darkest pixel is ``largest``."""
    train, test = (_part(folder, part, largest) for part in ("train", "t10k"))
    if train[0].shape[1:] != test[0].shape[1:]:
        rule = f"hold test images of {train[0].shape[1:]} pixels, as the training images are"
        fail("folder", rule, str(test[0].shape[1:]), "Put files of one set together.")
    return LabelledImages(train, test)


def _part(folder: Path, part: str, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one part, checked against each other."""
    images = _read_bytes(folder, f"{part}-images-idx3-ubyte", axes=3)
    labels = _read_bytes(folder, f"{part}-labels-idx1-ubyte", axes=1)
    if len(images) != len(labels):
        rule = f"hold as many labels as images in its {part} files"
        got = f"{len(labels)} labels and {len(images)} images in {folder}"
        fail("folder", rule, got, "Put files of one set together.")
    if (outside := np.flatnonzero(labels >= CLASSES)).size:
        rule = f"hold labels from 0 to {CLASSES - 1} in its {part} files"
        got = f"{labels[outside[0]]} at index {outside[0]} in {folder}"
        fail("folder", rule, got, "Check that the files are of a set of ten classes.")
    return images.astype(np.float32) / np.float32(largest), labels.astype(np.int32)


def _read_bytes(folder: Path, name: str, *, axes: int) -> np.ndarray:
    """The array in the file of that name, plain or gzipped."""
    places = [folder / name, folder / f"{name}.gz"]
    path = next((place for place in places if kind_of("folder", place) == "file"), None)
    if path is None:
        rule, got = f"hold {name}, plain or .gz", f"{folder}, where it is not"
        remedy = "Pass the folder of the four MNIST files."
        fail("folder", rule, got, remedy, error=ArgumentMissingFileError)
    array = read_idx(path)
    if array.ndim != axes or array.dtype != np.uint8 or array.size == 0:
        rule = f"hold bytes on {axes} {'axes' if axes > 1 else 'axis'}, some at least, in {name}"
        fail("folder", rule, array, "Check that the files have not been interchanged.")
    return array
