"""The verdict: what errors pass, and the report of those found."""

from typing import NamedTuple

from jaxnets.parity.leaves import LeafError

__all__ = ["TOLERANCES", "Comparison", "Report"]

TOLERANCES = {
    "autodiff float64": 1e-12,
    "autodiff float32": 1e-5,
    "central differences": 1e-7,
    "PyTorch": 1e-12,
}
"""The largest relative error that passes, by what the hand formula is compared with.

Float64 has 16 digits and float32 has 7, of which a chain of operations loses a few; central
differences in float64 keep 10 at best.
"""


class Comparison(NamedTuple):
    """A hand formula against one reference.

    Attributes:
      reference: What it is compared with, a key of `TOLERANCES`.
      leaves: The errors of all leaves, at least one.
    """

    reference: str
    leaves: tuple[LeafError, ...]

    @property
    def worst(self) -> LeafError:
        """The leaf with the largest relative error."""
        return max(self.leaves, key=lambda leaf: leaf.relative)

    @property
    def ok(self) -> bool:
        """Whether every leaf is within the tolerance."""
        return self.worst.relative <= TOLERANCES[self.reference]

    def __str__(self) -> str:
        """The errors of every leaf, one a line."""
        width = max(len(leaf.leaf) for leaf in self.leaves)
        lines = [f"{self.reference} (tolerance {TOLERANCES[self.reference]:.0e} relative)"]
        for leaf in self.leaves:
            sizes = f"{leaf.absolute:.1e} absolute  {leaf.relative:.1e} relative"
            place = f"at {leaf.where}: {leaf.by_hand}, reference {leaf.reference}"
            lines.append(f"  {leaf.leaf:{width}}  {sizes}  {place}")
        return "\n".join(lines)


class Report(NamedTuple):
    """All comparisons of one function. ``print(report)`` shows them as a table.

    Attributes:
      name: The function.
      comparisons: One for each reference.
    """

    name: str
    comparisons: tuple[Comparison, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is within its tolerance."""
        return all(comparison.ok for comparison in self.comparisons)

    def __str__(self) -> str:
        """The verdict and all comparisons."""
        parts = [f"{self.name}: {'ok' if self.ok else 'WRONG'}", *map(str, self.comparisons)]
        return "\n".join(parts).replace("\n", "\n  ")
