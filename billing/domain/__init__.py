"""What subscription billing knows, in plain Python: no I/O, no clock, no randomness, the standard library only.

Workflow code runs these modules inside Temporal's sandbox, so a function here gives the same answer for the same
arguments, always. Whoever needs the time or random bytes passes them in.
"""
