"""How long a test waits for what comes by an event: only what never comes takes so long."""

PATIENCE_SECONDS = 300
"""The machine may be slow and busy with others: how long something takes is measured in bench/, never in a test."""
