"""Files that are whole or not there: a run's folder, a picture, a page."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jaxnets.experiments.harness.flags import Parser
from jaxnets.experiments.harness.report import Report, json_text
from jaxnets.files.params_file import save_params
from jaxnets.plots import MissingPlotExtraError, require_matplotlib, save_figure
from jaxnets.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["check_matplotlib", "check_places", "save_picture", "save_run", "written"]

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
            # So that no later rename is there before the contents.
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        if files:
            folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(stage)


def _nearest(folder: Path) -> Path:
    """The folder itself if it is there, else what is there of the way to it."""
    path = folder.resolve()
    return next(place for place in (path, *path.parents) if place.exists())


def _hindrance(folder: Path) -> str | None:
    """The reason that files cannot be written into ``folder``, or None; leaves nothing behind."""
    there = _nearest(folder)
    if not there.is_dir():
        return "is a file" if there == folder.resolve() else f"is inside {there}, a file"
    for name in FILES:
        if (folder / name).is_dir():
            return f"holds a folder named {name}"
    try:
        with written(folder):
            return None
    except OSError as error:
        return f"cannot be written ({error.strerror})"


def check_places(parser: Parser, out: Path | None, plot: Path | None = None) -> None:
    """End the program with one line if a run cannot be saved in ``out`` or drawn in ``plot``."""
    if out is not None and (reason := _hindrance(out)):
        parser.error(
            f"--out must name a folder that can be written; got {out}, which {reason}. "
            "Pass a new folder, such as --out runs/first."
        )
    if plot is None:
        return
    check_matplotlib(parser, "--plot", plot)
    if plot.is_dir():
        reason = "is a folder"
    elif plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        reason = "does not end in .png, .svg or .pdf"
    elif not plot.parent.is_dir():
        reason = f"is in {plot.parent}, which is no folder"
    else:
        reason = _hindrance(plot.parent)
    if reason:
        parser.error(
            f"--plot must name a picture that can be written; got {plot}, which {reason}. "
            "Pass --plot picture.png, for example."
        )


def check_matplotlib(parser: Parser, flag: str, value: Path) -> None:
    """End the program with one line if the pictures that a flag asks for need matplotlib."""
    try:
        require_matplotlib()
    except MissingPlotExtraError:
        parser.error(
            f"{flag} must be left out where matplotlib is not installed; got {value}. "
            "Install it with: pip install 'jaxnets[plot]'"
        )


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


def save_picture(figure: "Figure", path: Path) -> None:
    """Write a picture, whole or not at all."""
    with written(path.parent) as stage:
        save_figure(figure, stage / path.name)
