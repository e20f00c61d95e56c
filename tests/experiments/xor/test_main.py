"""The main job: its figures, its command line, its exit codes and what it saves."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxnets.experiments.published import xor_table
from jaxnets.experiments.xor import __main__ as xor
from jaxnets.experiments.xor.__main__ import Config, main, published, run
from jaxnets.files.params_file import load_params

SHORT = ["--steps", "300", "--no-progress"]


def call(capsys, *arguments):
    """Exit code, standard output and standard error of one command line."""
    try:
        code = main([*arguments])
    except SystemExit as left:
        code = left.code
    return code, *capsys.readouterr()


@pytest.mark.parametrize(("net", "tolerance"), [("single", 1e-6), ("2-2-1", 5e-4)])
def test_all_published_rows_are_reproduced(net, tolerance):
    report = run(Config(hidden=xor.NETS[net]))
    assert len(report.history["loss"]) == len(report.published["loss"]) == 101
    assert report.max_relative_difference <= tolerance
    first, published = report.history["loss"][0], report.published["loss"][0]
    assert abs(first - published) <= 1e-6 * published
    assert report.success


def test_all_published_rows_of_the_deep_network_are_reproduced():
    report = run(Config(hidden=(10, 10, 10)))
    assert report.max_relative_difference <= 5e-3
    assert report.history["loss"][0] == pytest.approx(report.published["loss"][0], rel=1e-6)
    assert report.accuracy == 1.0


def test_hypotheses_are_the_published_ones():
    report = run(Config())
    published = [0.00106364, 0.99889404, 0.99889404, 0.00165861]  # lab-08_2_xor_nn
    np.testing.assert_allclose(report.hypothesis, published, atol=1e-5)
    assert report.prediction == [0, 1, 1, 0]


def test_tables_are_compared_only_for_the_configuration_that_printed_them():
    assert published(Config()) == xor_table((2,))
    for other in ({"seed": 1}, {"lr": 0.5}, {"init": "he"}, {"hidden": (3,)}, {"steps": 5}):
        assert published(Config(**other)) is None


def test_a_single_layer_does_not_solve_it_and_the_program_says_why(capsys):
    code, out, _ = call(capsys, "--net", "single", "--log-every", "5000")
    assert code == 0
    assert "criterion met: a single layer does not solve XOR" in out
    assert "no line parts" in out


def test_a_missed_criterion_is_exit_code_1(capsys):
    code, out, _ = call(capsys, *SHORT)
    assert code == 1
    assert "criterion MISSED: all four outputs are on the right side of 0.5" in out


def test_json_is_one_object_and_nothing_else(capsys):
    code, out, err = call(capsys, "--json", *SHORT)
    report = json.loads(out)
    assert (code, err) == (1, "")
    assert {
        "experiment",
        "config",
        "history",
        "published",
        "max_relative_difference",
        "hypothesis",
        "prediction",
        "accuracy",
        "success",
        "seconds",
    } <= report.keys()
    assert report["history"].keys() == {"step", "loss"}
    assert report["seconds"].keys() == {"compile", "run"}
    assert report["config"]["steps"] == 300


def test_out_saves_a_run_that_can_be_read_back(capsys, tmp_path):
    folder = tmp_path / "new" / "run"
    for seed in ("777", "778"):  # the second run takes the place of the first
        call(capsys, *SHORT, "--out", str(folder), "--seed", seed)
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "history.csv", "params.safetensors", "metrics.json"}
    assert [path.name for path in folder.parent.iterdir()] == ["run"]
    assert json.loads((folder / "config.json").read_text())["seed"] == 778
    assert (folder / "history.csv").read_text().splitlines()[0] == "step,loss"
    assert len((folder / "history.csv").read_text().splitlines()) == 4
    result = run(Config(seed=778, steps=300))
    loaded = load_params(folder / "params.safetensors", like=result.params)
    np.testing.assert_array_equal(loaded["0"]["w"], result.params["0"]["w"])


@pytest.mark.parametrize("init", ["normal", "uniform", "constant", "xavier", "he"])
def test_every_initialiser_starts_a_run(init):
    assert np.isfinite(run(Config(init=init, steps=3)).history["loss"]).all()


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "adamw", "rmsprop"])
def test_every_optimizer_makes_a_run(optimizer):
    losses = run(Config(optimizer=optimizer, lr=0.01, steps=201)).history["loss"]
    assert losses[-1] < losses[0]


def test_many_seeds_report_the_share_solved(capsys):
    code, out, _ = call(capsys, "--seeds", "20", "--json", "--log-every", "1000")
    report = json.loads(out)
    low, high = report["interval"]
    assert report["members"] == 20
    assert low < report["solved"] / 20 < high
    assert report["ns_per_network_step"] > 0
    assert code == 0
    alone = run(Config(log_every=1000))
    assert (alone.accuracy == 1.0) <= (report["solved"] > 0)


def test_by_hand_it_is_the_same_run_step_for_step():
    auto, hand = (run(Config(backprop=kind)) for kind in ("auto", "hand"))
    np.testing.assert_allclose(hand.history["loss"], auto.history["loss"], rtol=5e-4)


def test_the_tutorials_rule_is_another(capsys):
    code, out, _ = call(capsys, "--backprop", "tutorial", "--log-every", "5000")
    assert code == 0
    assert "published" not in out


def test_float64_goes_no_further_than_the_run(capsys):
    import jax.numpy as jnp

    call(capsys, "--precision", "float64", *SHORT)
    assert jnp.ones(1).dtype == "float32"


def test_a_run_that_diverges_says_where_and_saves_what_it_had(capsys, tmp_path):
    code, out, _ = call(
        capsys, "--optimizer", "adam", "--lr", "3e38", *SHORT, "--out", str(tmp_path / "run")
    )
    assert code == 1
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["diverged_at"] is not None
    assert f"stopped being finite at step {metrics['diverged_at']}" in out
    assert (tmp_path / "run" / "params.safetensors").exists()


BAD = {
    "--net foo": "--net must be one of single, 2-2-1, 2-10-10-10-1; got foo. Pass 2-2-1, or "
    "--hidden 2.",
    "--optimizer foo": "--optimizer must be one of sgd, momentum, adam, adamw, rmsprop; got foo. "
    "Pass one of them.",
    "--steps 0": "--steps must be a whole number from 1 to 1073741824; got 0. Pass 1, for example.",
    "--seeds 0": "--seeds must be a whole number from 1 to 1000000; got 0. Pass 1, for example.",
    "--seeds 1000001": "--seeds must be a whole number from 1 to 1000000; got 1000001. Pass 1, for "
    "example.",
    "--lr nan": "--lr must be a positive finite number; got nan. Pass 0.1, for example.",
    "--lr -1": "--lr must be a positive finite number; got -1. Pass 0.1, for example.",
    "--hidden 10,,x": "--hidden must be widths separated by commas, each from 1 to 65536; got "
    "10,,x. Pass 10,10,10, for example.",
    "--hidden 0": "--hidden must be widths separated by commas, each from 1 to 65536; got 0. Pass "
    "10,10,10, for example.",
    "--hidden 65537": "--hidden must be widths separated by commas, each from 1 to 65536; got "
    "65537. Pass 10,10,10, for example.",
    "--net 2-2-1 --hidden 3": "--hidden must not be given with --net; got both. Leave one out.",
    "--net single --hidden 3": "--hidden must not be given with --net; got both. Leave one out.",
    "--device tpu": "--device must be one that JAX can see; got tpu. Pass --device cpu, or install "
    "what it needs: pip install -e '.[tpu]'",
    "--device gpu": "--device must be one that JAX can see; got gpu. Pass --device cpu, or install "
    "what it needs: pip install -e '.[cuda13]'",
    "--lr 1e39": "--lr must be from 1.2e-38 to 3.4e+38, which float32 can hold; got 1e+39. Pass "
    "0.1, for example.",
    "--lr 1e-46": "--lr must be from 1.2e-38 to 3.4e+38, which float32 can hold; got 1e-46. Pass "
    "0.1, for example.",
    "--out ": "--out must name a place; got ''. Pass runs/first, for example, or leave it out.",
    "--plot ": "--plot must name a place; got ''. Pass runs/first, for example, or leave it out.",
    "--rate 1": "arguments must be known; got --rate 1. See --help.",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_line_and_exit_code_2(capsys, arguments):
    if arguments == f"--device {jax.default_backend()}":
        pytest.skip("JAX sees that device")
    code, out, err = call(capsys, *arguments.split(" "))
    assert (code, out) == (2, "")
    assert err == f"xor: {BAD[arguments]}\n"


def test_a_place_that_cannot_be_written_is_refused_before_the_run(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for place, reason in ((file, "is a file"), (file / "run", "is inside")):
        code, out, err = call(capsys, "--out", str(place))
        assert (code, out) == (2, "")
        assert err.startswith(f"xor: --out must name a folder that can be written; got {place}")
        assert reason in err
        assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


FILES = ["config.json", "history.csv", "metrics.json", "params.safetensors"]


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_refused_before_the_run(capsys, tmp_path, name):
    (tmp_path / name).mkdir()
    code, out, err = call(capsys, "--out", str(tmp_path))
    assert (code, out) == (2, "")
    assert f"which holds a folder named {name}. Pass a new folder" in err
    assert err.count("\n") == 1


def test_all_saved_files_are_readable_alike(capsys, tmp_path):
    call(capsys, *SHORT, "--out", str(tmp_path))
    assert len({path.stat().st_mode for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."),
        jax.errors.JaxRuntimeError("INTERNAL: Error: Out of memory allocating 9 bytes."),
    ],
)
def test_running_out_of_memory_is_one_line_and_exit_code_1(capsys, error):
    def run(config, *, progress=False):
        raise error

    assert dataclasses.replace(xor.EXPERIMENT, run=run).main([]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "must fit into memory" in err


def test_another_error_of_the_device_is_not_called_memory():
    def run(config, *, progress=False):
        raise jax.errors.JaxRuntimeError("INTERNAL: a fault")

    with pytest.raises(jax.errors.JaxRuntimeError, match="a fault"):
        dataclasses.replace(xor.EXPERIMENT, run=run).main([])


@pytest.mark.slow
def test_the_seeds_of_many_networks_are_said(capsys):
    _, out, _ = call(capsys, *SHORT, "--seeds", "3", "--seed", "5")
    assert "diverged; seeds 5 to 7" in out


def test_many_single_layers_are_judged_by_what_is_said(capsys):
    arguments = [
        "--net",
        "single",
        "--seeds",
        "5",
        "--steps",
        "2",
        "--log-every",
        "1",
        "--lr",
        "1000",
    ]
    assert xor.main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["solved"] == 0
    assert report["criterion"] == (
        "a single layer does not solve XOR: no network has all four outputs right"
    )
