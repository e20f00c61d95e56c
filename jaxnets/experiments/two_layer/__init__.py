"""Two layers fitted to random numbers: the course's first network, step by step as in PyTorch.

64 rows of 1000 random inputs, 100 hidden ReLU units and 10 outputs, no biases, the summed squared
error to random targets. Everything is drawn from one stream in the order of the course's program:
x, y, w1, w2, all standard normal. With ``--init torch`` that is PyTorch's stream after
``manual_seed``, and the losses are PyTorch's::

    python -m jaxnets.experiments.two_layer --init torch --seed 777

There are 640 targets and 101,000 weights, so the loss can fall to 0. In float32 it does so ever
more slowly, as updates become smaller than the last bit of the weights they change, and from
about step 250 on rounding moves its fourth digit, in PyTorch too: the last column shows how far
PyTorch's losses move when every number drawn moves by at most its last bit. In float64
(``--precision float64``) all printed losses agree to 1e-9.
"""
