"""Records in text files that grow with a run."""

import csv as csv_files
import io
import json
import math
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from jaxnets.errors import public
from jaxnets.files.whole import check_file, tried
from jaxnets.training import History, Look
from jaxnets.training.history import rows_of
from jaxnets.watch.looks import SHARED, Watcher, begins, tables

__all__ = ["csv", "jsonl", "writable_file"]


@public
def csv(path: str | PathLike[str]) -> Watcher:
    """Write every record to a file, and every evaluation to one beside it.

    The evaluations of ``run.csv`` stand in ``run.validation.csv``. For one network the files hold
    what ``history.to_csv`` and ``validation.to_csv`` write at the end. Of a sweep there is a row
    per member and record, with the member's number in front, in the order of the looks.

    Args:
      path: The file; its folder must be there.

    Returns:
      A watcher.

    Raises:
      FileNotFoundError: If the folder is not there.
      OSError: If it cannot be written to.

    Example:
      >>> import optax, tempfile, pathlib
      >>> path, x = pathlib.Path(tempfile.mkdtemp()) / "run.csv", jnp.ones((4, 1))
      >>> _ = jn.fit(
      ...     jn.dense(1), jn.losses.mse, optax.sgd(0.1), (x, x), key=jax.random.key(0), steps=3,
      ...     watch=jn.watch.csv(path),
      ... )
      >>> path.read_text().splitlines()[0], len(path.read_text().splitlines())
      ('step,epoch,loss', 4)
    """
    file = writable_file(path, example="run.csv")
    evaluations = file.with_name(f"{file.stem}.validation{file.suffix}")

    def watch(look: Look) -> None:
        for place, part in ((file, look.history), (evaluations, look.validation)):
            _begin(place, look)
            _append(place, _csv_text(part, header=not place.exists()))

    return watch


@public
def jsonl(path: str | PathLike[str]) -> Watcher:
    """Write a line of JSON per record and per evaluation, whose measures begin ``validation_``.

    Numbers that are not finite are ``null``. Of a sweep there is a line per member.

    Args:
      path: The file; its folder must be there.

    Returns:
      A watcher.

    Raises:
      FileNotFoundError: If the folder is not there.
      OSError: If it cannot be written to.

    Example:
      >>> import optax, tempfile, pathlib, json
      >>> path, x = pathlib.Path(tempfile.mkdtemp()) / "run.jsonl", jnp.ones((4, 1))
      >>> _ = jn.fit(
      ...     jn.dense(1), jn.losses.mse, optax.sgd(0.1), (x, x), key=jax.random.key(0), steps=3,
      ...     watch=jn.watch.jsonl(path),
      ... )
      >>> list(json.loads(path.read_text().splitlines()[0]))
      ['step', 'epoch', 'loss']
    """
    file = writable_file(path, example="run.jsonl")

    def watch(look: Look) -> None:
        lines = [*_objects(look.history, ""), *_objects(look.validation, "validation_")]
        _begin(file, look)
        _append(file, "".join(f"{json.dumps(line)}\n" for line in lines))

    return watch


def writable_file(path: Any, *, example: str) -> Path:
    """The file, once it is known that it can be written; nothing is left of the trial."""
    file = check_file("path", path, example=example)
    there = file.exists()

    def open_and_close() -> None:
        with file.open("ab"):
            pass
        if not there:
            file.unlink()

    tried(open_and_close, "path", "name a file that can be written", file)
    return file


def _begin(file: Path, look: Look) -> None:
    """Take away what another run has left, if this one begins."""
    if begins(look):
        tried(lambda: file.unlink(missing_ok=True), "path", "name a file that can be written", file)


def _append(file: Path, text: str) -> None:
    """Add to a file, which stays as it is where there is nothing to add."""

    def write() -> None:
        with file.open("a", newline="") as opened:
            opened.write(text)

    if text:
        tried(write, "path", "name a file that can be written", file, times=1)


def _csv_text(part: History, *, header: bool) -> str:
    """Rows as `History.to_csv` writes them; empty where there are none."""
    text = io.StringIO(newline="")
    writer = csv_files.writer(text)
    for table in tables(part):
        rows = rows_of(table)
        if header and rows:
            writer.writerow(table)
        writer.writerows(rows)
        header = False
    return text.getvalue()


def _objects(part: History, prefix: str) -> Iterator[dict[str, Any]]:
    """Records as objects of JSON; measures have a prefix."""
    own = ("member", *SHARED)
    for table in tables(part):
        names = [name if name in own else f"{prefix}{name}" for name in table]
        for row in rows_of(table):
            yield {name: _finite(value) for name, value in zip(names, row, strict=True)}


def _finite(value: Any) -> Any:
    """A value that JSON has: null for a number that is not finite."""
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
