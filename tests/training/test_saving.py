"""Runs that are interrupted and resumed end as the ones that are not, bit for bit."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from jaxnets.files.checkpoint import CheckpointStore

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((20, 3), np.float32)
Y = (X[:, :1] > 0).astype(np.float32)

NET = jn.sequential(jn.dense(4), jn.relu, jn.dropout(0.5), jn.dense(1))
ADAM = optax.adam(0.01)
KEY = jax.random.key(3)


def train(folder: Path | None = None, **options: Any) -> jn.Fit:
    """A run; what it is to be saved by comes with ``folder``."""
    arguments: dict[str, Any] = {
        "model": NET,
        "loss": jn.losses.bce_with_logits,
        "optimizer": ADAM,
        "data": (X, Y),
        "key": KEY,
        "checkpoint": None if folder is None else jn.Checkpoint(folder, every_steps=7),
    }
    return jn.fit(**{**arguments, **options})


def assert_same_end(found: jn.Fit, expected: jn.Fit) -> None:
    """Equal in all but the time they took."""
    found, expected = found._replace(seconds={}), expected._replace(seconds={})
    for name in ("history", "validation"):
        assert dict(getattr(found, name)).keys() == dict(getattr(expected, name)).keys()
        for column, values in dict(getattr(expected, name)).items():
            np.testing.assert_array_equal(getattr(found, name)[column], values, strict=True)
    for name in ("params", "opt_state", "state"):
        leaves = [jax.tree.leaves(getattr(end, name)) for end in (found, expected)]
        for leaf, other in zip(*leaves, strict=True):
            assert leaf.dtype == other.dtype
            assert bits(leaf) == bits(other)
    assert found.status == expected.status


def bits(leaf: jax.Array) -> bytes:
    is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf).tobytes()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"record_every": 4}, id="whole batches", marks=pytest.mark.slow),
        pytest.param(
            {
                "batch_size": 6,
                "record_every": 3,
                "record_gradient_norm": True,
                "validation": (X, Y),
                "stop": jn.Stop(patience=100),
            },
            id="validation",
        ),
        pytest.param(
            {
                "batch_size": 8,
                "drop_last": True,
                "optimizer": optax.MultiSteps(
                    optax.chain(
                        optax.clip_by_global_norm(0.1),
                        ADAM,
                        optax.transforms.freeze(jn.mask(lambda path: path == "0/b")),
                    ),
                    3,
                ).gradient_transformation(),
                "key": jax.random.PRNGKey(3),
            },
            id="wrapped optimizer",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_run_in_pieces_is_the_run_in_one(tmp_path: Path, options: dict[str, Any]) -> None:
    expected = train(steps=60, **options)
    for steps in (5, 29, 60):
        found = train(tmp_path, steps=steps, **options)
    assert_same_end(found, expected)


@pytest.mark.slow
def test_in_double_precision(tmp_path: Path, x64: None) -> None:
    data = (X.astype(np.float64), Y.astype(np.float64))
    train(tmp_path, steps=10, data=data, batch_size=6)
    found = train(tmp_path, steps=30, data=data, batch_size=6)
    assert found.params["0"]["w"].dtype == np.float64
    assert_same_end(found, train(steps=30, data=data, batch_size=6))


def test_a_run_that_has_ended_early_stays_ended(tmp_path: Path) -> None:
    options = {"steps": 200, "batch_size": 5, "validation": (X, Y), "stop": jn.Stop(patience=2)}
    options["optimizer"] = optax.sgd(30.0)  # so coarse that it does not get better for long
    expected = train(**options)
    assert expected.status == "patience"
    assert_same_end(train(tmp_path, **options), expected)
    assert_same_end(train(tmp_path, **options), expected)


def test_resuming_compiles_nothing_new(tmp_path: Path) -> None:
    traces = []

    def apply(params: jn.model.Params, x: jax.Array, *, key: jax.Array | None = None) -> jax.Array:
        traces.append(x.shape)
        return NET.apply(params, x, key=key)

    model = jn.Model(NET.init, apply)
    train(tmp_path, model=model, steps=10)
    assert traces
    traces.clear()
    train(tmp_path, model=model, steps=20)
    assert not traces


def test_a_run_that_diverges_does_so_again(tmp_path: Path) -> None:
    def explosive(predictions: jax.Array, targets: jax.Array) -> jax.Array:
        return -jax.numpy.exp(predictions - targets).mean()

    options = {"loss": explosive, "optimizer": optax.sgd(1.0), "steps": 100}
    errors = []
    for folder in (None, tmp_path, tmp_path):
        with pytest.raises(jn.TrainingDiverged, match=r"step \d+") as caught:
            train(folder, **options)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1]) == str(errors[2])
    assert_same_end(errors[2].result, errors[0].result)


def test_saves_by_the_clock(tmp_path: Path) -> None:
    often = jn.Checkpoint(tmp_path, every_seconds=1e-9, keep=1000)
    train(steps=10_000, batch_size=6, checkpoint=often)
    steps = [int(path.stem.removeprefix("step-")) for path in sorted(tmp_path.glob("step-*"))]
    assert steps[0] < 10_000
    assert steps[-1] == 10_000


def test_a_damaged_checkpoint_is_made_up_for(tmp_path: Path) -> None:
    train(tmp_path, steps=20, batch_size=6)
    file = tmp_path / "step-0000000020.safetensors"
    file.write_bytes(file.read_bytes() + b" ")
    message = r"step-0000000020\.safetensors is damaged .+ on from step-0000000014\.safetensors"
    with pytest.warns(UserWarning, match=message):
        found = train(tmp_path, steps=30, batch_size=6)
    assert_same_end(found, train(steps=30, batch_size=6))


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (
            {"model": jn.sequential(jn.dense(5), jn.relu, jn.dropout(0.5), jn.dense(1))},
            r"params/0/w: float32\[3,4\] saved, float32\[3,5\] here",
        ),
        ({"optimizer": optax.sgd(0.1)}, r"opt_state/0/mu/0/w: float32\[3,4\] saved, nothing here"),
        ({"data": (X + 1, Y)}, r"data/x: float32\[20,3\] .*saved, float32\[20,3\] .*here"),
        ({"key": jax.random.key(4)}, r"key: .*3 saved, .*4 here"),
    ],
    ids=["model", "optimizer", "data", "key"],
)
def test_another_run_is_refused(saved_run: Path, options: dict[str, Any], difference: str) -> None:
    with pytest.raises(ValueError, match=rf"^fit: checkpoint must be of this .+{difference}"):
        train(saved_run, **{"steps": 5, **options})


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"params": NET.init(jax.random.key(9), X)}, r"start/0/b: nothing saved, .* here"),
        ({"validation": (X, Y)}, r"evaluated every: 0 saved, 1 here"),
    ],
    ids=["params", "validation"],
)
def test_a_run_that_starts_or_is_judged_otherwise_is_refused(
    saved_run: Path, options: dict[str, Any], difference: str
) -> None:
    with pytest.raises(ValueError, match=rf"^fit: checkpoint must be of this .+{difference}"):
        train(saved_run, **{"steps": 5, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"loss": jn.losses.mse},
        pytest.param({"optimizer": optax.adam(0.02)}, marks=pytest.mark.slow),
        pytest.param(
            {"model": jn.sequential(jn.dense(4), jn.tanh, jn.dropout(0.5), jn.dense(1))},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["loss", "learning rate", "activation"],
)
def test_another_computation_on_the_same_arrays_is_said(
    saved_run: Path, options: dict[str, Any]
) -> None:
    with pytest.warns(UserWarning, match="was saved by another program"):
        train(saved_run, **{"steps": 5, **options})


def test_parameters_that_share_a_path_are_refused(tmp_path: Path) -> None:
    def init(key: jax.Array, x: jax.Array) -> jn.model.Params:
        return {"a/b": jax.numpy.zeros((3, 1)), "a": {"b": jax.numpy.zeros((3, 1))}}

    twice = jn.Model(init, lambda params, x, *, key=None: x @ (params["a/b"] + params["a"]["b"]))
    message = (
        "fit: checkpoint must be of a model whose parameters have a path each; got two parameters "
        "at one path. Use names without a slash."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        train(tmp_path, model=twice, steps=1)
    train(model=twice, steps=1)


@pytest.fixture(scope="module")
def saved_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(folder, steps=5)
    return folder


def test_a_run_that_is_further_than_asked_for(saved_run: Path) -> None:
    message = (
        "fit: checkpoint must be of a run that has made at most the 3 steps asked for; "
        "got one after 5. Pass steps=5 or more, or another directory."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        train(saved_run, steps=3)
    assert int(train(saved_run, steps=5).state.step) == 5  # the advice


@pytest.mark.slow
def test_five_kills() -> None:
    script = Path(__file__).parents[2] / "experiments" / "benchmarks" / "resume.py"
    done = subprocess.run(
        [sys.executable, str(script), "--kills", "5"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kills = re.findall(r"^ *kills +(\d+)$", done.stdout, re.MULTILINE)
    assert sum(map(int, kills)) == 5, done.stdout


def test_constants_of_another_value_are_said(tmp_path: Path) -> None:
    def weighted(weights: np.ndarray) -> Any:
        return lambda p, y: jn.losses.bce_with_logits(p, y, weights=weights)

    train(tmp_path, steps=5, loss=weighted(np.linspace(0, 1, 20)))
    train(tmp_path, steps=6, loss=weighted(np.linspace(0, 1, 20)))
    with pytest.warns(UserWarning, match="was saved by another program"):
        train(tmp_path, steps=7, loss=weighted(np.linspace(0, 2, 20)))


ACCURACY = {"accuracy": lambda p, y: ((p > 0) == (y > 0.5)).mean()}
JUDGED: dict[str, Any] = {"validation": (X, Y), "metrics": ACCURACY}


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (None, jn.Stop(patience=5), "watched: nothing saved, min of loss here"),
        (
            jn.Stop("accuracy", "max", patience=5),
            jn.Stop(patience=5),
            "watched: max of accuracy saved, min of loss here",
        ),
    ],
    ids=["none before", "another"],
)
def test_what_was_best_by_another_measure_is_not_gone_on_with(
    tmp_path: Path, before: Any, after: Any, difference: str
) -> None:
    train(tmp_path, steps=3, stop=before, **JUDGED)
    with pytest.raises(ValueError, match=rf"^fit: checkpoint must be of this .+{difference}"):
        train(tmp_path, steps=5, stop=after, **JUDGED)


@pytest.mark.slow
def test_a_rate_in_the_state_of_the_optimizer_is_said(tmp_path: Path) -> None:
    injected = optax.inject_hyperparams(optax.sgd)
    train(tmp_path, steps=3, optimizer=injected(0.1))
    train(tmp_path, steps=4, optimizer=injected(0.1))
    with pytest.warns(UserWarning, match="was saved by another program"):
        train(tmp_path, steps=5, optimizer=injected(0.2))


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with CheckpointStore(jn.Checkpoint(tmp_path)):
        message = (
            f"fit: checkpoint must be a folder that no other run is using; got {tmp_path}, in use. "
            "Pass another directory."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            train(tmp_path, steps=1)
    train(tmp_path, steps=1)


def test_saves_by_the_clock_do_not_wait_for_a_record(tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 10**9, "record_every": 10**9}
    clock = jn.Checkpoint(tmp_path, every_seconds=0.2)
    result = train(checkpoint=clock, stop=jn.Stop(seconds=1.0), **options)
    assert result.status == "seconds"
    assert result.seconds["run"] < 10
    assert len(list(tmp_path.glob("step-*"))) > 1


XOR = jn.data.xor()
KEYS = jax.random.split(jax.random.key(0), 5)
TANH = jn.mlp([3, 1], jn.tanh, output_activation=jn.sigmoid)


@pytest.mark.slow
@pytest.mark.parametrize("batch_members", [2, None])
def test_an_interrupted_sweep_goes_on_bit_for_bit(tmp_path, batch_members):
    def train(steps, checkpoint):
        return jn.sweep(
            lambda learning_rate: (TANH, jn.losses.bce, optax.adam(learning_rate)),
            XOR,
            keys=KEYS[:3],
            hyperparameters={"learning_rate": [0.01]},
            steps=steps,
            batch_size=3,
            validation=XOR,
            stop=jn.Stop(patience=1000),
            record_every=2,
            batch_members=batch_members,
            checkpoint=checkpoint,
        )

    folder = jn.Checkpoint(tmp_path / "sweep", every_steps=10)
    train(14, folder)
    resumed, whole = train(40, folder), train(40, None)
    for of in (lambda sweep: sweep.params, lambda sweep: sweep.state.opt_state):
        jax.tree.map(np.testing.assert_array_equal, of(resumed), of(whole))
    for name in ("history", "validation", "scores"):
        for column, values in getattr(whole, name).items():
            np.testing.assert_array_equal(getattr(resumed, name)[column], values)
    for name in ("status", "diverged_at", "stopped_at"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))


def test_a_checkpoint_of_other_members_is_refused(tmp_path):
    def train(rate):
        jn.sweep(
            lambda learning_rate: (TANH, jn.losses.bce, optax.sgd(learning_rate)),
            XOR,
            keys=KEYS,
            hyperparameters={"learning_rate": [rate]},
            steps=2,
            checkpoint=jn.Checkpoint(tmp_path),
        )

    train(0.1)
    message = r"sweep: checkpoint must be of this model.*learning_rate: 0\.1,.* saved, 0\.2,.* here"
    with pytest.raises(ValueError, match=message):
        train(0.2)


@pytest.mark.parametrize("name", ["keys", pytest.param("start", marks=pytest.mark.slow)])
def test_a_hyperparameter_of_any_name_leaves_the_identity_whole(tmp_path, name):
    parts = {"net": jn.dense(1), "loss": jn.losses.mse, "sgd": optax.sgd}

    def train(keys):
        return jn.sweep(
            eval(f"lambda {name}: (net, loss, sgd({name}))", parts),
            XOR,
            keys=keys,
            hyperparameters={name: [0.1, 0.2]},
            params=jax.vmap(lambda key: jn.dense(1).init(key, XOR[0]))(keys),
            steps=3,
            checkpoint=jn.Checkpoint(tmp_path),
        )

    train(KEYS[:2])
    with pytest.raises(ValueError, match=r"^sweep: checkpoint must be of this .* keys: .* start/w"):
        train(KEYS[2:4])
