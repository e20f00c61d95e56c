"""Parameters on disk: what comes back is what was saved, and what does not fit is named."""

import json
import os
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jaxnets as jn
from jaxnets.errors import ArgumentError, ArgumentTypeError, ArgumentValueError
from jaxnets.files.params_file import load_params, save_params

NET = jn.sequential(jn.dense(3), jn.relu, jn.dense(1))
PARAMS = NET.init(jax.random.key(0), jnp.zeros((1, 2)))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "params.safetensors"


def assert_equal(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_what_comes_back_is_what_was_saved(file, kind):
    save_params(PARAMS, kind(file))
    assert_equal(load_params(kind(file), like=PARAMS), PARAMS)


def test_shapes_are_enough_to_load(file):
    save_params(PARAMS, file)
    like = jax.eval_shape(NET.init, jax.random.key(1), jnp.zeros((1, 2)))
    assert_equal(load_params(file, like=like), PARAMS)


def test_the_file_is_plain_safetensors_under_the_names_of_the_paths(file):
    save_params(PARAMS, file)
    found = safetensors.numpy.load_file(file)
    assert sorted(found) == ["0/b", "0/w", "2/b", "2/w"]
    np.testing.assert_array_equal(found["0/w"], PARAMS["0"]["w"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int32", "bool", "uint8"])
def test_every_dtype(file, dtype):
    params = {"a": jnp.array([[0, 1], [2, 3]], dtype)}
    save_params(params, file)
    assert_equal(load_params(file, like=params), params)


def test_float64(file, x64):
    params = {"a": jnp.array([1 / 3], "float64")}
    save_params(params, file)
    assert_equal(load_params(file, like=params), params)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 1, 3)])
def test_every_shape(file, shape):
    params = {"a": jnp.ones(shape)}
    save_params(params, file)
    assert_equal(load_params(file, like=params), params)


def test_an_array_that_is_not_contiguous(file):
    params = {"a": np.arange(6.0, dtype="f4").reshape(2, 3).T}
    save_params(params, file)
    np.testing.assert_array_equal(load_params(file, like=params)["a"], params["a"])


def test_no_parameters_at_all(file):
    save_params({}, file)
    assert load_params(file, like={}) == {}


def test_saving_again_replaces_the_file(file):
    save_params(PARAMS, file)
    changed = jax.tree.map(lambda leaf: leaf + 1, PARAMS)
    save_params(changed, file)
    assert_equal(load_params(file, like=PARAMS), changed)


ADVICE = r"\. Load it into the model that it was saved from\.$"

MISFITS = {
    "missing": (
        {"0": {"w": jnp.zeros((2, 3)), "b": jnp.zeros(3), "c": jnp.zeros(5)}, "2": PARAMS["2"]},
        r"'0/c' in params\.safetensors must be float32\[5\]; got nothing",
    ),
    "left over": (
        {"0": PARAMS["0"]},
        r"'2/b' in params\.safetensors must be nothing; got float32\[1\]",
    ),
    "shape": (
        {**PARAMS, "0": {"w": jnp.zeros((3, 3)), "b": jnp.zeros(3)}},
        r"'0/w' in params\.safetensors must be float32\[3,3\]; got float32\[2,3\]",
    ),
    "dtype": (
        {**PARAMS, "0": {"w": jnp.zeros((2, 3), "bfloat16"), "b": jnp.zeros(3)}},
        r"'0/w' in params\.safetensors must be bfloat16\[2,3\]; got float32\[2,3\]",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_named(file, name):
    like, message = MISFITS[name]
    save_params(PARAMS, file)
    with pytest.raises(ArgumentValueError, match="^load_params: " + message + ADVICE):
        load_params(file, like=like)


@pytest.mark.parametrize(
    "content",
    [b"", b"no safetensors", (10**6).to_bytes(8, "little") + b"{}"],
    ids=["empty", "text", "header too long"],
)
def test_a_file_of_another_kind_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(
        ArgumentValueError, match=r"^load_params: path must name a safetensors file; got .*params"
    ):
        load_params(file, like=PARAMS)


def test_a_truncated_file_is_refused(file):
    save_params(PARAMS, file)
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(ArgumentValueError, match=r"must name a safetensors file; got"):
        load_params(file, like=PARAMS)


def test_a_file_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "nowhere.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        load_params(file, like=PARAMS)
    assert str(caught.value) == (
        f"load_params: path must name a file that is there; got {file}. Save one there with "
        "jn.save_params(params, path)."
    )
    jn.save_params(PARAMS, file)
    assert_equal(jn.load_params(file, like=PARAMS), PARAMS)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    file = tmp_path / "nowhere" / "params.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        save_params(PARAMS, file)
    assert str(caught.value) == (
        f"save_params: path must be in a folder that is there; got {file}. Make it with "
        "Path(path).parent.mkdir(parents=True)."
    )
    file.parent.mkdir(parents=True)
    save_params(PARAMS, file)
    assert file.exists()


FUNCTIONS = {
    "save_params": lambda path: save_params(PARAMS, path),
    "load_params": lambda path: load_params(path, like=PARAMS),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_folder_is_no_file(name):
    with pytest.raises(ArgumentValueError) as caught:
        FUNCTIONS[name](".")
    assert str(caught.value) == (
        f"{name}: path must name a file; got the folder '.'. Pass one in it, such as "
        '"params.safetensors".'
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_number_is_no_path(name):
    with pytest.raises(ArgumentTypeError) as caught:
        FUNCTIONS[name](3)
    assert str(caught.value) == (
        f'{name}: path must be a path; got 3. Pass "params.safetensors", for example.'
    )


@pytest.mark.parametrize(
    ("leaf", "shown"), [(jax.random.key(0), "key<fry>[]"), (np.array(["a"]), "<U1[1]")]
)
def test_only_numbers_are_saved(file, leaf, shown):
    with pytest.raises(ArgumentTypeError) as caught:
        save_params({"a": {"key": leaf}}, file)
    assert str(caught.value) == (
        f"save_params: params must hold numbers at 'a/key'; got {shown}. Leave it out, or save "
        "jax.random.key_data(key) of a PRNG key."
    )
    assert not file.exists()
    save_params({"a": {"key": jax.random.key_data(jax.random.key(0))}}, file)


def test_two_parameters_of_one_path_are_refused(file):
    with pytest.raises(ArgumentValueError, match=r"'a/b'"):
        save_params({"a": {"b": jnp.ones(1)}, "a/b": jnp.zeros(1)}, file)
    assert not file.exists()


def test_the_header_holds_nothing_that_could_run(file):
    save_params({"a": jnp.ones(2)}, file)
    raw = file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    assert json.loads(raw[8 : 8 + length]) == {
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    }
    assert len(raw) == 8 + length + 8


@pytest.mark.parametrize("dtype", ["int4", "float8_e4m3fn"])
def test_a_dtype_that_would_not_read_back_is_refused(file, dtype):
    with pytest.raises(ArgumentTypeError) as caught:
        save_params({"a": jnp.zeros(3, dtype)}, file)
    assert str(caught.value) == (
        f"save_params: params must be of a dtype that reads back at 'a'; got {dtype}[3]. Convert "
        "it to float32."
    )
    assert not file.exists()


def test_float64_is_not_narrowed_without_a_word(file):
    params = {"a": np.array([1 / 3])}
    save_params(params, file)
    with pytest.raises(ArgumentValueError) as caught:
        load_params(file, like=params)
    assert str(caught.value) == (
        f"load_params: 'a' in {file.name} must be of a dtype of 32 bits or fewer; got float64[1]. "
        "Load it under jax.enable_x64(True)."
    )
    with jax.enable_x64(True):
        assert_equal(load_params(file, like=params), params)


def test_the_name_that_the_format_keeps_for_itself_is_refused(file):
    with pytest.raises(ArgumentValueError, match="have another name than '__metadata__'"):
        save_params({"__metadata__": jnp.ones(1)}, file)


def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "fsync", refuse)
    file = tmp_path / "a.safetensors"
    with pytest.raises(OSError, match=r"^save_params: path must name a file that can be written"):
        save_params(PARAMS, file)


# Without the parameters expected.


@pytest.mark.parametrize(
    "params",
    [
        PARAMS,
        {"a": {"b": {"": jnp.ones(2)}, "c": jnp.zeros((), "int32")}},
        {"": {"": jnp.ones(1)}, "b": jnp.ones((0, 3))},
        {},
    ],
)
def test_the_structure_is_read_from_the_paths(file, params):
    save_params(params, file)
    assert_equal(load_params(file), params)


def test_parameters_that_are_one_array_come_back_as_one(file):
    save_params(jnp.arange(3.0), file)
    np.testing.assert_array_equal(load_params(file), [0.0, 1.0, 2.0])


def test_a_list_comes_back_as_a_dict_unless_it_is_expected(file):
    params = [jnp.ones(1), jnp.zeros(2)]
    save_params(params, file)
    assert_equal(load_params(file), {"0": params[0], "1": params[1]})
    assert_equal(load_params(file, like=params), params)


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a/b/c")])
def test_paths_of_no_nested_dict_are_refused(file, names):
    safetensors.numpy.save_file({name: np.ones(1, "f4") for name in names}, file)
    with pytest.raises(
        ArgumentValueError, match=r"^load_params: 'a.*' in params\.safetensors must"
    ):
        load_params(file)


# Files and parameters of all kinds.


@pytest.mark.parametrize("code", ["F8_E4M3", "F8_E5M2", "F4", "F8_E8M0"])
def test_a_file_of_a_dtype_that_numpy_lacks_is_refused(file, code):
    header = json.dumps({"a": {"dtype": code, "shape": [8], "data_offsets": [0, 8]}}).encode()
    if code == "F4":
        header = header.replace(b"[8]", b"[16]")
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ArgumentValueError) as caught:
        load_params(file)
    assert str(caught.value) == (
        "load_params: 'a' in params.safetensors must be of one of the dtypes BF16, BOOL, C64, F16, "
        f"F32, F64, I8, I16, I32, I64, U8, U16, U32, U64; got {code}. Convert it to float32."
    )


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("files", [300, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_mutated_file_is_refused_in_words_or_read(file, files, mutated):
    params = {"a": np.arange(6, dtype="i1").reshape(2, 3), "0": {"w": np.ones((3, 1), "f4")}}
    save_params(params, file)
    whole, moments, refused = file.read_bytes(), random.Random(0), 0
    for _ in range(files):
        file.write_bytes(mutated(whole, moments))
        try:
            load_params(file)
        except ArgumentError:
            refused += 1
    assert 0.5 * files < refused < files


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_pipe_is_not_waited_for(tmp_path, kind):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArgumentValueError, match=rf"^{kind}: path must name a file; got the pipe"):
        FUNCTIONS[kind](tmp_path / "pipe")


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("path", [None, 3, b"a", "a\0b", "x" * 300, "\ud800", ""])
def test_no_path_of_whatever_kind_is_met_with_other_words(kind, path):
    with pytest.raises(ArgumentError, match=rf"^{kind}: path must "):
        FUNCTIONS[kind](path)


@pytest.mark.parametrize(
    ("leaf", "rule"),
    [
        (np.ma.masked_array([1.0, 2.0], [True, False]), "hold no masked array at 'a'"),
        (np.array([1.0], np.longdouble), "be of a dtype that reads back at 'a'"),
        (np.array([None]), "hold numbers at 'a'"),
        ("text", "hold numbers at 'a'"),
        (object(), "hold numbers at 'a'"),
        (np.array(["2026-01-01"], "datetime64[D]"), "hold numbers at 'a'"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(file, leaf, rule):
    with pytest.raises(ArgumentTypeError, match=f"^save_params: params must {rule}; got "):
        save_params({"a": leaf}, file)
    assert not file.exists()


def test_names_that_cannot_be_sorted_are_refused(file):
    with pytest.raises(
        ArgumentTypeError, match=r"^save_params: params must have names of one kind"
    ):
        save_params({"a": jnp.ones(1), 1: jnp.ones(1)}, file)


def test_parameters_that_are_being_traced_are_refused(file):
    with pytest.raises(ArgumentValueError, match=r"must be known at 'a'; .+ outside jax\.jit\."):
        jax.jit(lambda a: save_params({"a": a}, file))(jnp.ones(1))


def test_the_home_of_the_user_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_params(PARAMS, "~/a.safetensors")
    assert (tmp_path / "a.safetensors").exists()
    assert_equal(load_params("~/a.safetensors"), PARAMS)


def test_anyone_may_read_what_is_saved(file):
    before = os.umask(0o022)
    save_params(PARAMS, file)
    os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o644
