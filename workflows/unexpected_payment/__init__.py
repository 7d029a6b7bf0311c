"""Payments that nobody here ordered, or that came too late: noticed, settled, given back."""
