"""How fast `fit` and `sweep` are beside what one would write by hand, and beside PyTorch.

    python experiments/benchmarks/training.py [--rounds N]

Every pair is timed in turn within one process, so that a machine that slows down slows both;
what is printed are medians and ratios of medians. PyTorch's row needs PyTorch and is left out
without it. Data of MNIST's shape are drawn at random: the arithmetic does not depend on them.
"""

import argparse
import contextlib
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from calls import first_calls, looking_in, warm_calls
from sweeps import few_members, large_members, sweeps
from timing import medians, timed, xor_trial

import jaxnets as jn

STEPS = 10_001
EXAMPLES, PIXELS, CLASSES, BATCH = 60_000, 784, 10, 100


def small_network(widths, rounds):
    """A network on XOR, initialisation included: `fit` and a hand-written scan."""
    x, y = jn.data.xor()
    net, loss, optimizer = xor_trial(widths)
    step = jn.make_step(net, loss, optimizer)

    @jax.jit
    def scanned(key, x, y):
        def body(state, _):
            state, metrics = step(state, (x, y))
            return state, metrics["loss"]

        return jax.lax.scan(body, jn.init_state(net, optimizer, key, x), length=STEPS)

    def fitted():
        return jn.fit(net, loss, optimizer, (x, y), key=jax.random.key(0), steps=STEPS).params

    found = medians(rounds, fit=fitted, scan=lambda: scanned(jax.random.key(0), x, y))
    return {
        "fit_ms": found["fit"] * 1e3,
        "hand_written_scan_ms": found["scan"] * 1e3,
        "fit_over_scan": found["fit"] / found["scan"],
    }


def mnist_size(rounds):
    """An epoch of 784-256-256-10 with Adam and batches of 100."""
    random = np.random.default_rng(0)
    x = jnp.asarray(random.random((EXAMPLES, PIXELS), np.float32))
    y = jnp.asarray(random.integers(0, CLASSES, EXAMPLES))
    net, optimizer = jn.mlp([256, 256, CLASSES], jn.relu), optax.adam(1e-3)
    step = jn.make_step(net, jn.losses.cross_entropy, optimizer)

    @jax.jit
    def scanned(key, x, y):
        order = jax.random.permutation(key, EXAMPLES).reshape(-1, BATCH)

        def body(state, chosen):
            state, metrics = step(state, (x[chosen], y[chosen]))
            return state, metrics["loss"]

        return jax.lax.scan(body, jn.init_state(net, optimizer, key, x), order)

    def fitted():
        return jn.fit(
            net,
            jn.losses.cross_entropy,
            optimizer,
            (x, y),
            key=jax.random.key(0),
            epochs=1,
            batch_size=BATCH,
        ).params

    with torch_worker() as torch_epoch:
        found = {"fit": [], "scan": [], "torch": []}
        for function in (fitted, lambda: scanned(jax.random.key(0), x, y)):
            timed(function)
        for _ in range(rounds):
            found["fit"].append(timed(fitted))
            found["scan"].append(timed(lambda: scanned(jax.random.key(0), x, y)))
            if torch_epoch is not None:
                found["torch"].append(torch_epoch())
    fit, scan = statistics.median(found["fit"]), statistics.median(found["scan"])
    result = {"fit_s": fit, "hand_written_scan_s": scan, "fit_over_scan": fit / scan}
    if found["torch"]:
        torch = statistics.median(found["torch"])
        result |= {"pytorch_eager_s": torch, "fit_over_pytorch": fit / torch}
    return result | memory(net, optimizer, x, y)


@contextlib.contextmanager
def torch_worker():
    """A function that times one epoch of PyTorch's eager loop in a process of its own, or None."""
    if importlib.util.find_spec("torch") is None:
        yield None
        return
    command = [sys.executable, __file__, "--torch-worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:

        def epoch():
            worker.stdin.write("epoch\n")
            worker.stdin.flush()
            return float(worker.stdout.readline())

        epoch()
        yield epoch
        worker.stdin.close()


def torch_epochs():
    """Times an epoch over shuffled batches for every line on standard input."""
    import torch

    torch.manual_seed(0)
    x, y = torch.rand(EXAMPLES, PIXELS), torch.randint(0, CLASSES, (EXAMPLES,))
    model = torch.nn.Sequential(
        torch.nn.Linear(PIXELS, 256),
        torch.nn.ReLU(),
        torch.nn.Linear(256, 256),
        torch.nn.ReLU(),
        torch.nn.Linear(256, CLASSES),
    )
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in sys.stdin:
        started = time.perf_counter()
        order = torch.randperm(EXAMPLES)
        for start in range(0, EXAMPLES, BATCH):
            chosen = order[start : start + BATCH]
            optimizer.zero_grad()
            criterion(model(x[chosen]), y[chosen]).backward()
            optimizer.step()
        print(time.perf_counter() - started, flush=True)


def memory(net, optimizer, x, y):
    """What XLA reserves for the compiled run, over data, parameters and optimizer state."""
    from jaxnets.training.batching import make_batching
    from jaxnets.training.loop import Schedule
    from jaxnets.training.program import Program
    from jaxnets.training.trial import Fixed, Trial

    batching = make_batching((x, y), BATCH, drop_last=False)
    schedule = Schedule(batching, 1, 0, 4096)
    trial = Trial(net, jn.losses.cross_entropy, optimizer)
    program = Program(Fixed(trial), schedule, None, None, False, None)
    position = program.start(jax.random.key(0), {}, x, None)
    compiled = program.advance.lower(position, {}, (x, y), None, 0).compile()
    analysis = compiled.memory_analysis()
    state = position.state
    needed = sum(leaf.nbytes for leaf in jax.tree.leaves((x, y, state.params, state.opt_state)))
    reserved = (
        analysis.argument_size_in_bytes
        + analysis.output_size_in_bytes
        + analysis.temp_size_in_bytes
        - analysis.alias_size_in_bytes
    )
    return {
        "data_parameters_state_mb": needed / 1e6,
        "reserved_mb": reserved / 1e6,
        "memory_ratio": reserved / needed,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--torch-worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.torch_worker:
        torch_epochs()
        return
    report = {
        "platform": f"{platform.system()} {platform.machine()}, {jax.default_backend()}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "2-2-1": small_network([2, 1], args.rounds),
        "2-10-10-10-1": small_network([10, 10, 10, 1], args.rounds),
        "warm_calls": warm_calls(args.rounds),
        "first_calls": first_calls(),
        "looking_in": looking_in(args.rounds),
        "sweeps": sweeps(args.rounds),
        "few_members": few_members(args.rounds),
        "large_members": large_members(args.rounds),
        "mnist_size": mnist_size(args.rounds),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
