"""The rules of billing in plain Python: no I/O, no clock, no randomness, standard library only."""
