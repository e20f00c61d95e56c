"""How long the XOR command takes, from starting Python to its exit, beside PyTorch's loop.

    python experiments/benchmarks/xor.py [--rounds N]

Every row is a process of its own, and the rows are started in turn, so that a machine that slows
down slows all of them; what is printed are medians and ratios. PyTorch's row needs PyTorch and is
left out without it.
"""

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import jax

COMMAND = ["-m", "jaxnets.experiments.xor", "--no-progress"]

TORCH_LOOP = """
import torch

torch.manual_seed(777)
X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
model = torch.nn.Sequential(
    torch.nn.Linear(2, 2), torch.nn.Sigmoid(), torch.nn.Linear(2, 1), torch.nn.Sigmoid()
)
criterion = torch.nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1)
for step in range(10001):
    optimizer.zero_grad()
    cost = criterion(model(X), Y)
    cost.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, cost.item())
with torch.no_grad():
    hypothesis = model(X)
    predicted = (hypothesis > 0.5).float()
    print(hypothesis, predicted, (predicted == Y).float().mean())
"""


def seconds(arguments):
    """Wall time of a Python process with these arguments."""
    # Python's compiled files are kept, as they are for a user.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, *arguments]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def medians(rounds, **commands):
    """The median wall time of each command, started in turn after one start not counted."""
    times = {name: [] for name in commands}
    for counted in [False] + rounds * [True]:
        for name, arguments in commands.items():
            took = seconds(arguments)
            if counted:
                times[name].append(took)
    return {name: statistics.median(values) for name, values in times.items()}


def whole_process(rounds):
    """10,001 steps of 2-2-1, printed every 100 steps."""
    commands = {"jaxnets": COMMAND}
    if importlib.util.find_spec("torch") is not None:
        commands["pytorch"] = ["-c", TORCH_LOOP]
    found = medians(rounds, **commands)
    result = {f"{name}_s": value for name, value in found.items()}
    if "pytorch" in found:
        result["jaxnets_over_pytorch"] = found["jaxnets"] / found["pytorch"]
    return result


def importing(rounds):
    """What `import jaxnets` adds to what it stands on."""
    found = medians(
        rounds, base=["-c", "import jax, optax"], library=["-c", "import jax, optax, jaxnets"]
    )
    return {
        "import_jax_optax_s": found["base"],
        "import_jaxnets_s": found["library"],
        "added_s": found["library"] - found["base"],
    }


def many_seeds(rounds):
    """A thousand seeds at once, as the command reports it."""
    values = []
    for _ in range(rounds):
        command = [sys.executable, *COMMAND, "--seeds", "1000", "--json"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        values.append(json.loads(done.stdout)["ns_per_network_step"])
    return {"ns_per_network_step": statistics.median(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    report = {
        "platform": f"{platform.system()} {platform.machine()}, {jax.default_backend()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "whole_process": whole_process(rounds),
        "import": importing(rounds),
        "thousand_seeds": many_seeds(rounds),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
