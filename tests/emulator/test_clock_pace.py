"""Years lived in small steps: each charge at its own instant, and no step dearer because others are there."""


async def test_a_year_of_schedules_registered_one_after_another_runs_each_at_its_own_instant(merchant, receiver):
    await merchant.issue()
    month = 30 * 24 * 3600
    planned = []
    for number in range(12):
        row = await merchant.schedule(f"m{number:02d}", after=month)
        planned.append((row["merchant_uid"], row["schedule_at"]))
        for _ in range(29):
            assert await merchant.advance(24 * 3600, "kim") == []
        # A webhook of a clock that was advanced has been attempted when the call answers.
        assert len(receiver.received) == number
        assert await merchant.advance(24 * 3600, "kim") == [row["merchant_uid"]]
        assert len(receiver.received) == number + 1
    charged = [(row["merchant_uid"], row["paid_at"]) for row in await merchant.charges(customer_uid="kim")]
    assert charged == planned
    assert receiver.seen == [(merchant_uid, "paid") for merchant_uid, _ in planned]


async def test_one_customer_s_step_does_not_look_at_the_others(merchant):
    others = 300
    for number in range(others):
        customer_uid = f"other{number:03d}"
        await merchant.issue(customer_uid)
        await merchant.schedule(customer_uid, customer_uid, after=86_400 + number)
        await merchant.advance(number, customer_uid)
    await merchant.issue()
    await merchant.schedule("m1", after=100)
    agenda = merchant.app.state.account.world._agenda
    looked_at = []
    true = agenda._still_true

    def counted(at: float, kind: str, key: str) -> bool:
        looked_at.append(key)
        return bool(true(at, kind, key))

    agenda._still_true = counted
    assert await merchant.advance(50, "kim") == []
    assert await merchant.advance(60, "kim") == ["m1"]
    assert len(looked_at) < others / 5
