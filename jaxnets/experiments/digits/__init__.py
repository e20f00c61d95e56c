"""Digits: handwritten digits read by a multilayer perceptron in mini-batches.

The four steps of the course, which are those of every classifier: the model, the data, training,
and the test on examples that had no part in it. Out of the box on the digits shipped with
jaxnets, or on MNIST from a folder of its files::

    python -m jaxnets.experiments.digits
    python -m jaxnets.experiments.digits --data path/to/mnist
"""
