"""Activation functions: ``f(x, **options) -> (f(x), f'(x))``, the derivative beside the value.

All act on each element alone, so x, f(x) and f'(x) have one shape, any. In a network x is what
the course calls l1 and f(x) its a1, and a gradient passes backwards through the unit as

  d_l1 = d_a1 f'(l1)         (d_l1 is dL/dl1, d_a1 is dL/da1; element by element)

At a kink the derivative is one-sided, the same side as PyTorch's. Softmax and the learned slope,
which are not elementwise, stand with the layers.
"""

__all__: list[str] = []
