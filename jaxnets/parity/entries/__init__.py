"""Entries of the parity table, one for each function of the library."""

from jaxnets.parity.entries.activations import activation_entries
from jaxnets.parity.entries.entry import Case, Entry, by_hand, entry_references
from jaxnets.parity.entries.layers import combinator_entries, layer_entries
from jaxnets.parity.entries.losses import loss_entries
from jaxnets.parity.entries.networks import network_entries

__all__ = ["Case", "Entry", "by_hand", "entries", "entry_references"]


def entries() -> dict[str, Entry]:
    """Every entry by name."""
    functions = [*activation_entries(), *loss_entries(), *layer_entries()]
    found = [*functions, *combinator_entries(), *network_entries()]
    return {entry.name: entry for entry in found}
