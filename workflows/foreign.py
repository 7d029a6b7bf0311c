"""What a person did in PortOne's console, or PortOne late by itself: noticed, looked up, booked in a named state."""

from workflows.subscription_run import SubscriptionRun


async def look_again(run: SubscriptionRun) -> None:
    """Look at everything PortOne has for the open period, because somebody said that it differs."""
    run.state.look_asked = False
