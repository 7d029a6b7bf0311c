"""The subscription as a pure machine: its state, the terms it lives by, its next step."""
