"""A PortOne V1 that runs locally: its own models, its own clock, its own books, and fault switches.

It knows nothing of gudok: neither its client nor its domain. It stands for somebody else's system.
"""

from billing.emulator.app import create_emulator
from billing.emulator.faults import Plan, PlanError, read_plan
from billing.emulator.serving import serve
from billing.emulator.settings import EmulatorSettings, Family, read_switches
from billing.emulator.store import StateLostError

__all__ = [
    "EmulatorSettings",
    "Family",
    "Plan",
    "PlanError",
    "StateLostError",
    "create_emulator",
    "read_plan",
    "read_switches",
    "serve",
]
