"""Perceptron: one unit learns AND, OR and NAND but not XOR; Rosenblatt's rule keeps its bound.

Two ways to train the same straight line. The course's ``Perceptron``, a sigmoid unit, follows
the gradient of the cross-entropy. Rosenblatt's unit of 1958 has a step in place of the sigmoid
and so no gradient; its rule adds every misjudged example to the weights, and Novikoff's theorem
bounds how often that happens if there is a line at all::

    python -m jaxnets.experiments.perceptron --plot
"""
