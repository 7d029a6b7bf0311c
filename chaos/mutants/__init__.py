"""Sabotages of the product, each with the test of behaviour that catches it: proof that the tests can fail."""
