"""Negative controls of the parity table: what is wrong is caught, term by term and leaf by leaf.

Wrong formulas are made in several ways. One leaf of a right gradient is spoiled; or the source of
the formula is: each of its terms in turn is made 5 % too large, and each gets the wrong sign; or
the formula is deaf to one of its options, or gives 0 for whatever is small. A term is a product, a
quotient or a summand.
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
from jaxnets.parity.compare import compare, evaluated
from jaxnets.parity.entries import by_hand, entries, entry_references
from jaxnets.parity.formulas import ACTIVATIONS, DERIVATIONS, LOSSES, OPTIMIZERS
from jaxnets.parity.report import TOLERANCES
from jaxnets.parity.rows.training_runs import run_errors, train, train_by_hand
from jaxnets.parity.rows.update_rules import descend, descend_by_optax, path_errors

ENTRIES = entries()

SQUARE = ["dense", "embedding", "sequential", "parallel", "residual", "mlp"]
"""What has weights that can be square. The perceptron's have one column."""

CHANGES = {"5 % off": 1.05, "wrong sign": -1.0}

LABELLED = ["cross_entropy", "nll"]
"""Losses that take class labels."""

TOOLS = {"jaxnets.parity.formulas.arrays", "jaxnets.parity.formulas.formula"}
"""What the formulas share beyond the array API, which is no formula of its own."""

HARMLESS = {
    # The largest element cancels; it is subtracted only lest the exponential overflow.
    ("softmax", "xp.max(x, axis=axis, keepdims=True)"): CHANGES,
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
    tolerances = TOLERANCES[ENTRIES[name].kind]
    return any(
        reference.error(path, change(found[path])).relative > tolerances[reference.column]
        for found, reference in zip(right_leaves(name), references(name), strict=True)
        if path in reference.leaves
    )


def spoilable(name):
    """The leaves of the gradient that are not 0 everywhere; of the value if there are none."""
    exact = {path: leaf for path, leaf in references(name)[0].leaves.items() if np.any(leaf)}
    gradient = {path: leaf for path, leaf in exact.items() if path.startswith("gradient")}
    return gradient or exact


def is_square_weight(path, leaf):
    return path.endswith(("/w", "/table")) and leaf.shape[0] == leaf.shape[1]


def check_the_formula(name):
    report = compare(name, by_hand(ENTRIES[name]), references(name), kind=ENTRIES[name].kind)
    assert report.ok, report


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
        is_ours = inspect.isfunction(helper) and helper.__module__ not in TOOLS
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
    hand = by_hand(entry._replace(formula=wrong))
    try:
        with np.errstate(all="ignore"):
            return compare(entry.name, hand, [reference], kind=entry.kind).ok
    except ValueError as error:
        # The root of a negative number, where Python's math takes it.
        assert "math domain error" in str(error)  # noqa: PT017
        return False


def check_wrong_terms(name):
    exact = references(name)[0]
    for wrong in mutants(name):
        harmless = wrong.change in HARMLESS.get((wrong.name, wrong.term), ())
        assert passes(ENTRIES[name], wrong.formula, exact) == harmless, wrong


def options_of(formula):
    """Its keyword arguments that have a default and do not change shapes."""
    parameters = inspect.signature(formula).parameters.values()
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty]
    return [name for name in named if name not in ("combine", "reduction")]


def deaf(formula, option):
    """The formula with the default of one option whatever is passed."""
    return lambda *args, **options: formula(
        *args, **{name: value for name, value in options.items() if name != option}
    )


def check_deaf_formulas(name):
    for option in options_of(ENTRIES[name].formula) if name in DERIVATIONS else ():
        wrong = deaf(ENTRIES[name].formula, option)
        assert not passes(ENTRIES[name], wrong, references(name)[0]), option


def without_small(formula):
    """The formula with 0 for all values and slopes below 1e-13."""
    return lambda x, **options: tuple(
        np.where(np.abs(part) < 1e-13, 0, part).astype(x.dtype) for part in formula(x, **options)
    )


def check_small_values(name):
    if name not in ACTIVATIONS:
        return
    wrong, exact = without_small(ACTIVATIONS[name]), references(name)[0]
    found = evaluated(by_hand(ENTRIES[name]._replace(formula=wrong)), exact)
    changed = any(
        not np.array_equal(leaf, found[path]) for path, leaf in right_leaves(name)[0].items()
    )
    assert changed == (name in WITH_TAILS)
    assert passes(ENTRIES[name], wrong, exact) != changed


WITH_TAILS = "celu elu gelu log_sigmoid mish selu sigmoid silu softplus tanh".split()  # noqa: SIM905
"""Activations with a value or a slope that is small and not 0."""

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
    check_deaf_formulas(name)
    check_small_values(name)


@pytest.mark.slow
def test_forgetting_the_ignored_labels_beside_smoothing_alone_is_caught():
    def wrong(x, *, label_smoothing=0.0, ignore_index=-100, **options):
        ignored = -100 if label_smoothing else ignore_index
        smoothing = {"label_smoothing": label_smoothing, "ignore_index": ignored}
        return LOSSES["cross_entropy"](x, **smoothing, **options)

    assert not passes(ENTRIES["cross_entropy"], wrong, references("cross_entropy")[0])


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


def rule_error(rule, formula):
    with np.errstate(all="ignore"):
        found = descend(rule, formula, np.float64)
    return max(error.relative for error in path_errors(found, expected_paths(rule)))


@functools.cache
def expected_paths(rule):
    return descend_by_optax(rule, np.float64)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_every_wrong_term_of_an_update_rule_is_caught(rule):
    tolerance = TOLERANCES["optimizer"]["float64"]
    assert rule_error(rule, OPTIMIZERS[rule]) <= tolerance
    for wrong in mutants(rule):
        assert rule_error(rule, wrong.formula) > tolerance, wrong


RULE_OPTIONS = [
    (rule, option) for rule, formula in OPTIMIZERS.items() for option in options_of(formula)
]


@pytest.mark.parametrize(("rule", "option"), RULE_OPTIONS)
def test_an_update_rule_that_ignores_an_option_is_caught(rule, option):
    assert rule_error(rule, deaf(OPTIMIZERS[rule], option)) > TOLERANCES["optimizer"]["float64"]


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
    autodiff, tolerance = train(run, np.float64), TOLERANCES["training"]["float64"]
    assert distance(train_by_hand(run, np.float64), autodiff) <= tolerance
    for layer, entry, factor in (("0", "b", 1.05), ("2", "w", 1 + 1e-6)):
        wrong = train(run, np.float64, wrong_gradient(layer, entry, factor))
        assert distance(wrong, autodiff) > tolerance, (layer, entry)


def distance(run, other):
    return max(error.relative for error in run_errors(run, other))
