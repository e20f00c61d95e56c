"""Files that are whole or not there: a run's folder, a picture, a page."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxnets.experiments.harness.report import Report
from jaxnets.experiments.harness.text import json_text
from jaxnets.files.params_file import save_params
from jaxnets.training.history import History

__all__ = ["check_file", "check_folder", "save_run", "written"]

FILES = ("config.json", "metrics.json", "history.csv", "params.safetensors")
"""The files of a saved run."""


@contextmanager
def written(folder: Path) -> Iterator[Path]:
    """A new empty folder beside; what is in it at the end is flushed and moved into ``folder``.

    Nothing is moved, and nothing left behind, if an error ends it.
    """
    stage = Path(tempfile.mkdtemp(prefix=".jaxnets-", dir=_nearest(folder)))
    try:
        yield stage
        files = list(stage.iterdir())
        for file in files:
            _flush(file)
        if files:
            folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(stage)


def _flush(path: Path) -> None:
    """Hand a file over to the disk, so that no later rename is there before its contents."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_folder(folder: Path) -> str | None:
    """The reason that a run cannot be saved in ``folder``, or None; leaves nothing behind."""
    there = _nearest(folder)
    if not there.is_dir():
        return "is a file" if there == folder.resolve() else f"is inside {there}, a file"
    for name in FILES:
        if (folder / name).is_dir():
            return f"holds a folder named {name}"
    try:
        with written(folder):
            pass
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return None


def check_file(path: Path) -> str | None:
    """The reason that a picture cannot be saved at ``path``, or None; leaves nothing behind."""
    if path.is_dir():
        return "is a folder"
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        return "does not end in .png, .svg or .pdf"
    if not path.parent.is_dir():
        return f"is in {path.parent}, which is no folder"
    return check_folder(path.parent)


def save_run(folder: Path, report: Report) -> None:
    """Write config.json, history.csv, params.safetensors and metrics.json, all or none."""
    config, metrics, history, weights = FILES
    measured = report.as_json()
    with written(folder) as stage:
        (stage / config).write_text(json_text(measured.pop("config"), indent=2) + "\n")
        History(measured.pop("history")).to_csv(stage / history)
        (stage / metrics).write_text(json_text(measured, indent=2) + "\n")
        save_params(report.params, stage / weights)
        # Safetensors makes its file readable by its owner alone.
        (stage / weights).chmod((stage / config).stat().st_mode)


def _nearest(folder: Path) -> Path:
    """The folder itself if it is there, else what is there of the way to it."""
    path = folder.resolve()
    return next(place for place in (path, *path.parents) if place.exists())
