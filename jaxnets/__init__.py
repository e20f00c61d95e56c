"""jaxnets: small functional neural networks on JAX.

A model is a pair of pure functions, a training run is one compiled program, and every gradient
is proven against a formula derived by hand. A complete program::

    import jax, jaxnets as jn, optax

    x, y = jn.data.xor()
    net = jn.sequential(jn.dense(10), jn.sigmoid, jn.dense(1), jn.sigmoid)
    result = jn.fit(net, jn.losses.bce, optax.sgd(1.0), (x, y), key=jax.random.key(0), steps=10_001)
    print(net.apply(result.params, x))
"""

# Modules.
from jaxnets import data as data
from jaxnets import initializers as initializers
from jaxnets import losses as losses
from jaxnets import metrics as metrics
from jaxnets import torch_compat as torch_compat

# Activations.
from jaxnets.activations import *  # noqa: F403

# Models.
from jaxnets.combinators import *  # noqa: F403
from jaxnets.layers import *  # noqa: F403
from jaxnets.model import Model as Model
from jaxnets.precision import with_precision as with_precision
from jaxnets.summary import summary as summary

# Training.
from jaxnets.training import Checkpoint as Checkpoint
from jaxnets.training import Fit as Fit
from jaxnets.training import History as History
from jaxnets.training import Stop as Stop
from jaxnets.training import Sweep as Sweep
from jaxnets.training import TrainingDiverged as TrainingDiverged
from jaxnets.training import TrainState as TrainState
from jaxnets.training import fit as fit
from jaxnets.training import init_state as init_state
from jaxnets.training import load_params as load_params
from jaxnets.training import make_step as make_step
from jaxnets.training import save_params as save_params
from jaxnets.training import sweep as sweep

__version__ = "0.1.0"
