"""Every mutant there is."""

from chaos.mutants import of_edges, of_lives, of_rules

MUTANTS = (*of_rules.MUTANTS, *of_edges.MUTANTS, *of_lives.MUTANTS)
"""The domain first, then the edges, then the workflows."""
