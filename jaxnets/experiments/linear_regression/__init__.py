"""Linear regression as a ladder: from a NumPy loop with the gradient by hand to a Model and optax.

64 rows of 4 random inputs and 2 random targets, y = x w, half the summed squared error and 5,000
steps at 1e-6, the same thing written again and again with one piece of the work handed over at
each rung. Rungs of one update rule give the same numbers. Beside them stand the least-squares
solution, which they approach, and where gradient descent is after so many steps in closed form::

    python -m jaxnets.experiments.linear_regression
"""
