"""The contracts that activations, losses and metrics share.

- `arrays`: what counts as an array, in which type arithmetic is done, how axes are lined up;
- `calls`: the boundary of a public function, with its compilation and its errors;
- `data`: labels and probabilities, and what becomes of values that mean nothing;
- `reduction`: weights, then the mean or the sum.
"""

__all__: list[str] = []
