"""Charging: scheduling at PortOne, sending, stopping, looking up, and what follows from what was proven."""
