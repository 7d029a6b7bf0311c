"""Refunds: one workflow for each, so that no two of a payment ever race."""
