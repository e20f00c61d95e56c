"""XOR: one layer cannot learn it, two and four layers do; checked against published tables.

The main job of the library. From the weights that ``torch.manual_seed(777)`` gives, full-batch
gradient descent on the four rows of the truth table prints the numbers of the course's PyTorch
notebooks, with no PyTorch installed::

    python -m jaxnets.experiments.xor --net 2-2-1
"""
