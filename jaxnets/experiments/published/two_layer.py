"""The losses that PyTorch prints for the course's two-layer program, from three seeds.

References:
  PyTorch 2.13 on a CPU, one thread; ``tests/fixtures/make_torch_two_layer.py`` made the file.
"""

import json
from importlib import resources

from jaxnets.experiments.published import Table

__all__ = ["two_layer_table"]


def two_layer_table(seed: int, run: str) -> Table | None:
    """The losses of one run, every tenth step, or None for a seed that is not in the file.

    Args:
      seed: 0, 1 or 777.
      run: ``"float32"``, ``"float64"``, or ``"nudged"``: float32 again, with every number that
        is drawn moved at random to a neighbouring float32 or left where it is.

    Example:
      >>> two_layer_table(777, "float32")["loss"][0]
      32406216.0
    """
    path = resources.files("jaxnets.experiments.published").joinpath("torch_two_layer.json")
    recorded = json.loads(path.read_text())
    runs = recorded["runs"].get(str(seed))
    return runs and {"step": recorded["step"], "loss": runs[run]}
