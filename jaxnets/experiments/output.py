"""Saving a run: a folder that is whole or not there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxnets.experiments.numbers import json_text
from jaxnets.training.history import History
from jaxnets.training.params_file import save_params

__all__ = ["check_file", "check_folder", "save_run"]

FILES = ("config.json", "metrics.json", "history.csv", "params.safetensors")
"""What a saved run consists of."""


def check_folder(folder: Path) -> str | None:
    """Why a run cannot be saved in ``folder``, or None if it can; leaves nothing behind."""
    there = _nearest(folder)
    if not there.is_dir():
        return "is a file" if there == folder.resolve() else f"is inside {there}, a file"
    for name in FILES:
        if (folder / name).is_dir():
            return f"holds a folder named {name}"
    try:
        with _staged(folder):
            pass
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return None


def check_file(path: Path) -> str | None:
    """Why a picture cannot be saved at ``path``, or None if it can; leaves nothing behind."""
    if path.is_dir():
        return "is a folder"
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        return "does not end in .png, .svg or .pdf"
    if not path.parent.is_dir():
        return f"is in {path.parent}, which is no folder"
    return check_folder(path.parent)


def save_run(folder: Path, report: dict[str, Any], params: Any) -> None:
    """Writes config.json, history.csv, params.safetensors and metrics.json.

    They are written beside the folder first and moved into place when all are whole.
    """
    config, metrics, history, weights = FILES
    measured = {name: part for name, part in report.items() if name not in ("config", "history")}
    with _staged(folder) as stage:
        (stage / config).write_text(json_text(report["config"], indent=2) + "\n")
        (stage / metrics).write_text(json_text(measured, indent=2) + "\n")
        History(report["history"]).to_csv(stage / history)
        save_params(params, stage / weights)
        # Safetensors makes its file readable by its owner alone.
        (stage / weights).chmod((stage / config).stat().st_mode)
        folder.mkdir(parents=True, exist_ok=True)
        for file in stage.iterdir():
            file.replace(folder / file.name)


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A new empty folder on the file system of ``folder``, removed afterwards."""
    stage = Path(tempfile.mkdtemp(prefix=".jaxnets-", dir=_nearest(folder)))
    try:
        yield stage
    finally:
        shutil.rmtree(stage)


def _nearest(folder: Path) -> Path:
    """The folder itself if it is there, else what is there of the way to it."""
    path = folder.resolve()
    return next(place for place in (path, *path.parents) if place.exists())
