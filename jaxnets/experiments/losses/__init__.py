"""Losses: the course's printed examples, gradients by hand beside autodiff, surfaces and an error.

Mean squared, mean absolute and root mean squared error, binary cross-entropy, and cross-entropy,
which is the negative log-likelihood of the log-softmax to the last bit::

    python -m jaxnets.experiments.losses --plot

Nothing is trained.
"""
