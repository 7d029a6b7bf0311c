"""Super billing keys: one customer_uid, a key at each channel of a group (facts.md 2.3)."""

GROUP = {"channel_group_id": "channel-group-nice-kcp-payco"}


async def test_a_group_issues_at_each_of_its_channels(merchant):
    key = await merchant.issue(**GROUP)
    assert key["channelGroupId"] == "channel-group-nice-kcp-payco"
    assert [row["pg_provider"] for row in key["succeededChannels"]] == ["nice", "kcp", "payco"]
    assert [row["card_number"] for row in key["succeededChannels"]] == [
        "45184212****1111",
        "4518420000001111",
        "451842******1111",
    ]
    assert key["failedChannels"] == []
    assert await merchant.ok("GET", "/subscribe/customers/kim") == key
    assert "pg_provider" not in key


async def test_an_unknown_group_is_the_default_one(merchant):
    key = await merchant.issue(channel_group_id="group-1")
    assert [row["pg_provider"] for row in key["succeededChannels"]] == ["nice", "kcp", "tosspayments"]


async def test_a_channel_that_refuses_says_why_beside_those_that_do_not(merchant):
    key = await merchant.issue(last_four="0008", **GROUP)
    assert [row["pg_provider"] for row in key["succeededChannels"]] == ["nice"]
    refused = [(row["type"], row["pg_provider"]) for row in key["failedChannels"]]
    assert refused == [("PG_PROVIDER", "kcp"), ("PG_PROVIDER", "payco")]
    assert all("해당카드는" in row["message"] for row in key["failedChannels"])


async def test_a_charge_goes_to_the_first_channel_or_to_the_one_it_names(merchant):
    await merchant.issue(**GROUP)
    first = (await merchant.again("m1")).json()["response"]
    named = (await merchant.again("m2", channel_key="channel-key-kcp")).json()["response"]
    assert (first["pg_provider"], named["pg_provider"], named["card_number"]) == ("nice", "kcp", "4518420000001111")
    await merchant.schedule("m3", after=10, channel_key="channel-key-payco")
    await merchant.advance(20)
    assert (await merchant.ok("GET", "/payments/find/m3"))["pg_provider"] == "payco"
    assert (await merchant.ok("GET", "/subscribe/payments/schedule/m3"))["pg_provider"] == "payco"


async def test_a_card_typed_in_may_be_kept_at_a_group_too(merchant, make_card):
    order = {"merchant_uid": "m1", "amount": 1000, "name": "n", "customer_uid": "kim"}
    paid = await merchant.ok(
        "POST", "/subscribe/payments/onetime", order | make_card() | {"channelGroupId": "channel-group-kcp-nice"}
    )
    assert paid["pg_provider"] == "kcp"
    assert (await merchant.ok("GET", "/subscribe/customers/kim"))["channelGroupId"] == "channel-group-kcp-nice"


async def test_the_parts_of_a_payment_by_payco_are_net_of_refunds(merchant):
    await merchant.window(pg="payco")
    row = (await merchant.again("m1", amount=12000, tax_free=1000)).json()["response"]
    assert "tax_free" not in row
    path = f"/payments/{row['imp_uid']}/balance"
    whole = await merchant.ok("GET", path)
    assert (whole["amount"], whole["histories"]) == (12000, [])
    assert whole["primary"] == {"tax_free": 1000, "supply": 10000, "vat": 1000, "service": 0}
    await merchant.ok("POST", "/payments/cancel", {"merchant_uid": "m1", "amount": 5000})
    left = await merchant.ok("GET", path)
    assert sum(left["primary"].values()) == 7000
    assert sum(left["histories"][0]["primary"].values()) == -5000
    assert left["amount"] == 12000


async def test_each_pg_refuses_in_its_own_words(merchant, make_card):
    for pg, issue, charge in (
        ("nice", "[F112]유효하지않은 카드번호를 입력하셨습니다. (card_bin 없음)", "[3095]"),
        ("nice_v2", "[400]Error From NICEPAY. (message: 카드번호 오류, code:F113)", "[400]Error From NICEPAY."),
        ("tosspayments", "[INVALID_CARD_NUMBER]", "[REJECT_CARD_PAYMENT]"),
        ("daou", "유효하지않은 카드번호", "잔액이 부족하거나"),
    ):
        answer = await merchant.call("POST", "/subscribe/customers/kim", make_card(card_number="1", pg=pg))
        assert answer.json()["message"].startswith(f"카드정보 인증 및 빌키 발급에 실패하였습니다. {issue}")
        await merchant.issue("kim", "0002", pg=pg)
        declined = (await merchant.again(f"m-{pg}")).json()
        assert (declined["code"], declined["response"]) == (-1, None)
        assert declined["message"].startswith(f"결제에 실패하였습니다. {charge}")
