"""A table of what a model is made of, found without computing anything."""

import html
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from jaxnets.checks import check_numbers
from jaxnets.children import kind_of
from jaxnets.errors import describe, public
from jaxnets.making import Made, Part, made_by, traced
from jaxnets.model import Example, Layer, as_model

__all__ = ["Row", "Summary", "summary"]


_HEADER = ("layer", "kind", "output", "parameters", "bytes")


class Row(NamedTuple):
    """One layer of a `Summary`.

    Attributes:
      layer: Its path, the names of the layers around it and its own, such as ``"2/0"``.
      kind: The function that made it; ``Model`` for a pair of functions.
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
    """The layers of a model; its text is a table.

    Attributes:
      rows: The layers, each before the layers within it.
      total: The model as a whole, its name being ``"total"``.
    """

    rows: tuple[Row, ...]
    total: Row

    def __repr__(self) -> str:
        """The table as text."""
        lines = [_HEADER, *map(_cells, self.rows), _cells(self.total)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        header, *body, total = [_aligned(line, widths) for line in lines]
        return "\n".join([header, rule, *body, *([rule] if body else []), total])

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        rows = [_HEADER, *map(_cells, self.rows), _cells(self.total)]
        lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
        return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


@public
def summary(model: Layer, x: Example) -> Summary:
    """The layers of a model with their outputs and the size of their parameters.

    The model is only traced, on abstract values: nothing is computed and no memory is taken,
    however large it is. Layers are those of the library's combinators, wherever they stand in one
    another; any other Model is one row, whatever it holds.

    Args:
      model: A Model or function.
      x: An example input, or a ``jax.ShapeDtypeStruct``.

    Returns:
      A `Summary`. A layer with layers inside counts theirs too, so the parameters of the
      outermost rows, not of all rows, add up to the total.

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
    whole = as_model(model, "model")
    check_numbers("x", x)
    key = jax.eval_shape(lambda: jax.random.key(0))
    found: list[Summary] = []

    def trace(key: jax.Array, x: Example) -> None:
        made = traced(whole, made_by(whole, key, x), x)
        total = _row("total", kind_of(model), made)
        found.append(Summary(tuple(_rows(made.parts, "")), total))

    jax.eval_shape(trace, key, x)
    return found[0]


def _rows(parts: tuple[Part, ...], prefix: str) -> Iterator[Row]:
    """A row for each part, followed by those of its own parts."""
    for part in parts:
        name = prefix + part.name
        yield _row(name, part.kind, part.made)
        yield from _rows(part.made.parts, f"{name}/")


def _row(layer: str, kind: str, made: Made) -> Row:
    leaves = jax.tree.leaves(made.params)
    sizes = [math.prod(leaf.shape) for leaf in leaves]
    memory = [size * leaf.dtype.itemsize for size, leaf in zip(sizes, leaves, strict=True)]
    return Row(layer, kind, made.output, sum(sizes), sum(memory))


def _cells(row: Row) -> tuple[str, ...]:
    output = ", ".join(describe(leaf) for leaf in jax.tree.leaves(row.output))
    return (row.layer, row.kind, output, f"{row.parameters:,}", f"{row.bytes:,}")


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """Texts to the left, numbers to the right."""
    texts = [cell.ljust(width) for cell, width in zip(cells[:3], widths[:3], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join([*texts, *numbers])
