"""The examples run, and find what they say they find."""

import runpy
from pathlib import Path

import jax
import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def run(name):
    (path,) = (path for path in EXAMPLES if path.stem == name)
    with jax.numpy_rank_promotion("allow"):  # an example is written as its reader would
        return runpy.run_path(str(path))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_at_most_twenty_lines_of_program(path):
    code = path.read_text().split('"""')[2].splitlines()
    assert sum(bool(line.strip()) for line in code) <= 20


def test_every_example_is_run_by_a_test():
    here = Path(__file__).read_text()
    assert not [path.stem for path in EXAMPLES if f'run("{path.stem}")' not in here]


@pytest.mark.slow
def test_the_equation_is_solved():
    assert run("poisson")["error"] <= 1e-4


@pytest.mark.slow
def test_nine_in_ten_targets_fall_into_the_interval_of_ninety_percent():
    """And beyond the data, where no member knows anything, the members disagree."""
    found = run("ensemble")
    assert abs(found["coverage"] - 0.9) <= 0.03
    assert found["wider"] >= 2


@pytest.mark.slow
def test_the_autoencoder_needs_fewer_nats_than_frequencies_of_pixels_do():
    found = run("vae")
    result = found["result"]
    assert result.scores["loss"] <= found["blind"] - 2
    np.testing.assert_allclose(
        result.scores["loss"], result.scores["error"] + result.scores["code"], rtol=1e-5
    )
    # The code is used: it carries more than the two bits that tell a few classes apart.
    assert result.scores["code"] >= 2
    assert len(result.validation["loss"]) == 60


@pytest.mark.slow
def test_each_penalty_halves_the_error_and_both_do_better_still():
    (without, slopes), (l2, both) = run("penalties")["errors"].mean(0)
    assert max(slopes, l2) <= without / 2
    assert both <= min(slopes, l2)


@pytest.mark.slow
def test_a_student_without_labels_comes_close_to_its_teacher():
    scores = run("distillation")["scores"]
    assert scores["teacher"] >= 0.95
    assert scores["student"] >= scores["teacher"] - 0.05
    assert scores["student of noise"] <= 0.7


@pytest.mark.slow
def test_a_sixteenth_of_the_weights_learns_what_all_do_and_others_do_not():
    found = run("lottery")
    x, y = found["test"]
    every, *_, eighth, ticket = (np.mean(r.predict(x).argmax(1) == y) for r in found["runs"])
    other = np.mean(found["other"].predict(x).argmax(1) == y)
    assert eighth >= every - 0.01
    assert ticket >= every - 0.07
    assert other <= ticket - 0.15
    mask = found["runs"][-1].params["mask"]["1"]["0"]["w"]
    assert abs(mask.mean() - 1 / 16) <= 0.001
    np.testing.assert_array_equal(np.unique(mask), [0, 1])
    # Later rounds compile nothing.
    first, *later = (r.seconds["compile"] for r in found["runs"])
    assert sum(later) <= first / 2


@pytest.mark.slow
def test_every_agent_learns_to_hold_the_pole():
    up = run("reinforce")["study"].history["up"]
    assert up.shape == (64, 100)
    assert up[:, 0].mean() <= 60
    assert up[:, -10:].mean(1).min() >= 180


@pytest.mark.slow
def test_one_step_from_the_parameters_of_maml_learns_a_sine():
    found = run("maml")
    assert found["maml"] <= 1
    assert found["maml"] <= found["joint"] / 3


@pytest.mark.slow
def test_sines_learn_the_edges_of_an_image_that_tanh_blurs():
    found = run("siren")
    assert found["sines"] >= 40
    assert found["tanhs"] <= 15


@pytest.mark.slow
def test_fifty_layers_of_selu_keep_mean_and_variance_and_learn():
    runs = run("self_normalising")["runs"]
    mean, variance, accuracy = runs["selu"]
    assert abs(mean) <= 0.2
    assert 0.8 <= variance <= 1.2
    assert accuracy >= 0.9
    assert runs["relu"][1] <= 1e-10
    assert runs["relu"][2] <= accuracy - 0.05
