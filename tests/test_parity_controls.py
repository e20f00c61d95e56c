"""Negative controls of the parity table: what is wrong is caught, term by term and leaf by leaf.

Wrong formulas are made in two ways. Either one leaf of a right gradient is spoiled; or the source
of the formula is: each of its terms in turn is made 5 % too large, and each gets the wrong sign.
A term is a product, a quotient or a summand.
"""

import ast
import copy
import functools
import inspect
import itertools
import sys
from typing import NamedTuple

import numpy as np
import pytest

from jaxnets import losses
from jaxnets.parity import backprop
from jaxnets.parity.compare import compared, evaluated
from jaxnets.parity.entries import by_hand, entries, entry_references
from jaxnets.parity.formulas import COMBINATORS, DERIVATIONS, OPTIMIZERS, activations
from jaxnets.parity.leaves import leaf_error
from jaxnets.parity.report import TOLERANCES
from jaxnets.parity.training_runs import TOLERANCES as RUN_TOLERANCES
from jaxnets.parity.training_runs import distance, train, train_by_hand
from jaxnets.parity.update_rules import TOLERANCES as RULE_TOLERANCES
from jaxnets.parity.update_rules import descend, descend_by_optax

ENTRIES = entries()

SQUARE = ["dense", "embedding", "sequential", "parallel", "residual", "mlp"]
"""What has weights that can be square. The perceptron's have one column."""

CHANGES = {"5 % off": 1.05, "wrong sign": -1.0}

LABELLED = ["cross_entropy", "nll"]
"""Losses that take class labels."""

TOOLS = "jaxnets.parity.formulas.arrays"
"""What the formulas share beyond the array API, which is no formula of its own."""

NO_GRADIENT = ["step"]
"""What has no gradient to spoil, only a value."""

HARMLESS = {
    # The largest element cancels; it is subtracted only lest the exponential overflow.
    ("softmax", "xp.max(x, axis=axis, keepdims=True)"): CHANGES,
    ("log_softmax", "xp.max(x, axis=axis, keepdims=True)"): CHANGES,
    ("cross_entropy", "xp.max(x, axis=-1, keepdims=True)"): CHANGES,
    # Its derivative is a product of two sigmoids, and two wrong signs make a right one.
    ("tanh", "xp.where(x >= 0, 1, e) / (1 + e)"): ["wrong sign"],
    # It shares a helper with cross_entropy, and does not smooth.
    ("nll", "smoothing"): CHANGES,
    ("nll", "smoothing / x.shape[-1]"): CHANGES,
    # These take no labels, whose class weights count in the mean.
    **{(name, "r * counts"): CHANGES for name in losses.__all__ if name not in LABELLED},
}
"""Changes that change nothing, by the formula and the term."""


@functools.cache
def references(name):
    return entry_references(ENTRIES[name])


@functools.cache
def right_leaves(name):
    """The leaves of the right formula, for every reference."""
    hand = by_hand(ENTRIES[name])
    return [evaluated(hand, reference) for reference in references(name)]


def spoiled_is_caught(name, path, change):
    """Whether the leaf is out of tolerance once it is changed, for any reference."""
    return any(
        leaf_error(path, change(found[path]), reference.leaves[path]).relative
        > TOLERANCES[reference.name]
        for found, reference in zip(right_leaves(name), references(name), strict=True)
        if path in reference.leaves
    )


def spoilable(name):
    """The leaves that are not 0 everywhere, by path."""
    part = "value" if name in NO_GRADIENT else "gradient"
    exact = references(name)[0].leaves
    return {path: leaf for path, leaf in exact.items() if path.startswith(part) and np.any(leaf)}


def is_square_weight(path, leaf):
    return path.endswith(("/w", "/table")) and leaf.shape[0] == leaf.shape[1]


def check_the_formula(name):
    for found, reference in zip(right_leaves(name), references(name), strict=True):
        assert compared(found, reference).ok, compared(found, reference)


def check_spoiled_leaves(name):
    paths = spoilable(name)
    assert paths
    for path, factor in itertools.product(paths, CHANGES.values()):
        assert spoiled_is_caught(name, path, lambda leaf, factor=factor: leaf * factor), path


def check_transposed_gradients(name):
    square = [path for path, leaf in spoilable(name).items() if is_square_weight(path, leaf)]
    assert square or name not in SQUARE
    for path in square:
        assert spoiled_is_caught(name, path, np.transpose), path


class Mutant(NamedTuple):
    """A formula with one change in its source.

    Attributes:
      name: The formula.
      inside: The function that is changed: the formula itself or a helper of it.
      term: The text of the term that is changed.
      change: What is done to it.
      formula: The wrong formula.
    """

    name: str
    inside: str
    term: str
    change: str
    formula: object


class Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


@functools.cache
def source(module):
    return ast.parse(inspect.getsource(sys.modules[module]))


def definition(tree, name):
    return next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)


def executed(module, tree):
    """The names of a module once that source of it is run."""
    scope = {"__name__": module}
    exec(compile(tree, f"<{module}>", "exec"), scope)
    return scope


def changed_inside(function):
    """The function itself, and helpers of it that have no row of their own."""
    own = definition(source(function.__module__), function.__name__)
    used = {node.id for node in ast.walk(own) if isinstance(node, ast.Name)}
    for name, helper in vars(sys.modules[function.__module__]).items():
        is_ours = inspect.isfunction(helper) and helper.__module__ != TOOLS
        if name in used and is_ours and name not in ENTRIES:
            yield from changed_inside(helper)
    yield function


def is_term(node, summands):
    products = ast.Mult | ast.Div | ast.MatMult | ast.Pow
    return node in summands or (isinstance(node, ast.BinOp) and isinstance(node.op, products))


def terms(function):
    """The places of all terms of a function in the order of ``ast.walk``."""
    nodes = list(ast.walk(function))
    sums = [n for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add | ast.Sub)]
    summands = [side for node in sums for side in (node.left, node.right)]
    return [place for place, node in enumerate(nodes) if is_term(node, summands)]


def transposes(function):
    """The places of all ``.T`` of a function."""
    nodes = ast.walk(function)
    return [i for i, n in enumerate(nodes) if isinstance(n, ast.Attribute) and n.attr == "T"]


def mutant(name, inside, place, change, wrong):
    """The formula with the node at that place of a function put through ``wrong``."""
    tree = copy.deepcopy(source(inside.__module__))
    node = list(ast.walk(definition(tree, inside.__name__)))[place]
    term = ast.unparse(node)
    tree = ast.fix_missing_locations(Replace(node, wrong(node)).visit(tree))
    scope = executed(inside.__module__, tree)
    home = DERIVATIONS[name].__module__
    if home != inside.__module__:
        changed = scope[inside.__name__]
        scope = executed(home, source(home))
        scope[inside.__name__] = changed
    return Mutant(name, inside.__name__, term, change, scope[name])


def times(factor):
    return lambda node: ast.BinOp(ast.Constant(factor), ast.Mult(), node)


def mutants(name):
    """Every term of the formula and of its helpers, changed in every way.

    None of mlp, which is put together from dense, the activations and the losses.
    """
    if name not in DERIVATIONS:
        return
    for inside in changed_inside(DERIVATIONS[name]):
        places = terms(definition(source(inside.__module__), inside.__name__))
        for place, (change, factor) in itertools.product(places, CHANGES.items()):
            yield mutant(name, inside, place, change, times(factor))


def passes(entry, wrong, reference):
    """Whether a wrong formula of an entry agrees with a reference."""
    is_elementwise = entry.name in activations.__all__
    formula = COMBINATORS["elementwise"](wrong) if is_elementwise else wrong
    try:
        with np.errstate(all="ignore"):
            found = evaluated(by_hand(entry._replace(formula=formula)), reference)
    except ValueError as error:
        # The root of a negative number, where Python's math takes it.
        assert "math domain error" in str(error)  # noqa: PT017
        return False
    return compared(found, reference).ok


def check_wrong_terms(name):
    exact = references(name)[0]
    for wrong in mutants(name):
        harmless = wrong.change in HARMLESS.get((wrong.name, wrong.term), ())
        assert passes(ENTRIES[name], wrong.formula, exact) == harmless, wrong


QUICK = ("sigmoid", "prelu", "mse", "bce", "dense", "layer_norm", "residual")
"""One or two of each kind; the others are slow together."""


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ENTRIES],
)
def test_the_formula_agrees_and_wrong_ones_are_caught(name):
    """All in one test, for the references are what takes the time."""
    check_the_formula(name)
    check_spoiled_leaves(name)
    check_transposed_gradients(name)
    check_wrong_terms(name)


def only_case(label, reference):
    """The reference of one case, and its leaves."""
    return reference._replace(
        inputs=tuple({label: cases[label]} for cases in reference.inputs),
        cotangent={label: reference.cotangent[label]},
        leaves={
            path: leaf for path, leaf in reference.leaves.items() if path.split("/")[1] == label
        },
    )


@pytest.mark.parametrize("layer", ["dense", "embedding"])
def test_every_forgotten_transpose_is_caught(layer):
    """In the square case, where no shape gives it away."""
    square = ENTRIES[layer]._replace(cases={"square": ENTRIES[layer].cases["square"]})
    exact = only_case("square", references(layer)[0])
    formula = DERIVATIONS[layer]
    places = transposes(definition(source(formula.__module__), layer))
    assert places
    for place in places:
        wrong = mutant(layer, formula, place, "not transposed", lambda node: node.value)
        assert not passes(square, wrong.formula, exact), wrong


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_wrong_term_of_an_update_rule_is_caught(rule):
    expected = descend_by_optax(rule, np.float64)
    tolerance = RULE_TOLERANCES["float64"]
    assert leaf_error(rule, descend(OPTIMIZERS[rule], np.float64), expected).relative <= tolerance
    for wrong in mutants(rule):
        with np.errstate(all="ignore"):
            found = descend(wrong.formula, np.float64)
        assert leaf_error(rule, found, expected).relative > tolerance, wrong


def wrong_gradient(layer, entry, factor):
    """The gradient of a 2-2-1 network by hand with one leaf spoiled."""

    def value_and_grad(params, x, y):
        value, gradient = backprop.value_and_grad(
            params, x, y, activations=["sigmoid", "sigmoid"], loss="bce"
        )
        gradient[layer] = {**gradient[layer], entry: factor * gradient[layer][entry]}
        return value, gradient

    return value_and_grad


def test_a_run_with_one_leaf_of_the_gradient_spoiled_is_caught():
    run = "training_2_2_1"
    autodiff = train(run, np.float64)
    assert distance(train_by_hand(run, np.float64), autodiff) <= RUN_TOLERANCES["float64"]
    for layer, entry, factor in (("0", "b", 1.05), ("2", "w", 1 + 1e-6)):
        wrong = train(run, np.float64, wrong_gradient(layer, entry, factor))
        assert distance(wrong, autodiff) > RUN_TOLERANCES["float64"], (layer, entry)
