"""The life of a schedule (facts.md 3.1)."""

import pytest

SCHEDULE = "/subscribe/payments/schedule"


async def test_a_schedule_runs_at_its_time_and_not_a_second_before(merchant, receiver):
    await merchant.issue()
    row = await merchant.schedule("m1", after=3600)
    assert (row["schedule_status"], row["payment_status"], row["imp_uid"]) == ("scheduled", None, None)
    assert (row["executed_at"], row["revoked_at"]) == (0, 0)
    assert await merchant.advance(3590) == []
    assert await merchant.charges() == []
    assert await merchant.advance(20) == ["m1"]
    ran = await merchant.ok("GET", f"{SCHEDULE}/m1")
    assert (ran["schedule_status"], ran["payment_status"]) == ("executed", "paid")
    assert ran["executed_at"] == row["schedule_at"]
    payment = await merchant.ok("GET", f"/payments/{ran['imp_uid']}")
    assert (payment["customer_uid_usage"], payment["paid_at"]) == ("payment.scheduled", row["schedule_at"])
    assert receiver.received == [{"imp_uid": ran["imp_uid"], "merchant_uid": "m1", "status": "paid"}]
    assert (await merchant.charges())[0]["schedule"] is True


async def test_a_schedule_without_buyer_takes_the_one_of_the_key(merchant):
    await merchant.issue(customer_name="Kim", customer_email="k@example.com")
    row = await merchant.schedule("m1", buyer_name="Lee")
    assert (row["buyer_name"], row["buyer_email"]) == ("Lee", "k@example.com")


async def test_a_used_order_number_is_refused_and_nothing_of_the_request_is_kept(merchant):
    await merchant.issue()
    await merchant.schedule("m1")
    await merchant.again("m2")
    at = await merchant.now() + 60
    for used in ("m1", "m2", "new"):
        items = [{"merchant_uid": uid, "schedule_at": at, "amount": 1} for uid in ("new", used)]
        answer = await merchant.call("POST", SCHEDULE, {"customer_uid": "kim", "schedules": items})
        assert (answer.status_code, answer.json()["code"], answer.json()["response"]) == (200, 1, None)
        assert (await merchant.call("GET", f"{SCHEDULE}/new")).status_code == 404
    await merchant.ok("POST", "/subscribe/payments/unschedule", {"merchant_uid": "m1"})
    again = {"merchant_uid": "m1", "schedule_at": at, "amount": 1}
    refused = await merchant.call("POST", SCHEDULE, {"customer_uid": "kim", "schedules": [again]})
    assert refused.json()["code"] == 1


@pytest.mark.parametrize(
    "schedules", [None, [], "x", ["x"], [{"merchant_uid": "m1", "amount": 1, "schedule_at": "soon"}]]
)
async def test_a_malformed_request_is_refused(merchant, schedules):
    await merchant.issue()
    answer = await merchant.call("POST", SCHEDULE, {"customer_uid": "kim", "schedules": schedules})
    assert (answer.status_code, answer.json()["code"]) == (200, 1)


async def test_what_an_item_lacks_is_named(merchant):
    await merchant.issue()
    answer = await merchant.call("POST", SCHEDULE, {"customer_uid": "kim", "schedules": [{}]})
    assert answer.json() == {"code": 1, "message": '["merchant_uid","amount"] 파라메터는 필수입니다.', "response": None}


async def test_an_instant_in_the_past_is_refused(merchant):
    await merchant.issue()
    item = {"merchant_uid": "m1", "schedule_at": await merchant.now() - 1, "amount": 1}
    answer = await merchant.call("POST", SCHEDULE, {"customer_uid": "kim", "schedules": [item]})
    assert (answer.status_code, answer.json()["code"]) == (200, 1)


async def test_card_data_for_an_unknown_customer_issues_the_key_and_schedules(merchant, make_card):
    body = {"customer_uid": "kim", "schedules": [_item("m1", await merchant.now() + 60)], "checking_amount": 1000}
    refused = await merchant.call("POST", SCHEDULE, body | make_card("0001"))
    assert refused.json()["code"] == -1
    assert refused.json()["message"].startswith("카드정보 인증 및 빌키 발급에 실패하였습니다. [F11")
    unfunded = await merchant.call("POST", SCHEDULE, body | make_card("0002"))
    assert unfunded.json()["code"] == -1
    assert (await merchant.call("GET", "/subscribe/customers/kim")).status_code == 404
    rows = await merchant.ok("POST", SCHEDULE, body | make_card())
    assert [row["schedule_status"] for row in rows] == ["scheduled"]
    assert (await merchant.ok("GET", "/subscribe/customers/kim"))["card_number"] == "45184212****1111"
    assert await merchant.charges() == []
    assert await merchant.advance(60) == ["m1"]


async def test_without_a_checking_amount_an_empty_card_is_noticed_only_when_charged(merchant, make_card):
    body = {"customer_uid": "kim", "schedules": [_item("m1", await merchant.now() + 60)]}
    await merchant.ok("POST", SCHEDULE, body | make_card("0002"))
    await merchant.advance(60)
    assert (await merchant.ok("GET", f"{SCHEDULE}/m1"))["payment_status"] == "failed"


async def test_a_failed_schedule_says_so_and_can_be_retried_until_it_is_paid(merchant, receiver):
    await merchant.issue(last_four="0004")
    await merchant.schedule("m1", after=60)
    await merchant.advance(60)
    row = await merchant.ok("GET", f"{SCHEDULE}/m1")
    assert (row["schedule_status"], row["payment_status"]) == ("executed", "failed")
    assert row["fail_reason"].startswith("결제에 실패하였습니다. [3095]")
    second = await merchant.ok("POST", f"{SCHEDULE}/m1/retry")
    third = await merchant.ok("POST", f"{SCHEDULE}/m1/retry")
    assert [second["status"], third["status"]] == ["failed", "paid"]
    assert len({row["imp_uid"], second["imp_uid"], third["imp_uid"]}) == 3
    paid = await merchant.ok("GET", f"{SCHEDULE}/m1")
    assert (paid["payment_status"], paid["imp_uid"], paid["fail_reason"]) == ("paid", third["imp_uid"], None)
    refused = await merchant.call("POST", f"{SCHEDULE}/m1/retry")
    assert (refused.status_code, refused.json()["code"]) == (400, 1)
    await receiver.have(3)
    assert receiver.seen == [("m1", "failed"), ("m1", "failed"), ("m1", "paid")]


async def test_a_failed_schedule_is_booked_anew_under_the_same_order_number(merchant):
    await merchant.issue(last_four="0002")
    row = await merchant.schedule("m1", after=60)
    assert (await _set(merchant, "POST", "m1/reschedule", row["schedule_at"] + 60)).status_code == 400
    await merchant.advance(60)
    failed = await merchant.ok("GET", f"{SCHEDULE}/m1")
    await merchant.issue(last_four="1111")
    assert (await _set(merchant, "POST", "m1/reschedule", row["schedule_at"])).status_code == 400
    anew = (await _set(merchant, "POST", "m1/reschedule", row["schedule_at"] + 600)).json()["response"]
    assert (anew["schedule_status"], anew["payment_status"], anew["imp_uid"]) == ("scheduled", None, None)
    assert await merchant.advance(600) == ["m1"]
    paid = await merchant.ok("GET", f"{SCHEDULE}/m1")
    assert paid["payment_status"] == "paid"
    assert paid["imp_uid"] != failed["imp_uid"]
    statuses = [row["status"] for row in (await merchant.ok("GET", "/payments/findAll/m1"))["list"]]
    assert statuses == ["paid", "failed"]


async def test_only_a_waiting_schedule_is_moved(merchant):
    await merchant.issue()
    row = await merchant.schedule("m1", after=60)
    assert (await _set(merchant, "PUT", "m1", None)).status_code == 400
    assert (await _set(merchant, "PUT", "m1", row["schedule_at"] - 3600)).status_code == 400
    moved = (await _set(merchant, "PUT", "m1", row["schedule_at"] + 60)).json()["response"]
    assert moved["schedule_at"] == row["schedule_at"] + 60
    assert await merchant.advance(100) == []
    assert await merchant.advance(30) == ["m1"]
    assert (await _set(merchant, "PUT", "m1", row["schedule_at"] + 3600)).status_code == 400


async def test_a_revoked_schedule_never_runs_unless_it_is_booked_anew(merchant):
    await merchant.issue()
    row = await merchant.schedule("m1", after=60)
    revoked = await merchant.ok("POST", "/subscribe/payments/unschedule", {"merchant_uid": "m1"})
    assert [(r["schedule_status"], r["payment_status"]) for r in revoked] == [("revoked", None)]
    assert revoked[0]["revoked_at"] > 0
    assert await merchant.advance(120) == []
    assert (await _set(merchant, "PUT", "m1", row["schedule_at"] + 600)).status_code == 400
    assert (await _set(merchant, "POST", "m1/reschedule", row["schedule_at"] + 600)).status_code == 200
    assert await merchant.advance(600) == ["m1"]


async def test_unschedule_takes_what_is_named_and_a_key_alone_means_all(merchant):
    for customer_uid in ("kim", "lee"):
        await merchant.issue(customer_uid)
        for number in range(3):
            await merchant.schedule(f"{customer_uid}{number}", customer_uid)
    path = "/subscribe/payments/unschedule"
    both = await merchant.call("POST", path, {"customer_uid": "lee", "merchant_uid": ["kim0"]})
    assert both.json()["code"] == 1
    one = await merchant.ok("POST", path, {"customer_uid": "kim", "merchant_uid": ["kim0", "lee0"]})
    assert [row["merchant_uid"] for row in one] == ["kim0"]
    rest = await merchant.ok("POST", path, {"customer_uid": "kim"})
    assert [row["merchant_uid"] for row in rest] == ["kim1", "kim2"]
    assert (await merchant.call("POST", path, {"customer_uid": "kim"})).json()["code"] == 1
    assert (await merchant.call("POST", path, {})).json()["code"] == 1


async def test_what_is_paid_by_hand_before_its_time_is_not_charged_again(merchant, receiver):
    await merchant.issue()
    await merchant.schedule("m1", after=60)
    assert (await merchant.again("m1")).json()["code"] == 0
    await merchant.advance(60)
    assert len(await merchant.charges(merchant_uid="m1")) == 1
    assert (await merchant.ok("GET", f"{SCHEDULE}/m1"))["payment_status"] == "failed"
    assert (await merchant.call("POST", f"{SCHEDULE}/m1/retry")).status_code == 400


async def test_toss_pay_offers_no_change_of_a_schedule(merchant):
    await merchant.window(pg="tosspay_v2", last_four="0002")
    await merchant.schedule("m1", after=60)
    await merchant.advance(60)
    answer = await merchant.call("POST", f"{SCHEDULE}/m1/retry")
    assert (answer.status_code, answer.json()["code"]) == (500, -1)


async def test_lists_are_windows_with_pages_and_both_spellings_of_the_names(merchant):
    await merchant.issue()
    start = await merchant.now()
    for number in range(23):
        await merchant.schedule(f"m{number:02d}", after=60 * (number + 1))
    await merchant.advance(90)
    window = {"schedule_from": start, "schedule_to": start + 86400}
    newest = await merchant.ok("GET", SCHEDULE, params=window)
    assert (newest["total"], newest["next"], len(newest["list"])) == (23, 2, 20)
    assert newest["list"][0]["merchant_uid"] == "m22"
    oldest = await merchant.ok("GET", SCHEDULE, params=window | {"sorting": "scheduled", "limit": 2, "page": 2})
    assert [row["merchant_uid"] for row in oldest["list"]] == ["m02", "m03"]
    open_ones = await merchant.ok("GET", SCHEDULE, params=window | {"schedule_status": "executed"})
    assert [row["merchant_uid"] for row in open_ones["list"]] == ["m00"]
    for path in (f"{SCHEDULE}/customers/kim", "/subscribe/customers/kim/schedules"):
        schema_names = {"from": start, "to": start + 86400, "schedule-status": "executed"}
        for query in (schema_names, window | {"schedule_status": "executed"}):
            found = await merchant.ok("GET", path, params=query)
            assert [row["merchant_uid"] for row in found["list"]] == ["m00"]
        assert (await merchant.call("GET", path)).status_code == 400
    nobody = await merchant.ok("GET", f"{SCHEDULE}/customers/nobody", params=window)
    assert (nobody["total"], nobody["list"]) == (0, [])
    too_wide = {"schedule_from": start, "schedule_to": start + 100 * 86400}
    for wrong in (too_wide, window | {"schedule_status": "odd"}, window | {"limit": 1001}, window | {"page": "x"}):
        assert (await merchant.call("GET", SCHEDULE, params=wrong)).status_code == 400


async def test_a_lag_runs_schedules_late(start):
    merchant = await start(lag_seconds=30)
    await merchant.issue()
    row = await merchant.schedule("m1", after=60)
    assert await merchant.advance(80) == []
    assert await merchant.advance(15) == ["m1"]
    assert (await merchant.ok("GET", f"{SCHEDULE}/m1"))["executed_at"] == row["schedule_at"] + 30


def _item(merchant_uid, at):
    return {"merchant_uid": merchant_uid, "schedule_at": at, "amount": 9900, "name": "Plan"}


async def _set(merchant, method, path, at):
    return await merchant.call(method, f"{SCHEDULE}/{path}", {} if at is None else {"schedule_at": at})
