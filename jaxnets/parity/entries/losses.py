"""Entries of the losses."""

import numpy as np

from jaxnets import losses
from jaxnets.parity.entries.entry import Case, Entry, by_slope
from jaxnets.parity.formulas import LOSSES
from jaxnets.parity.formulas.formula import Formula, label_of, options_of

__all__ = ["loss_entries"]

EXAMPLES, WIDTH = 6, 4

LABELLED = ("cross_entropy", "nll")
"""Losses that take class labels too."""


def loss_entries() -> list[Entry]:
    """One entry for each formula of a loss."""
    return [
        Entry(name, "loss", getattr(losses, name), formula, by_slope, _cases(name, formula))
        for name, formula in LOSSES.items()
    ]


def _cases(name: str, formula: Formula) -> dict[str, Case]:
    """Every reduction, with and without weights, every option, and further cases."""
    rng = np.random.default_rng(0)
    x, y = _predictions(name, rng), _targets(name, rng)
    by_example = rng.uniform(0.5, 2, EXAMPLES)
    cases = {}
    for reduction in ("mean", "sum", "none"):
        options = {"reduction": reduction}
        cases[reduction] = Case(x, {"targets": y}, options)
        cases[f"{reduction}, weights"] = Case(x, {"targets": y, "weights": by_example}, options)
    if name not in (*LABELLED, "kl_divergence"):
        by_element = rng.uniform(0.5, 2, x.shape)
        cases["weight per element"] = Case(x, {"targets": y, "weights": by_element})
    special = {label_of(options): Case(x, options=options) for options in options_of(formula)}
    special |= _label_cases(name, x) if name in LABELLED else _element_cases(name, x, y)
    for label, case in special.items():
        cases[label] = case._replace(data={"targets": y, "weights": by_example, **case.data})
    return cases


def _predictions(name: str, rng: np.random.Generator) -> np.ndarray:
    """Predictions that the loss takes."""
    logits = rng.standard_normal((EXAMPLES, WIDTH))
    if name == "bce":
        return np.asarray(1 / (1 + np.exp(-logits)))
    if name in ("nll", "kl_divergence"):
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    return logits


def _targets(name: str, rng: np.random.Generator) -> np.ndarray:
    """Targets that the loss takes; some probabilities are 0 and 1."""
    if name in (*LABELLED, "kl_divergence"):
        distributions = rng.dirichlet(np.ones(WIDTH), EXAMPLES)
        distributions[0] = np.eye(WIDTH)[1]
        return distributions
    if name in ("bce", "bce_with_logits", "focal"):
        return np.clip(rng.uniform(-0.5, 1.5, (EXAMPLES, WIDTH)), 0, 1)
    if name == "hinge":
        return np.where(rng.uniform(size=(EXAMPLES, WIDTH)) < 0.5, -1.0, 1.0)
    return rng.standard_normal((EXAMPLES, WIDTH))


def _element_cases(name: str, x: np.ndarray, y: np.ndarray) -> dict[str, Case]:
    """Kinks, bends and ends of the losses of one value per element."""
    certain = np.resize([0.0, 1.0], x.shape)
    nearly = np.resize([1e-10, 1 - 1e-10, 1e-6, 1 - 1e-6, 1e-3], x.shape)
    far = np.resize([-100.0, -30.0, -12.0, 12.0, 30.0, 100.0], x.shape)
    hard = {"targets": np.resize([0.0, 1.0, 1.0, 0.0], x.shape[::-1]).T}
    cases: dict[str, dict[str, Case]] = {
        "bce": {
            "certainty": Case(certain, kinks=True),
            "near certainty": Case(nearly, hard, kinks=True),
        },
        "bce_with_logits": {
            "tails": Case(far, hard),
            "pos_weight": Case(x, {"pos_weight": np.array(3.0)}),
            "pos_weight per feature": Case(x, {"pos_weight": np.array([0.5, 1.0, 2.0, 4.0])}),
        },
        "focal": {"tails": Case(far, hard)},
        "hinge": {"kinks": Case(y.copy(), kinks=True)},
        "huber": {"|e|=delta": Case(y + 0.5, options={"delta": 0.5})},
        "mae": {"kinks": Case(y.copy(), kinks=True)},
        "rmse": {"kinks": Case(y.copy(), options={"reduction": "none"}, kinks=True)},
        "smooth_l1": {"kinks": Case(y.copy(), options={"beta": 0.0}, kinks=True)},
    }
    return cases.get(name, {})


def _label_cases(name: str, x: np.ndarray) -> dict[str, Case]:
    """Labels, class weights, examples to ignore, leading axes and label smoothing."""
    labels = {"targets": np.array([3, 0, 1, 1, 2, 0])}
    by_class = {"class_weights": np.array([0.5, 1.0, 2.0, 4.0])}
    blocks = {"targets": labels["targets"].reshape(2, 3), "weights": np.array([1.0, 2.0])}
    both, ignored, smooth = {**labels, **by_class}, {"ignore_index": 1}, {"label_smoothing": 0.1}
    cases = {
        "labels": Case(x, labels),
        "labels, class weights": Case(x, both),
        "labels, class weights, sum": Case(x, both, {"reduction": "sum"}),
        "class weights": Case(x, by_class),
        "ignored": Case(x, both, ignored),
        "leading axes": Case(x.reshape(2, 3, WIDTH), blocks),
    }
    if name == "cross_entropy":
        cases["smoothing"] = Case(x, by_class, smooth)
        cases["labels, smoothing"] = Case(x, both, smooth)
        cases["labels, smoothing, ignored"] = Case(x, both, {**smooth, **ignored})
    return cases
