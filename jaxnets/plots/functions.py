"""What a trained model has learnt, beside the data."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnets.errors import ArgumentTypeError, describe, fail, public, require
from jaxnets.plots.curves import draw_curve, draw_map
from jaxnets.plots.drawing import draw_surface, new_figure
from jaxnets.training import Fit, Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["predictions", "surface"]

Learnt = Fit | Sweep | Callable[[Any], Any]
"""A result, or a function of inputs."""


@public
def surface(result: Learnt, data: tuple[Any, Any]) -> "Figure":
    """A probability over the plane of two inputs, its line at 0.5, and the labelled examples.

    Args:
      result: What `fit` returned, or any function ``x -> probability``, from ``[points, 2]`` to
        ``[points]`` or ``[points, 1]``. Of a sweep it is the mean of the members.
      data: Inputs ``[examples, 2]`` and labels 0 and 1, ``[examples]`` or ``[examples, 1]``.

    Returns:
      The figure.

    Raises:
      ValueError: If there are other than two inputs, or other outputs than one per point.
      TypeError: If ``result`` is no result and no function.
      ImportError: If matplotlib is not installed.

    Example:
      >>> x, y = jn.data.xor()
      >>> figure = jn.plots.surface(lambda x: jn.sigmoid(x[:, 0] - x[:, 1]), (x, y))
      >>> figure.axes[0].get_xlabel()
      '$x_1$'
    """
    x, y = (np.asarray(part) for part in data)
    two = x.ndim == 2 and x.shape[1] == 2
    require(two, "data", "have two inputs", str(x.shape), "Pass data=(x[:, :2], y), for example.")
    outputs = _function(result)

    def height(points: np.ndarray) -> np.ndarray:
        found = outputs(points)
        rule, remedy = "give one probability per point", "Pick a class with lambda x: f(x)[:, 0]."
        require(found.size == len(points), "result", rule, str(found.shape), remedy)
        return found.reshape(-1)

    figure, axes = new_figure(width=4.6, height=4.0)
    figure.colorbar(
        draw_surface(axes[0, 0], height, x, y.reshape(-1)), label="probability", shrink=0.8
    )
    return figure


@public
def predictions(result: Learnt, data: tuple[Any, Any]) -> "Figure":
    """Predictions beside the targets, in the form that suits them.

    For integer labels, how often each class was taken for each. For one input, the curve over it
    and the examples; of a sweep the median member in the band from the 10th to the 90th
    percentile. For several inputs, predictions against targets.

    Args:
      result: What `fit` or `sweep` returned, or any function of inputs.
      data: Inputs and targets ``(x, y)``.

    Returns:
      The figure.

    Raises:
      ValueError: If predictions and targets are of unequal size.
      TypeError: If ``result`` is no result and no function.
      ImportError: If matplotlib is not installed.

    Example:
      >>> x = jnp.linspace(-1, 1, 20)[:, None]
      >>> figure = jn.plots.predictions(lambda x: x**2, (x, x**2))
      >>> figure.axes[0].get_xlabel(), len(figure.axes[0].get_lines())
      ('x', 1)
    """
    x, y = (np.asarray(part) for part in data)
    if np.issubdtype(y.dtype, np.integer):
        return _confusion(_function(result)(x), y)
    if x[0].size == 1:
        return _curve(result, x, y)
    found = _function(result)(x)
    remedy = "Pass the targets that the model was trained for."
    require(found.size == y.size, "data", f"have {found.size} targets", str(y.shape), remedy)
    figure, axes = new_figure(width=4.2, height=4.0)
    ax, ends = axes[0, 0], [min(y.min(), found.min()), max(y.max(), found.max())]
    ax.plot(ends, ends, color="#7a7a7a", linestyle="--", linewidth=1.0)
    ax.scatter(y.ravel(), found.ravel(), s=12, facecolors="none", edgecolors="black")
    ax.set(xlabel="target", ylabel="prediction", aspect="equal")
    return figure


def _function(result: Any) -> Callable[[Any], np.ndarray]:
    """The outputs as NumPy's, of a sweep the mean of its members."""
    if isinstance(result, Sweep):
        return lambda x: np.asarray(result.predict(x)).mean(0)
    function = result.predict if isinstance(result, Fit) else result
    if not callable(function):
        rule, remedy = "be a result or a function of inputs", "Pass what jn.fit returned."
        fail("result", rule, describe(result), remedy, error=ArgumentTypeError)
    return lambda x: np.asarray(function(x))


def _curve(result: Any, x: np.ndarray, y: np.ndarray) -> "Figure":
    """The curve over one input, and the examples."""
    figure, axes = new_figure(width=5.5, height=3.8)
    line = np.linspace(x.min(), x.max(), 300, dtype=x.dtype)
    points = line.reshape(-1, *x.shape[1:])
    many = isinstance(result, Sweep)
    found = np.asarray(result.predict(points) if many else _function(result)(points))
    axes[0, 0].scatter(x.ravel(), y.reshape(len(x), -1)[:, 0], s=10, color="#7a7a7a", label="data")
    outputs = found.reshape(*found.shape[: 1 + many], -1)
    for number in range(outputs.shape[-1]):
        label = "prediction" if outputs.shape[-1] == 1 else f"output {number}"
        draw_curve(axes[0, 0], line, outputs[..., number], label, number)
    axes[0, 0].set(xlabel="x", ylabel="y")
    axes[0, 0].legend(frameon=False)
    return figure


def _confusion(scores: np.ndarray, labels: np.ndarray) -> "Figure":
    """How often each class was taken for each: the diagonal is right."""
    rule, remedy = (
        f"give scores {(*labels.shape, 'classes')}",
        "Pass a model of one output per class.",
    )
    require(scores.shape[:-1] == labels.shape, "result", rule, str(scores.shape), remedy)
    classes = scores.shape[-1]
    cells = np.zeros((classes, classes), int)
    np.add.at(cells, (labels.ravel(), scores.argmax(-1).ravel()), 1)
    figure, axes = new_figure(width=1.5 + 0.45 * classes, height=1.2 + 0.4 * classes)
    draw_map(axes[0, 0], cells, range(classes), range(classes), shown="{:d}", colours="Greys")
    right = np.trace(cells) / cells.sum()
    axes[0, 0].set(xlabel="predicted class", ylabel="true class", title=f"{right:.1%} right")
    return figure
