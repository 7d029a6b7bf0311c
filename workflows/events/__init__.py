"""Events on their way to whoever listens, in order."""
