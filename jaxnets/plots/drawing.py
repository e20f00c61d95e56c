"""Drawing: what all pictures share, on matplotlib, which is imported inside.

Figures are made without ``pyplot``, so that no backend is chosen and no global state changed.
Lines differ by dash and marker as well as by shade, so that they can be told apart in greyscale.
"""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jaxnets.errors import named, require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DASHES",
    "MissingPlotExtraError",
    "check_picture",
    "draw_surface",
    "line_style",
    "new_figure",
    "require_matplotlib",
    "save_figure",
]

SHADES = ("#000000", "#c1440e", "#3b6ea5", "#7a7a7a", "#2e8b57", "#8e5ea2")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKERS = ("", "o", "s", "^", "D", "x")

_MARGIN = 0.5
"""How far around its points a surface is drawn."""


class MissingPlotExtraError(ImportError):
    """Matplotlib is not installed."""


def require_matplotlib() -> None:
    """Raise a clear error unless matplotlib can be imported.

    Raises:
      MissingPlotExtraError: With the command that installs it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingPlotExtraError(
            "plots: matplotlib must be installed; got none. "
            "Install it with: pip install 'jaxnets[plot]'"
        ) from error


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 6.0, height: float = 4.0
) -> tuple["Figure", Any]:
    """A figure of panels.

    Args:
      rows: Rows of panels.
      columns: Columns of panels.
      width: Of one panel, in inches.
      height: Of one panel, in inches.

    Returns:
      The figure and its axes, always a two-dimensional array of them.

    Raises:
      MissingPlotExtraError: If matplotlib is not installed.

    Example:
      >>> figure, axes = new_figure(1, 2)
      >>> axes.shape
      (1, 2)
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
    return figure, axes


def line_style(index: int) -> dict[str, Any]:
    """Keyword arguments of the line number ``index``, distinct without colour.

    Example:
      >>> line_style(0)["linestyle"] != line_style(1)["linestyle"]
      True
    """
    return {
        "color": SHADES[index % len(SHADES)],
        "linestyle": DASHES[index % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markevery": 0.1,
        "markersize": 4,
        "linewidth": 1.4,
    }


def draw_surface(
    ax: Any,
    predict: Callable[[npt.NDArray[Any]], Any],
    points: npt.ArrayLike,
    targets: npt.ArrayLike,
) -> Any:
    """Draw a probability over the plane in greys, its line at 0.5, and labelled points.

    Args:
      ax: The axes to draw on.
      predict: ``predict(x) -> probability``, from ``[points, 2]`` to ``[points]``.
      points: The points to mark, ``[points, 2]``.
      targets: Their labels, ``[points]``: black for 1, white for 0.

    Returns:
      The bands, for a colour bar: white is 0 and grey is 1.

    Example:
      >>> figure, axes = new_figure()
      >>> bands = draw_surface(axes[0, 0], lambda x: x[:, 0], np.eye(2), np.array([1, 0]))
      >>> bands.levels.size
      11
    """
    points, targets = np.asarray(points), np.asarray(targets)
    low, high = points.min(axis=0) - _MARGIN, points.max(axis=0) + _MARGIN
    dtype = np.result_type(points, np.float32)
    first, second = (np.linspace(low[i], high[i], 101, dtype=dtype) for i in (0, 1))
    grid = np.stack(np.meshgrid(first, second), axis=-1)
    height = np.asarray(predict(grid.reshape(-1, 2))).reshape(grid.shape[:2])
    bands = ax.contourf(first, second, height, levels=np.linspace(0, 1, 11), cmap=_pale_greys())
    if height.min() < 0.5 < height.max():
        ax.contour(first, second, height, levels=[0.5], colors="black", linewidths=1.4)
    shades = np.where(targets > 0.5, "black", "white")
    ax.scatter(*points.T, c=shades, edgecolors="black", s=50, zorder=3)
    ax.grid(visible=False)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    return bands


def _pale_greys() -> Any:
    """White to a middle grey, on which black still stands out."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("pale greys", ["#ffffff", "#808080"])


def check_picture(path: Path) -> None:
    """Raise unless the ending of a path names a format of pictures."""
    require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    formats = FigureCanvasBase.get_supported_filetypes()
    rule, remedy = "end in a picture format such as .png or .svg", path.with_suffix(".png")
    known = path.suffix.removeprefix(".").lower() in formats
    require(known, "path", rule, str(path), f"Pass {remedy}.")


@named("plots")
def save_figure(figure: "Figure", path: str | PathLike[str]) -> Path:
    """Write a figure, in the format that the ending of ``path`` names.

    Raises:
      ValueError: If the ending names no format.
    """
    path = Path(path)
    check_picture(path)
    figure.savefig(path, dpi=120)
    return path
