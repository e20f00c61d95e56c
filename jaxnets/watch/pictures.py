"""A run to look at while it goes: in TensorBoard, or as a picture that grows."""

from os import PathLike

from jaxnets.checks import check_positive
from jaxnets.errors import public
from jaxnets.files.whole import check_path, make_folder, tried
from jaxnets.plots.drawing import check_picture, save_figure
from jaxnets.plots.results import history_figure
from jaxnets.training import History, Look
from jaxnets.watch.files import writable_file
from jaxnets.watch.looks import Watcher, begins, joined, medians
from jaxnets.watch.pacing import paced

__all__ = ["MissingTensorboardExtraError", "plot", "tensorboard"]

FLUSH_SECONDS = 5
"""Seconds after which TensorBoard sees at the latest what was written."""


class MissingTensorboardExtraError(ImportError):
    """The package tensorboardX is not installed."""


@public
def plot(path: str | PathLike[str], *, every: float = 10.0) -> Watcher:
    """Draw `plots.history` of the run so far, again and again into one file.

    Args:
      path: The picture, in the format that its ending names; its folder must be there.
      every: Seconds between pictures, at least. The last look draws one in any case where the run
        makes all its steps.

    Returns:
      A watcher.

    Raises:
      ValueError: If the ending names no format, or ``every`` is not positive.
      ImportError: If matplotlib is not installed.
      OSError: If the folder cannot be written to.

    Example:
      >>> import optax, tempfile, pathlib
      >>> path, x = pathlib.Path(tempfile.mkdtemp()) / "run.png", jnp.ones((4, 1))
      >>> _ = jn.fit(
      ...     jn.dense(1), jn.losses.mse, optax.sgd(0.1), (x, x), key=jax.random.key(0), steps=3,
      ...     watch=jn.watch.plot(path),
      ... )
      >>> path.read_bytes()[1:4]
      b'PNG'
    """
    file = writable_file(path, example="run.png")
    check_picture(file)
    so_far: dict[str, History] = {}

    def draw(look: Look) -> None:
        if begins(look):
            so_far.clear()
        for name, part in (("training", look.history), ("validation", look.validation)):
            so_far[name] = joined(so_far.get(name, History({})), part)
        save_figure(history_figure(dict(so_far)), file)

    return paced(check_positive("every", every, example=10.0), draw)


@public
def tensorboard(folder: str | PathLike[str]) -> Watcher:
    """Write scalars for TensorBoard, under ``training/`` and ``validation/``, by step.

    Of a sweep they are the medians of the members that are finite. Needs the extra
    ``tensorboard``: ``pip install 'jaxnets[tensorboard]'``.

    Args:
      folder: Where to write; it is made if need be. Give each run one of its own.

    Returns:
      A watcher.

    Raises:
      ImportError: If tensorboardX is not installed.
      OSError: If the folder cannot be made or written to.

    Example:
      >>> watcher = jn.watch.tensorboard("runs/first")  # doctest: +SKIP
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise MissingTensorboardExtraError(
            "tensorboard: tensorboardX must be installed; got none. "
            "Install it with: pip install 'jaxnets[tensorboard]'"
        ) from error
    place = check_path("folder", folder, remedy='Pass "runs/first", for example.')
    rule = "name a folder that can be made and written to"
    tried(lambda: make_folder(place), "folder", rule, place)

    def open_writer() -> SummaryWriter:
        return SummaryWriter(str(place), flush_secs=FLUSH_SECONDS)

    writer = tried(open_writer, "folder", rule, place)

    def watch(look: Look) -> None:
        for part, columns in (("training", look.history), ("validation", look.validation)):
            for name, column in medians(columns).items():
                for step, value in zip(columns["step"], column, strict=True):
                    writer.add_scalar(f"{part}/{name}", float(value), int(step))

    return watch
