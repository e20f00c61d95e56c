"""What PyTorch draws, without PyTorch.

`TorchGenerator` is the stream of numbers after ``torch.manual_seed``; `torch_init` gives a model
the parameters that PyTorch's layers would have drawn from it. Published runs can be repeated
from their seed.
"""

from jaxnets.torch_compat.init import torch_init
from jaxnets.torch_compat.rng import TorchGenerator

__all__ = ["TorchGenerator", "torch_init"]


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__
