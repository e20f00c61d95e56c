"""Training: steps, compiled runs and what they record."""

from jaxnets.training.checkpoint import Checkpoint
from jaxnets.training.divergence import TrainingDiverged
from jaxnets.training.evaluation import Stop
from jaxnets.training.fit import Fit, fit
from jaxnets.training.history import History
from jaxnets.training.params_file import load_params, save_params
from jaxnets.training.step import TrainState, init_state, make_step
from jaxnets.training.sweep import sweep
from jaxnets.training.sweep_result import Sweep

__all__ = [
    "Checkpoint",
    "Fit",
    "History",
    "Stop",
    "Sweep",
    "TrainState",
    "TrainingDiverged",
    "fit",
    "init_state",
    "load_params",
    "make_step",
    "save_params",
    "sweep",
]
