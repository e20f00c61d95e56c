"""`summary`: the table, for models of any nesting, without computing."""

import jax
import jax.numpy as jnp
import pytest

from jaxnets.activations import relu, sigmoid
from jaxnets.children import kind_of
from jaxnets.combinators import mlp, parallel, perceptron, residual, sequential
from jaxnets.layers import dense, dropout, embedding, layer_norm
from jaxnets.model import Model
from jaxnets.precision import with_precision
from jaxnets.summary import summary

X = jax.ShapeDtypeStruct((4, 2), "float32")

NESTED = sequential(
    dense(8),
    sequential(relu, residual(sequential(layer_norm(), dense(8)))),
    parallel(wide=dense(8), skip=dropout(0.5)),
    perceptron(),
)

NESTED_TABLE = """
layer   kind        output        parameters  bytes
---------------------------------------------------
0       dense       float32[4,8]          24     96
1       sequential  float32[4,8]          88    352
1/0     relu        float32[4,8]           0      0
1/1     residual    float32[4,8]          88    352
1/1/0   layer_norm  float32[4,8]          16     64
1/1/1   dense       float32[4,8]          72    288
2       parallel    float32[4,8]          72    288
2/wide  dense       float32[4,8]          72    288
2/skip  dropout     float32[4,8]           0      0
3       perceptron  float32[4]             9     36
---------------------------------------------------
total   sequential  float32[4]           193    772
""".strip()


def doubled(inner):
    """A Model of a user's own around another."""

    def init(key, x):
        return {"a": jnp.ones(3), "inner": inner.init(key, x)}

    def apply(params, x, *, key=None):
        return 2 * inner.apply(params["inner"], x, key=key)

    return Model(init, apply)


def by_layer(model, x):
    return {row.layer: row for row in summary(model, x).rows}


def test_a_nested_model_prints_as_a_table():
    assert str(summary(NESTED, X)) == NESTED_TABLE


def test_the_total_counts_every_parameter_once():
    params = NESTED.init(jax.random.key(0), X)
    total = summary(NESTED, X).total
    assert total.parameters == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert total.bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(params))


def test_outermost_rows_add_up_to_the_total():
    table = summary(NESTED, X)
    outermost = [row for row in table.rows if "/" not in row.layer]
    assert sum(row.parameters for row in outermost) == table.total.parameters


def test_rows_are_data():
    row = by_layer(NESTED, X)["1/1/1"]
    assert row.kind == "dense"
    assert row.output == jax.ShapeDtypeStruct((4, 8), "float32")
    assert (row.parameters, row.bytes) == (72, 288)


def test_a_row_is_named_by_the_path_of_its_parameters():
    params = NESTED.init(jax.random.key(0), X)
    paths = jax.tree_util.tree_leaves_with_path(params)
    parents = {jax.tree_util.keystr(path[:-1], simple=True, separator="/") for path, _ in paths}
    assert parents <= by_layer(NESTED, X).keys()


def test_a_single_layer_is_its_total():
    table = summary(dense(3), X)
    assert table.rows == ()
    assert table.total[1:] == ("dense", jax.ShapeDtypeStruct((4, 3), "float32"), 9, 36)
    assert len(str(table).splitlines()) == 3


def test_a_model_of_ones_own_is_one_row():
    rows = by_layer(sequential(relu, doubled(mlp([5, 2]))), X)
    assert list(rows) == ["0", "1"]
    assert rows["1"].kind == "Model"
    assert rows["1"].parameters == 3 + 15 + 12


def test_a_model_of_functions_of_two_others_is_one_row():
    inner = sequential(dense(3), relu)
    rows = by_layer(sequential(Model(inner.init, lambda params, x, *, key=None: x)), X)
    assert list(rows) == ["0"]
    assert (rows["0"].kind, rows["0"].parameters) == ("Model", 9)
    assert rows["0"].output.shape == (4, 2)


def test_its_text_is_the_table():
    assert repr(summary(NESTED, X)) == NESTED_TABLE


def test_a_notebook_shows_a_table():
    page = summary(sequential(dense(3), lambda x: x), X)._repr_html_()
    assert page.startswith("<table>")
    assert page.count("<tr>") == 4
    assert "<td>dense</td>" in page
    assert "&lt;lambda&gt;" in page


def test_summary_calls_init_and_each_layer_once():
    calls = []

    def noted(x):
        calls.append(x.shape)
        return x

    summary(sequential(dense(3), sequential(residual(noted), sequential(noted))), X)
    assert len(calls) == 2


def test_functions_and_factories_are_named():
    table = summary(sequential(jnp.sin, lambda x: x, jax.nn.relu, mlp([1])), X)
    assert [row.kind for row in table.rows] == ["sin", "<lambda>", "relu", "sequential", "dense"]


def test_a_partial_is_named_by_its_function():
    assert kind_of(jax.tree_util.Partial(jnp.clip, min=0)) == "clip"


def test_nothing_is_computed():
    enormous = sequential(embedding(10**7, 10**5), dense(10**5))
    total = summary(enormous, jax.ShapeDtypeStruct((10**4, 10**3), "int32")).total
    assert total.output.shape == (10**4, 10**3, 10**5)
    assert total.bytes == 4 * (10**12 + 10**10 + 10**5)


def test_an_array_serves_as_the_example():
    assert summary(NESTED, jnp.ones((4, 2))) == summary(NESTED, X)


def test_narrow_types_take_less_memory():
    x = jax.ShapeDtypeStruct((4, 2), "bfloat16")
    assert summary(dense(3), x).total.bytes == 18


def test_parameters_are_counted_as_they_are_kept_not_as_they_are_used():
    plain, mixed = summary(NESTED, X), summary(with_precision(NESTED), X)
    assert mixed.rows == plain.rows
    assert mixed.total == plain.total._replace(kind="with_precision")


def test_a_second_summary_equals_the_first():
    model = sequential(mlp([3, 2], sigmoid), doubled(mlp([2])))
    assert summary(model, X) == summary(model, X)


def test_outputs_may_be_trees():
    pair = sequential(lambda x: (x, x.sum()))
    assert "float32[4,2], float32[]" in str(summary(pair, X))


def test_an_error_names_the_layer():
    message = r"^layer 1 > layer 0 > embedding\(3, 4\): x must be an array of integers; got"
    with pytest.raises(TypeError, match=message):
        summary(sequential(relu, sequential(embedding(3, 4))), X)


def test_a_jitted_init_is_seen_every_time():
    inner = sequential(dense(3), relu)
    model = Model(jax.jit(inner.init), jax.jit(inner.apply))
    first = summary(model, X)
    assert [row.kind for row in first.rows] == ["dense", "relu"]
    assert summary(model, X) == first


MISUSE = [
    pytest.param(
        lambda: summary(5, X),
        TypeError,
        "summary: model must be a Model or a function x -> y; got 5. Pass a layer such as "
        "jn.dense(10) or jn.relu.",
        lambda: summary(dense(10), X).total.parameters,
        id="summary of no model",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
