"""Chunks that take about as long as asked, whatever their steps are; clocks are simulated."""

import pytest

from jaxnets.training.pace import FIRST_STEPS, MOST_GROWTH, Pace


def chunks(seconds_of, *, count, every=0, seconds=0.25, work=1):
    """Steps and seconds of the first chunks of a run whose clock is ``seconds_of(start, end)``."""
    pace = Pace(seconds, work=work, evaluate_every=every, longest=10**9)
    found, at = [], 0
    for _ in range(count):
        steps = pace.steps(at)
        found.append((steps, seconds_of(at, at + steps)))
        pace.made(*found[-1])
        at += steps
    return found


@pytest.mark.parametrize("step", [1e-6, 1e-4, 1e-2])
def test_an_even_run_soon_has_chunks_of_the_time_asked_for(step):
    found = chunks(lambda start, end: 1e-4 + (end - start) * step, count=8)
    assert found[0][0] == FIRST_STEPS
    assert found[-1][1] == pytest.approx(0.25, rel=0.1)
    assert max(seconds for _, seconds in found) < 0.33


def test_the_first_chunk_of_a_large_step_is_one_step():
    assert chunks(lambda start, end: 1.0, count=1, work=10**9)[0][0] == 1


@pytest.mark.parametrize("evaluation", [0.01, 0.1, 0.4])
def test_evaluations_between_quick_steps_do_not_pile_up(evaluation):
    every = 1000

    def seconds_of(start, end):
        return (end - start) * 8e-6 + evaluation * (end // every - start // every)

    found = chunks(seconds_of, count=200, every=every)
    # One evaluation cannot be cut; besides it there is no more than what was asked for.
    assert max(seconds for _, seconds in found) < 0.3 + evaluation


def test_a_chunk_that_happened_to_be_quick_makes_no_long_one():
    found = chunks(lambda start, end: 1e-9 if not start else (end - start) * 1e-4, count=9)
    assert found[1][0] == MOST_GROWTH * found[0][0]
    assert max(seconds for _, seconds in found) < 0.26


def test_a_machine_that_slows_down_is_followed():
    found = chunks(lambda start, end: (end - start) * (1e-5 if start < 10**5 else 3e-5), count=30)
    late = [seconds for _, seconds in found]
    assert max(late) < 0.76
    assert late[-1] == pytest.approx(0.25, rel=0.1)


def test_a_chunk_of_no_steps_says_nothing():
    pace = Pace(0.25, work=1, evaluate_every=0, longest=100)
    pace.made(0, seconds=1.0)
    assert pace.steps(0) == FIRST_STEPS
