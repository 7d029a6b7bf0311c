"""How long a test waits for what comes by an event: only what never comes takes so long."""

import httpx

PATIENCE_SECONDS = 300
"""The machine may be slow and busy with others: how long something takes is measured in bench/, never in a test."""


def patient_client(base_url, *, timeout=PATIENCE_SECONDS, **options):
    """A client that waits as long as a test does, and meets no connection that the server has just closed."""
    each_its_own = httpx.Limits(max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=base_url, timeout=timeout, limits=each_its_own, trust_env=False, **options)
