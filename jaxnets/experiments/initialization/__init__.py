"""Initialization: how far a signal carries by the first weights, and which of them solve XOR.

The course sets w in three ways: random numbers, all 0.5, and scaled by fan-in. They stand here
beside the rules named after Xavier, He and LeCun, and orthogonal matrices. All biases are 0, so
that nothing but the weights is compared::

    python -m jaxnets.experiments.initialization --plot
"""
