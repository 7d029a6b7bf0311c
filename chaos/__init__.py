"""The fault harness: measures what no test of a few minutes can, on the real parts."""
