"""What a run recorded, as plain NumPy arrays."""

import csv
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["History"]


LEADING = ("step", "epoch", "loss")
"""The columns that stand first."""


class History(Mapping[str, np.ndarray]):
    """Records of a run by name: ``history["loss"]`` has one entry a record.

    Behaves like a dict of NumPy arrays of equal length. ``"step"`` and ``"loss"`` are always
    there; the loss of a step is the one before that step's update.

    Example:
      >>> history = History({"step": np.array([0, 100]), "loss": np.array([0.7, 0.6])})
      >>> history["loss"].tolist(), len(history["step"])
      ([0.7, 0.6], 2)
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        names = [name for name in LEADING if name in columns]
        names += [name for name in columns if name not in LEADING]
        self._columns = {name: np.asarray(columns[name]) for name in names}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        names = ", ".join(self)
        return f"History({names or 'empty'}; {len(self.get('step', ()))} records)"

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Writes one row a record under a header of the names.

        Floats are written so that reading them back gives the same number.
        """
        with Path(path).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(self)
            writer.writerows(zip(*(column.tolist() for column in self.values()), strict=True))
