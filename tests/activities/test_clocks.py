"""What time it is, and for whom."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from temporalio.exceptions import ApplicationError

from activities.clocks import Clocks
from billing.domain.clock import Clock
from billing.settings import Settings

AT = datetime(2027, 1, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_whoever_has_no_clock_of_its_own_lives_by_everybodys():
    clock = Clock(AT, {"kim": HOUR, "lee": 2 * HOUR})
    assert clock.now() == clock.now("park") == clock.now(None) == AT
    assert clock.now("kim") == AT + HOUR
    # A second card belongs to the subscription whose clock was moved.
    assert clock.now("kim-new", "kim") == AT + HOUR
    assert clock.latest() == AT + 2 * HOUR
    assert Clock(AT).latest() == AT


async def test_the_emulators_clocks_are_read_as_they_stand(stack):
    for uid, seconds in (("kim", 3600), ("lee", 7200)):
        await stack.emulator.post("/emulator/clock", json={"customer_uid": uid, "advance_seconds": seconds})
    await stack.emulator.post("/emulator/clock", json={"advance_seconds": 60})
    clock = await Clocks(stack.settings).read(AT)
    assert (clock.everybody, clock.now("kim"), clock.latest()) == (
        AT + timedelta(seconds=60),
        AT + timedelta(seconds=3660),
        AT + timedelta(seconds=7260),
    )


async def answering(status):
    app = web.Application()

    async def answer(_request):
        return web.json_response({}, status=status)

    app.router.add_get("/emulator/clock", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, "http://{}:{}".format(*runner.addresses[0][:2])


async def test_a_portone_without_test_clocks_has_one_clock():
    runner, url = await answering(404)
    assert await Clocks(Settings(mode="test", portone_url=url)).read(AT) == Clock(AT)
    await runner.cleanup()


async def test_clocks_that_do_not_answer_are_asked_again():
    runner, url = await answering(500)
    clocks = Clocks(Settings(mode="test", portone_url=url))
    with pytest.raises(ApplicationError, match="do not answer"):
        await clocks.read(AT)
    await runner.cleanup()
    with pytest.raises(ApplicationError, match="do not answer"):
        await clocks.read(AT)


async def test_in_production_nobody_is_asked():
    secret = "0123456789abcdef0123456789abcdef"
    settings = Settings(
        mode="production",
        portone_url="https://portone.invalid",
        portone_imp_key="key",
        portone_imp_secret=secret,
        public_url="https://gudok.invalid",
        api_keys=secret,
        webhook_secret=secret[::-1],
        vault_key="0" * 64,
        event_key="1" * 64,
    )
    assert await Clocks(settings).read(AT) == Clock(AT)
