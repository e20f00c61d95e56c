"""A table of what a model is made of, found without computing anything."""

import math
from typing import Any, NamedTuple

import jax

from jaxnets.checks import describe
from jaxnets.children import Part, kind_of, recorded_parts
from jaxnets.model import Layer, as_model

__all__ = ["Row", "Summary", "summary"]


class Row(NamedTuple):
    """One layer of a `Summary`.

    Attributes:
      layer: Its path, the names of the layers around it and its own, such as ``"2/0"``.
      kind: The factory or function that made it.
      output: Its output as a ``jax.ShapeDtypeStruct``, or a pytree of them.
      parameters: The number of its parameters, those of layers within it included.
      bytes: The memory that they take.
    """

    layer: str
    kind: str
    output: Any
    parameters: int
    bytes: int


class Summary(NamedTuple):
    """What a model is made of; ``print`` shows it as a table.

    Attributes:
      rows: The layers, each before the layers within it.
      total: The model as a whole, its name being ``"total"``.
    """

    rows: tuple[Row, ...]
    total: Row

    def __str__(self) -> str:
        header = ("layer", "kind", "output", "parameters", "bytes")
        body = [_cells(row) for row in self.rows]
        lines = [header, *body, _cells(self.total)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        header_line, *body_lines, total_line = [_aligned(line, widths) for line in lines]
        return "\n".join([header_line, rule, *body_lines, *([rule] if body else []), total_line])


def summary(model: Layer, x: Any) -> Summary:
    """The layers of a model with their outputs and the size of their parameters.

    The model is only traced, on abstract values: nothing is computed and no memory is taken,
    however large it is. Layers are those of the library's combinators, wherever they stand; a
    Model of the user's own is one row, with the combinators that its ``init`` uses inside it.

    Args:
      model: A Model or function.
      x: An example input, or a ``jax.ShapeDtypeStruct``.

    Returns:
      A `Summary`. A layer with layers inside counts theirs too, so the parameters of the
      outermost rows, not of all rows, add up to the total.

    Raises:
      ValueError: If x does not fit the model.
      TypeError: If ``model`` is neither a Model nor callable, or x is of a wrong dtype.

    Example:
      >>> import jaxnets as jn
      >>> net = jn.sequential(jn.dense(10), jn.sigmoid, jn.dense(1))
      >>> print(summary(net, jax.ShapeDtypeStruct((4, 2), "float32")))
      layer  kind        output         parameters  bytes
      ---------------------------------------------------
      0      dense       float32[4,10]          30    120
      1      sigmoid     float32[4,10]           0      0
      2      dense       float32[4,1]           11     44
      ---------------------------------------------------
      total  sequential  float32[4,1]           41    164
    """
    whole = as_model("summary", model, argument="model")
    key = jax.eval_shape(lambda: jax.random.key(0))

    def trace(key: Any, x: Any) -> tuple[Any, Any]:
        params = whole.init(key, x)
        return params, whole.apply(params, x)

    # Without jit, for what is traced already is not called again, and would not be seen.
    with jax.disable_jit(), recorded_parts() as parts:
        params, output = jax.eval_shape(trace, key, x)
    total = _row("total", kind_of(model), output, params)
    return Summary(tuple(_rows(parts, "")), total)


def _rows(parts: list[Part], prefix: str) -> list[Row]:
    """A row for each part, followed by those of its own parts."""
    rows = []
    for part in parts:
        name = prefix + part.name
        rows.append(_row(name, part.kind, part.output, part.params))
        rows += _rows(part.parts, f"{name}/")
    return rows


def _row(layer: str, kind: str, output: Any, params: Any) -> Row:
    leaves = jax.tree.leaves(params)
    sizes = [math.prod(leaf.shape) for leaf in leaves]
    memory = [size * leaf.dtype.itemsize for size, leaf in zip(sizes, leaves, strict=True)]
    return Row(layer, kind, output, sum(sizes), sum(memory))


def _cells(row: Row) -> tuple[str, ...]:
    output = ", ".join(describe(leaf) for leaf in jax.tree.leaves(row.output))
    return (row.layer, row.kind, output, f"{row.parameters:,}", f"{row.bytes:,}")


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """Texts to the left, numbers to the right."""
    texts = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*texts, *numbers])
