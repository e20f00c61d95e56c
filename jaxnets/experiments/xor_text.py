"""The report of an XOR run as a person reads it."""

from typing import Any

from jaxnets.experiments.numbers import divergence_text, number
from jaxnets.experiments.published import relative_differences

__all__ = ["GRADIENTS", "show"]

GRADIENTS = {
    "auto": "",
    "hand": ", gradient: the chain rule by hand",
    "tutorial": ", gradient: the course's own hand-written rule",
}
"""Where a gradient can come from, and how a report says so."""


def show(report: dict[str, Any]) -> str:
    """The report as a person reads it."""
    config = report["config"]
    net = "-".join(map(str, (2, *config["hidden"], 1)))
    lines = [
        f"XOR, {net}, {config['optimizer']}, learning rate {config['lr']:g}, "
        f"{config['steps']} steps, weights: {config['init']}, seed {config['seed']}"
        + GRADIENTS[config["backprop"]],
        "",
    ]
    lines += _show_many(report) if config["seeds"] is not None else _show_one(report)
    seconds = report["seconds"]
    met = "met" if report["success"] else "MISSED"
    lines += [
        f"wall time: {seconds['compile']:.3f} s compile, {seconds['run']:.4f} s run",
        f"criterion {met}: {report['criterion']}",
    ]
    if not config["hidden"]:
        lines.append(
            "Why: one layer is one straight line, and no line parts (0,1), (1,0) from (0,0), "
            "(1,1); the best it can do is to answer 0.5 everywhere, which costs ln 2."
        )
    return "\n".join(lines)


def _show_one(report: dict[str, Any]) -> list[str]:
    """Loss table, hypothesis, prediction and accuracy."""
    history, table = report["history"], report["published"]
    rows = zip(history["step"], history["loss"], strict=True)
    if table is None:
        lines = [f"{'step':>6}  {'loss':>12}"]
        lines += [f"{step:6d}  {number(loss, '.10f', 12)}" for step, loss in rows]
    else:
        lines = [f"{'step':>6}  {'loss':>12}  {'published':>12}  {'relative difference':>19}"]
        for (step, loss), row in zip(rows, relative_differences(history, table), strict=True):
            theirs = "" if row is None else f"  {row[0]:12.10f}  {row[1]:19.1e}"
            lines.append(f"{step:6d}  {loss:12.10f}{theirs}")
        largest = report["max_relative_difference"]
        lines.append(f"largest relative difference from the published table: {largest:.1e}")
    if report["diverged_at"] is not None:
        lines.append(divergence_text(report["diverged_at"]))
    return [
        *lines,
        "",
        "hypothesis: " + "  ".join(number(value, ".8f") for value in report["hypothesis"]),
        "prediction: " + "  ".join(f"{value:10d}" for value in report["prediction"]),
        f"accuracy: {report['accuracy']}",
        "",
    ]


def _show_many(report: dict[str, Any]) -> list[str]:
    """The share solved and the time per network and step."""
    low, high = report["interval"]
    share, first = report["solved"] / report["members"], report["config"]["seed"]
    last = first + report["members"] - 1
    seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
    return [
        f"solved: {report['solved']} of {report['members']} networks = {share:.1%} "
        f"(95% interval {low:.1%} to {high:.1%}), {report['diverged']} diverged; {seeds}",
        f"time per network and step: {report['ns_per_network_step']:.1f} ns",
        "",
    ]
