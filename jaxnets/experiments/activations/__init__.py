"""Activations: every function with its derivative; vanishing and exploding gradients; dead units.

What the course draws, and what it says of it in words only, measured::

    python -m jaxnets.experiments.activations --plot
"""
