"""The systems of the course as experiments: ``python -m jaxnets.experiments`` lists them."""
