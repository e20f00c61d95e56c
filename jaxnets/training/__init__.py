"""Training: steps, compiled runs and what they record."""

from jaxnets.files.checkpoint import Checkpoint
from jaxnets.files.params_file import load_params, save_params
from jaxnets.training.evaluation import Stop
from jaxnets.training.failures import TrainingDiverged, TrainingInterrupted
from jaxnets.training.fit import fit
from jaxnets.training.history import History
from jaxnets.training.host import Look
from jaxnets.training.masks import mask
from jaxnets.training.objective import Objective, Supervised, objective
from jaxnets.training.results import Fit, Sweep
from jaxnets.training.step import TrainState, init_state, make_step
from jaxnets.training.sweep import sweep
from jaxnets.training.trial import Trial

__all__ = [
    "Checkpoint",
    "Fit",
    "History",
    "Look",
    "Objective",
    "Stop",
    "Supervised",
    "Sweep",
    "TrainState",
    "TrainingDiverged",
    "TrainingInterrupted",
    "Trial",
    "fit",
    "init_state",
    "load_params",
    "make_step",
    "mask",
    "objective",
    "save_params",
    "sweep",
]
