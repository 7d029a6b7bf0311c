"""Every period counts from the first: the 31st comes back after a month that has none."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from tests.stack import now

SEOUL = ZoneInfo("Asia/Seoul")


async def test_what_begins_on_a_31st_is_charged_on_the_last_of_february_and_on_the_31st_of_march(stack):
    year = now().year + 1
    begins = datetime(year, 1, 31, 12, tzinfo=SEOUL)
    uid = await stack.start(trial_end=begins.isoformat())
    await stack.advance(uid, days=(date(year, 4, 2) - now().date()).days)
    rows = sorted(await stack.ledger.list_charges(customer_uid=uid), key=lambda row: row.cycle)
    days = [row.due_at.astimezone(SEOUL) for row in rows]
    february = 29 if date(year, 3, 1).toordinal() - date(year, 2, 1).toordinal() == 29 else 28
    assert [(day.month, day.day, day.hour) for day in days] == [
        (1, 31, 12),
        (2, february, 12),
        (3, 31, 12),
        (4, 30, 12),
    ]
    assert await stack.agree(uid) == 3
