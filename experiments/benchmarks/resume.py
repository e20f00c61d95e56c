"""Kills runs again and again, and compares how they end with ones that nobody interrupted.

    python experiments/benchmarks/resume.py [--kills N] [--seed N]

`fit` trains a small network with dropout by Adam on shuffled mini-batches, with validation and
early stopping watched; `sweep` trains nine of them, in two batches of members. Each runs in a
process of its own, which gets SIGKILL, and another one takes up the run; and so on until there
were enough kills, half of them for each, when the run may end. About half of the kills hit a save:
those come as soon as an unfinished file is seen, the others at a random moment after a save. A
run that ends before there were enough is compared and another begun.

Exit code 0: every run ended bitwise equal to the uninterrupted one, which has no checkpoints at
all, and left nothing but whole checkpoints behind. 1: one did not. 2: the command line was wrong.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STEPS_PER_KILL = 100
"""Length of the run, so that it lasts about as long as the kills."""

LONGEST_LIFE = 0.4
"""Seconds from the first change among the checkpoints to the kill, at most."""

KEEP = 3

UNFINISHED = ".jaxnets-"
"""How the name of a file begins that is being written."""

ENDS = {
    "fit": ("params", "state", "history", "validation"),
    "sweep": (
        "params",
        "state",
        "history",
        "validation",
        "scores",
        "diverged_at",
        "stopped_at",
    ),
}
"""What must be equal in the end, by what trains."""


@dataclass(frozen=True)
class Config:
    """What to do.

    Attributes:
      kills: How often to kill.
      seed: Of the moments to kill at.
    """

    kills: int = 300
    seed: int = 0


@dataclass
class Tally:
    """What happened.

    Attributes:
      kills: Kills so far.
      kills_in_a_save: Those that left an unfinished file.
      runs: Runs that ended.
      equal: Those whose parameters, optimizer state and histories were bitwise equal.
      tidy: Those that left nothing but whole checkpoints.
      said: What the processes wrote to the console; nothing is expected.
    """

    kills: int = 0
    kills_in_a_save: int = 0
    runs: int = 0
    equal: int = 0
    tidy: int = 0
    said: str = ""

    @property
    def passed(self) -> bool:
        return self.runs == self.equal == self.tidy > 0 and not self.said


def train(kind: str, steps: int, output: Path, folder: Path | None) -> None:
    """The run: what it ends with is written to ``output``."""
    import jax

    import jaxnets as jn

    checkpoint = None if folder is None else jn.Checkpoint(folder, every_steps=23, keep=KEEP)
    result = {"fit": _fit, "sweep": _sweep}[kind](steps, checkpoint)
    ends = {name: _plain(result[name]) for name in ENDS[kind]}
    leaves = jax.tree_util.tree_leaves_with_path(ends)
    np.savez(output, **{jax.tree_util.keystr(path): _numbers(leaf) for path, leaf in leaves})


def _fit(steps: int, checkpoint: Any) -> dict[str, Any]:
    import jax
    import optax

    import jaxnets as jn

    return jn.fit(
        _net(),
        jn.losses.bce_with_logits,
        optax.adam(1e-3),
        _data(),
        key=jax.random.key(1),
        steps=steps,
        batch_size=16,
        record_every=5,
        validation=tuple(part[:30] for part in _data()),
        stop=jn.Stop(patience=steps),
        checkpoint=checkpoint,
    )._asdict()


def _sweep(steps: int, checkpoint: Any) -> dict[str, Any]:
    import jax
    import optax

    import jaxnets as jn

    net = _net()
    return jn.sweep(
        lambda learning_rate: (net, jn.losses.bce_with_logits, optax.adam(learning_rate)),
        _data(),
        keys=jax.random.split(jax.random.key(1), 3),
        hyperparameters={"learning_rate": [1e-4, 1e-3, 1e-2]},
        steps=steps,
        batch_size=16,
        record_every=5,
        validation=tuple(part[:30] for part in _data()),
        validate_every=70,
        batch_members=5,
        checkpoint=checkpoint,
    )._asdict()


def _net() -> Any:
    import jaxnets as jn

    return jn.sequential(jn.dense(8), jn.relu, jn.dropout(0.2), jn.dense(1))


def _data() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((100, 4), np.float32)
    return x, (x[:, :1] * x[:, 1:2] > 0).astype(np.float32)


def _plain(value: Any) -> Any:
    """A history as the dict that it is, which JAX takes apart."""
    return dict(value) if isinstance(value, dict) else value


def _numbers(leaf: Any) -> np.ndarray:
    """The leaf as NumPy has it; a PRNG key as the words that make it."""
    import jax

    is_key = hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf)


def run(kind: str, config: Config) -> Tally:
    """Kills, resumes and compares."""
    steps, moments, tally = STEPS_PER_KILL * config.kills, random.Random(config.seed), Tally()
    with tempfile.TemporaryDirectory() as scratch:
        expected = Path(scratch, "uninterrupted.npz")
        subprocess.run(_command(kind, steps, expected), check=True)
        while tally.kills < config.kills:
            folder, output = Path(scratch, str(tally.runs)), Path(scratch, f"{tally.runs}.npz")
            folder.mkdir()
            command = _command(kind, steps, output, folder)
            _kill_until_it_ends(config.kills, command, moments, tally)
            tally.runs += 1
            tally.equal += _equal(np.load(expected), np.load(output))
            tally.tidy += _tidy(folder)
    return tally


def _command(kind: str, steps: int, output: Path, folder: Path | None = None) -> list[str]:
    words = [sys.executable, "-W", "error", __file__, "--train", kind, str(steps), str(output)]
    return words if folder is None else [*words, str(folder)]


def _kill_until_it_ends(
    kills: int, command: list[str], moments: random.Random, tally: Tally
) -> None:
    """One run: killed and resumed until there were enough kills, or it ends before."""
    folder = Path(command[-1])
    ended = False
    while not ended:
        with tempfile.TemporaryFile() as console:
            process = subprocess.Popen(command, stdout=console, stderr=console)
            if tally.kills < kills:
                _wait(folder, process, moments, in_a_save=2 * tally.kills_in_a_save <= tally.kills)
                process.kill()
            ended = process.wait() >= 0
            console.seek(0)
            tally.said += console.read().decode()
        if process.returncode > 0:
            raise SystemExit(f"the run failed:\n{tally.said}")
        if not ended:
            tally.kills += 1
            tally.kills_in_a_save += bool(_unfinished(folder))


def _wait(
    folder: Path, process: "subprocess.Popen[bytes]", moments: random.Random, *, in_a_save: bool
) -> None:
    """Wait for the moment to kill at, or for the end of the process."""
    before = _seen(folder)
    leftovers = _unfinished(folder)
    while _seen(folder) == before and process.poll() is None:
        time.sleep(0.001)
    time.sleep(moments.uniform(0, LONGEST_LIFE))
    while in_a_save and process.poll() is None and not _unfinished(folder) - leftovers:
        pass


def _seen(folder: Path) -> set[Path]:
    """All that is in the folder."""
    return set(folder.rglob("*"))


def _unfinished(folder: Path) -> set[Path]:
    return {path for path in _seen(folder) if path.name.startswith(UNFINISHED)}


def _equal(expected: Any, found: Any) -> bool:
    """Whether both hold the same names, dtypes, shapes and bits."""
    if expected.files != found.files:
        return False
    pairs = [(expected[name], found[name]) for name in expected.files]
    return all((a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()) for a, b in pairs)


def _tidy(folder: Path) -> bool:
    """Whether there are checkpoints, no more than asked for in a folder, and nothing else."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    names = [re.fullmatch(r"step-\d{10}\.safetensors", path.name) for path in files]
    folders = [path.parent for path in files]
    return bool(files) and all(names) and all(folders.count(place) <= KEEP for place in folders)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=Config.kills, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=Config.seed, help="(%(default)s)")
    parser.add_argument("--train", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.train:
        kind, steps, output, *folder = asked.train
        train(kind, int(steps), Path(output), Path(*folder) if folder else None)
        return 0
    if asked.kills < 2:
        parser.error("--kills must be at least 2")
    halves = {"fit": asked.kills // 2, "sweep": asked.kills - asked.kills // 2}
    tallies = [_report(kind, Config(kills, asked.seed)) for kind, kills in halves.items()]
    return 0 if all(tally.passed for tally in tallies) else 1


def _report(kind: str, config: Config) -> Tally:
    """Run and print what happened."""
    started = time.perf_counter()
    tally = run(kind, config)
    print(f"{kind}")
    print(f"  kills                    {tally.kills}")
    print(f"    in the middle of a save  {tally.kills_in_a_save}")
    print(f"  runs that ended          {tally.runs}")
    print(f"    bitwise equal            {tally.equal}")
    print(f"    without orphan files     {tally.tidy}")
    print(f"  seconds                  {time.perf_counter() - started:.0f}")
    print(tally.said, end="", flush=True)
    return tally


if __name__ == "__main__":
    sys.exit(main())
