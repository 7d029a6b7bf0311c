"""The console's Recovery: failed schedules run again at an hour of the next day, daily until paid (facts.md 3.2).

Charges that were not made by a schedule are left alone, as in V1, and so is a schedule that was booked anew meanwhile.
"""

from datetime import UTC, datetime, time, timedelta, timezone

from billing.emulator.store import Record
from billing.emulator.world import World

SEOUL = timezone(timedelta(hours=9))
"""The console counts calendar days in Korean time."""

_SWITCH = "recovery"


def switch_recovery(world: World, hour: int | None) -> Record:
    """Turn Recovery on for an hour of the day, or off; what failed before and has that hour ahead is run again too."""
    if hour is None:
        world.store.drop("switches", _SWITCH)
        for merchant_uid in list(world.store["recoveries"]):
            world.store.drop("recoveries", merchant_uid)
        return {"hour": None, "waiting": []}
    world.store.put("switches", _SWITCH, {"hour": hour})
    for schedule in list(world.store["schedules"].values()):
        if _failed(world, schedule) and _after(schedule["executed_at"], hour) > world.clock.now(
            schedule["customer_uid"]
        ):
            plan_recovery(world, schedule)
    return {"hour": hour, "waiting": list(world.store["recoveries"])}


def plan_recovery(world: World, schedule: Record) -> None:
    """Remember a schedule that has just run, when it failed and Recovery is on."""
    switch = world.store["switches"].get(_SWITCH)
    if switch is None or schedule["payment_status"] != "failed":
        return
    at = _after(schedule["executed_at"], switch["hour"])
    world.store.put("recoveries", schedule["merchant_uid"], {"at": at, "customer_uid": schedule["customer_uid"]})
    world.expect(schedule["customer_uid"], at, "recovery", schedule["merchant_uid"])


def take_recovery(world: World, merchant_uid: str) -> Record | None:
    """The schedule whose hour has come, struck off; None when it was paid or booked anew meanwhile."""
    world.store.drop("recoveries", merchant_uid)
    schedule = world.store["schedules"][merchant_uid]
    return schedule if _failed(world, schedule) else None


def _failed(world: World, schedule: Record) -> bool:
    ran = (schedule["schedule_status"], schedule["payment_status"]) == ("executed", "failed")
    return ran and not world.is_paid(schedule["merchant_uid"])


def _after(executed_at: float, hour: int) -> float:
    day = datetime.fromtimestamp(executed_at, UTC).astimezone(SEOUL).date() + timedelta(days=1)
    return datetime.combine(day, time(hour), SEOUL).timestamp()
