"""The real workflows on a Temporal, a PortOne and a ledger of plain Python, in virtual time: many lives a second.

Nothing here is a process, a socket or a thread, so a life that breaks a promise is the same one the next time, and
Hypothesis can make it smaller. What Temporal itself promises is tried on the real one (`chaos.rounds`).
"""
