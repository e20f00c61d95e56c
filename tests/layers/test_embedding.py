"""`embedding`: rows, indices out of range, and misuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import embedding

KEY = jax.random.key(0)
TOKENS = jnp.array([[0, 4], [5, 1]])
TABLE = {"table": jnp.ones((5, 2))}


class TestEmbedding:
    layer = embedding(5, 3)

    @property
    def params(self):
        return {"table": jnp.arange(15.0).reshape(5, 3)}

    @pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
    def test_looks_rows_up(self, dtype):
        y = self.layer.apply(self.params, jnp.array([[0, 4], [2, 2]], dtype))
        np.testing.assert_array_equal(y[..., 0], [[0, 12], [6, 6]])

    def test_a_scalar_index_gives_one_row(self):
        assert self.layer.apply(self.params, jnp.array(1)).tolist() == [3.0, 4.0, 5.0]

    @pytest.mark.parametrize("bad", [-1, 5, 2**31 - 1])
    def test_an_index_out_of_range_is_nan_under_jit(self, bad):
        y = jax.jit(self.layer.apply)(self.params, jnp.array([1, bad]))
        assert y[0].tolist() == [3.0, 4.0, 5.0]
        assert jnp.isnan(y[1]).all()

    def test_the_first_bad_index_is_named(self):
        message = r"got -2 at index \(1, 0\)\."
        with pytest.raises(ValueError, match=message):
            self.layer.apply(self.params, jnp.array([[0, 4], [-2, 9]]))

    def test_an_unused_row_gets_no_gradient(self):
        gradient = jax.grad(lambda p: self.layer.apply(p, jnp.array([1, 1, 3])).sum())(self.params)
        assert gradient["table"].sum(axis=-1).tolist() == [0.0, 6.0, 0.0, 3.0, 0.0]

    def test_the_table_is_standard_normal(self):
        table = embedding(1000, 20).init(KEY, jnp.array([0]))["table"]
        # 20,000 draws: five standard deviations of the mean are 0.035.
        assert abs(float(table.mean())) < 0.035
        assert abs(float(table.std()) - 1) < 0.025

    def test_the_dtype_of_the_table_can_be_chosen(self):
        params = embedding(5, 3, dtype=jnp.bfloat16).init(KEY, jnp.array([0]))
        assert params["table"].dtype == jnp.bfloat16


MISUSE = [
    pytest.param(
        lambda: embedding(0, 2),
        ValueError,
        "embedding: vocabulary must be a whole number of at least 1; got 0. Pass "
        "vocabulary=10, for example.",
        lambda: embedding(vocabulary=10, features=2),
        id="empty vocabulary",
    ),
    pytest.param(
        lambda: embedding(5, 2.5),
        TypeError,
        "embedding: features must be a whole number of at least 1; got 2.5. Pass "
        "features=10, for example.",
        lambda: embedding(5, features=10),
        id="embedding of a fractional width",
    ),
    pytest.param(
        lambda: embedding(5, 2, dtype=int),
        TypeError,
        "embedding: dtype must be a floating dtype; got int64. Pass dtype=jnp.float32, for "
        "example.",
        lambda: embedding(5, 2, dtype=jnp.float32),
        id="table of integers",
    ),
    pytest.param(
        lambda: embedding(5, 2).apply(TABLE, jnp.array([1.0, 2.0])),
        TypeError,
        "embedding(5, 2): x must be an array of integers; got float32[2]. Convert it with "
        "jnp.asarray(x, dtype=jnp.int32).",
        lambda: embedding(5, 2).apply(TABLE, jnp.asarray(jnp.array([1.0, 2.0]), dtype=jnp.int32)),
        id="indices as floats",
    ),
    pytest.param(
        lambda: embedding(5, 2).apply(TABLE, TOKENS),
        ValueError,
        "embedding(5, 2): x must hold indices in [0, 5); got 5 at index (1, 0). Correct it, "
        "or make the vocabulary larger.",
        lambda: embedding(6, 2).apply(embedding(6, 2).init(KEY, TOKENS), TOKENS),
        id="index beyond the vocabulary",
    ),
    pytest.param(
        lambda: embedding(5, 2).apply(TABLE, jnp.array([0, -1])),
        ValueError,
        "embedding(5, 2): x must hold indices in [0, 5); got -1 at index (1,). Correct it, "
        "or make the vocabulary larger.",
        lambda: embedding(5, 2).apply(TABLE, jnp.array([0, 4])),
        id="negative index",
    ),
    pytest.param(
        lambda: embedding(5, 2).init(None, TOKENS),
        ValueError,
        "embedding(5, 2): key must be one PRNG key; got None. Pass key=jax.random.key(0).",
        lambda: embedding(5, 2).init(key=jax.random.key(0), x=TOKENS),
        id="embedding without a key",
    ),
]


@pytest.mark.parametrize(("misuse", "error", "message", "advice"), MISUSE)
def test_misuse_is_refused_with_a_remedy_that_works(misuse, error, message, advice, assert_refused):
    assert_refused(misuse, error, message, advice)
