"""The length of chunks: as many steps as take about a given time, by the pace of those before."""

from collections import deque

__all__ = ["Pace"]

FIRST_STEPS = 10
"""The most steps in the first chunk: one may take longer than its work makes one think."""

FIRST_WORK = 2**24
"""The most products of examples and parameters in the first chunk."""

MOST_GROWTH = 64
"""The most that a chunk may have in steps, as a multiple of the one before."""


class Pace:
    """The pace of a run, from which the length of its next chunk follows.

    The pace is the slower one of the last chunk's and the average over the last chunks, at least
    two and as many as have an evaluation among them: neither a chunk that happened to be quick nor
    one between two evaluations makes the next one long.

    Args:
      seconds: The time that a chunk is to take.
      work: Products of examples and parameters in a step.
      evaluate_every: Steps between evaluations, 0 for none.
      longest: The most steps that a chunk may have.

    Example:
      >>> pace = Pace(0.25, work=100, evaluate_every=0, longest=4096)
      >>> pace.steps(0)
      10
      >>> pace.made(10, seconds=0.01)
      >>> pace.steps(10)
      250
    """

    def __init__(self, seconds: float, *, work: int, evaluate_every: int, longest: int) -> None:
        self._seconds = seconds
        self._first = min(FIRST_STEPS, FIRST_WORK // max(1, work))
        self._evaluate_every = evaluate_every
        self._longest = longest
        self._chunks: deque[tuple[int, float]] = deque()
        self._steps, self._spent = 0, 0.0

    def made(self, steps: int, seconds: float) -> None:
        """Take note of a chunk, unless it came to nothing."""
        if not steps:
            return
        chunks = self._chunks
        chunks.append((steps, seconds))
        self._steps, self._spent = self._steps + steps, self._spent + seconds
        while len(chunks) > 2 and self._steps - chunks[0][0] >= self._evaluate_every:
            steps, seconds = chunks.popleft()
            self._steps, self._spent = self._steps - steps, self._spent - seconds

    def steps(self, at: int) -> int:
        """The steps of the chunk that begins after ``at`` steps."""
        size, every = self._first, self._evaluate_every
        if self._chunks:
            made, seconds = self._chunks[-1]
            slowest = max(seconds / made, self._spent / self._steps, 1e-9)
            size = min(int(self._seconds / slowest), MOST_GROWTH * made)
        if every and self._steps < every:
            # What an evaluation takes is not known yet: no two of them.
            size = min(size, every - at % every)
        return max(1, min(size, self._longest))
