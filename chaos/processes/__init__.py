"""Real processes on loopback, killed, stopped, cut off and flooded while many subscribers live."""
