"""Kills a run again and again, and compares how it ends with one that nobody interrupted.

    python experiments/benchmarks/resume.py [--kills N] [--seed N]

A small network with dropout is trained by Adam on shuffled mini-batches, with validation and
early stopping watched, in a process of its own. That process gets SIGKILL at a random moment
after it has touched the checkpoints, and another one takes up the run; and so on until there were
enough kills, when the run may end. Most kills hit a save, as saves fill most of the time here. A
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

import numpy as np

STEPS_PER_KILL = 100
"""Length of the run, so that it lasts about as long as the kills."""

LONGEST_LIFE = 0.4
"""Seconds from the first change among the checkpoints to the kill, at most."""

KEEP = 3


@dataclass(frozen=True)
class Config:
    """What to do.

    Attributes:
      kills: How often to kill.
      seed: Of the moments to kill at.
    """

    kills: int = 100
    seed: int = 0


@dataclass
class Tally:
    """What happened.

    Attributes:
      kills: Kills so far.
      kills_in_a_save: Those that left an unfinished checkpoint.
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


def train(steps: int, output: Path, folder: Path | None) -> None:
    """The run: what it ends with is written to ``output``."""
    import jax
    import optax

    import jaxnets as jn

    drawn = np.random.default_rng(0)
    x = drawn.standard_normal((100, 4), np.float32)
    y = (x[:, :1] * x[:, 1:2] > 0).astype(np.float32)
    net = jn.sequential(jn.dense(8), jn.relu, jn.dropout(0.2), jn.dense(1))
    result = jn.fit(
        net,
        jn.losses.bce_with_logits,
        optax.adam(1e-3),
        (x, y),
        key=jax.random.key(1),
        steps=steps,
        batch_size=16,
        record_every=5,
        validation=(x[:30], y[:30]),
        stop=jn.Stop(patience=steps),
        checkpoint=None if folder is None else jn.Checkpoint(folder, every_steps=23, keep=KEEP),
    )
    ended = {
        "params": result.params,
        "state": result.state._replace(key=jax.random.key_data(result.state.key)),
        "history": dict(result.history),
        "validation": dict(result.validation),
    }
    leaves = jax.tree_util.tree_leaves_with_path(ended)
    np.savez(output, **{jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves})


def run(config: Config) -> Tally:
    """Kills, resumes and compares."""
    steps, moments, tally = STEPS_PER_KILL * config.kills, random.Random(config.seed), Tally()
    with tempfile.TemporaryDirectory() as scratch:
        expected = Path(scratch, "uninterrupted.npz")
        subprocess.run(_command(steps, expected), check=True)
        while tally.kills < config.kills:
            folder, output = Path(scratch, str(tally.runs)), Path(scratch, f"{tally.runs}.npz")
            folder.mkdir()
            _kill_until_it_ends(config.kills, _command(steps, output, folder), moments, tally)
            tally.runs += 1
            tally.equal += _equal(np.load(expected), np.load(output))
            tally.tidy += _tidy(folder)
    return tally


def _command(steps: int, output: Path, folder: Path | None = None) -> list[str]:
    words = [sys.executable, "-W", "error", __file__, "--train", str(steps), str(output)]
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
                _wait_for_change(folder, process)
                time.sleep(moments.uniform(0, LONGEST_LIFE))
                process.kill()
            ended = process.wait() >= 0
            console.seek(0)
            tally.said += console.read().decode()
        if process.returncode > 0:
            raise SystemExit(f"the run failed:\n{tally.said}")
        if not ended:
            tally.kills += 1
            tally.kills_in_a_save += (folder / "unfinished").exists()


def _wait_for_change(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    before = folder.stat().st_mtime_ns
    while folder.stat().st_mtime_ns == before and process.poll() is None:
        time.sleep(0.001)


def _equal(expected, found) -> bool:
    """Whether both hold the same names, dtypes, shapes and bits."""
    if expected.files != found.files:
        return False
    pairs = [(expected[name], found[name]) for name in expected.files]
    return all((a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()) for a, b in pairs)


def _tidy(folder: Path) -> bool:
    """Whether there are checkpoints, no more than asked for, and nothing else."""
    names = [path.name for path in folder.iterdir()]
    whole = [name for name in names if re.fullmatch(r"step-\d{10}", name)]
    left = {path.name for name in whole for path in (folder / name).iterdir()}
    return 0 < len(names) == len(whole) <= KEEP and left == {"SHA256SUMS", "arrays", "run.json"}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=Config.kills, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=Config.seed, help="(%(default)s)")
    parser.add_argument("--train", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.train:
        steps, output, *folder = asked.train
        train(int(steps), Path(output), Path(*folder) if folder else None)
        return 0
    if asked.kills < 1:
        parser.error("--kills must be at least 1")
    started = time.perf_counter()
    tally = run(Config(asked.kills, asked.seed))
    print(f"kills                    {tally.kills}")
    print(f"  in the middle of a save  {tally.kills_in_a_save}")
    print(f"runs that ended          {tally.runs}")
    print(f"  bitwise equal            {tally.equal}")
    print(f"  without orphan files     {tally.tidy}")
    print(f"seconds                  {time.perf_counter() - started:.0f}")
    print(tally.said, end="")
    return 0 if tally.passed else 1


if __name__ == "__main__":
    sys.exit(main())
