"""The pictures of the XOR experiment, each drawn from a short run."""

import numpy as np
import pytest

from jaxnets.experiments.xor import __main__ as xor
from jaxnets.experiments.xor.draw import LR_FACTORS, spread_steps
from jaxnets.experiments.xor.networks import COMPARED, shares_solved

pytest.importorskip("matplotlib")


def visible(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


@pytest.mark.parametrize("hidden", [(), (2,), pytest.param((3, 3), marks=pytest.mark.slow)])
def test_one_network_shows_its_loss_and_its_surface_from_start_to_end(hidden):
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config(hidden=hidden, steps=50, log_every=10, lr=0.5)))
    titles = [ax.get_title() for ax in visible(figure)]
    assert titles[0] == "Loss"
    assert {"at the start", "after 50 steps"} <= set(titles)
    assert ("Hidden units at the end" in titles) == (hidden == (2,))


def test_the_loss_is_on_a_log_scale_beside_the_published_curve():
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config()))
    loss = figure.axes[0]
    assert loss.get_yscale() == "log"
    this_run, published = (line.get_ydata() for line in loss.get_lines())
    np.testing.assert_allclose(this_run, published, rtol=1e-4)


def test_a_loss_that_hardly_falls_is_on_a_linear_scale():
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config(hidden=(), steps=300)))
    assert figure.axes[0].get_yscale() == "linear"


def test_one_record_is_a_marker():
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config(steps=50)))
    line = figure.axes[0].get_lines()[0]
    assert (len(line.get_xdata()), line.get_marker()) == (1, "o")


@pytest.mark.slow
def test_networks_are_counted_in_whole_numbers():
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config(seeds=2, steps=20, log_every=10)))
    assert all(tick == round(tick) for tick in figure.axes[0].get_yticks())


@pytest.mark.slow
def test_rates_that_cannot_be_held_are_not_compared():
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config(seeds=2, steps=20, log_every=10, lr=1e38)))
    assert len(figure.axes[1].get_xticks()) == 5


def test_a_run_that_diverges_is_drawn_up_to_there():
    config = xor.Config(hidden=(10,), lr=3e38, optimizer="adam", steps=50, log_every=10)
    result = xor.run(config)
    assert result.diverged_at == 1
    titles = [ax.get_title() for ax in visible(xor.EXPERIMENT.draw(result))]
    assert "after 1 steps" in titles
    assert "after 50 steps" not in titles


@pytest.mark.slow
def test_many_networks_show_final_losses_and_shares():
    figure = xor.EXPERIMENT.draw(xor.run(xor.Config(seeds=4, steps=50, log_every=10)))
    losses, shares = figure.axes[:2]
    assert losses.get_xscale() == "log"
    assert sum(patch.get_height() for patch in losses.patches if patch.get_height()) >= 4
    assert [label.get_text() for label in shares.get_yticklabels()] == list(COMPARED)
    assert len(shares.texts) == len(COMPARED) * len(LR_FACTORS)


@pytest.mark.slow
def test_the_shares_of_one_initialiser_are_those_of_its_own_run():
    config = xor.Config(seeds=8, steps=2000, lr=3.0, log_every=1000)
    alone = xor.run(config).metrics["share_solved"]
    assert shares_solved(config, 8, [0.001, 3.0])["torch"] == [0.0, alone]


def test_steps_follow_the_fall_of_the_loss():
    history = {"step": [0, 100, 200], "loss": [1.0, 1.0, 0.0]}
    assert spread_steps(history, 300, 6) == [0, 120, 140, 160, 180, 300]


def test_a_run_without_a_record_leaves_the_first_and_the_last_step():
    assert spread_steps({"step": [], "loss": []}, 0, 6) == [0]
    assert spread_steps({"step": [], "loss": []}, 3, 6) == [0, 3]


def test_a_loss_that_never_falls_leaves_the_first_and_the_last_step():
    assert spread_steps({"step": [0, 100], "loss": [0.7, 0.8]}, 200, 6) == [0, 200]
