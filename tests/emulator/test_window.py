"""PortOne's payment window in a real browser: a merchant's page, the SDK's script, a buyer who presses buttons."""

import json
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from aiohttp import web

from billing.emulator import EmulatorSettings, create_emulator
from tests.browser import chromium, missing
from tests.shop import Shop, Stage, nobody
from tests.stack import served

IDS = {"imp_uid", "merchant_uid", "error_code", "error_msg"}


@pytest_asyncio.fixture(scope="session")
async def stage():
    reason = missing()
    if reason:
        pytest.skip(f"the payment window is driven in a browser: {reason}")
    stage = Stage()
    site = web.Application()
    site.router.add_route("*", "/{tail:.*}", stage.shops)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stage.site = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with served(stage) as stage.emulator:
        yield stage
    await runner.cleanup()


@pytest.fixture(scope="session")
def _chromium(stage):
    """One browser for each xdist worker."""
    with chromium() as browser:
        yield browser


@pytest.fixture
async def browser(_chromium):
    """It, with one empty page."""
    await _chromium.tidy()
    return _chromium


@pytest.fixture
async def shop(browser, stage):
    """A shop over an emulator in memory; called with switches it stands over one that is set so."""
    async with AsyncExitStack() as exits:

        async def start(**switches):
            stage.app = create_emulator(EmulatorSettings(**switches))
            await exits.enter_async_context(stage.app.router.lifespan_context(stage.app))
            stage.shop = Shop(browser, stage.app, stage.emulator, stage.site)
            return stage.shop

        yield start
        await browser.tidy()
        stage.app = nobody


async def test_a_buyer_who_goes_away_leaves_a_failed_payment_and_no_key(shop):
    page = await shop()
    heard = await page.layer("#close")
    assert (heard["success"], heard["error_code"]) == (False, "F400")
    assert heard["error_msg"] == "사용자가 결제를 취소하셨습니다"
    payment = page.payment(heard["imp_uid"])
    assert (payment["status"], payment["channel"], payment["customer_uid_usage"]) == ("failed", "pc", "issue")
    assert page.key() is None


@pytest.mark.soak
async def test_a_decline_tells_the_pgs_words_and_no_other_pgs_code(shop):
    page = await shop()
    heard = await page.layer("#decline")
    assert heard["success"] is False
    # No source has a code of Inicis for that, and NICE's would be a lie.
    assert (heard["error_code"], heard["status"]) == ("F400", "failed")
    assert heard["error_msg"].startswith("카드정보 인증 및 빌키 발급에 실패하였습니다. 해당카드는")
    assert page.payment(heard["imp_uid"])["fail_reason"] == heard["error_msg"]
    heard = await page.layer("#decline", customer_uid=None, merchant_uid="order-2")
    assert heard["error_code"] == "F400"
    assert heard["error_msg"].endswith("한도를 초과하였습니다.")
    assert (page.key(), page.order) == (None, ["callback"] * 2)


@pytest.mark.soak
async def test_what_the_sdk_refuses_opens_no_window_and_has_no_imp_uid(shop):
    page = await shop()
    for wrong, words in (
        ({"amount": "9900"}, "amount는 숫자"),
        ({"merchant_uid": 17}, "merchant_uid는 문자열"),
        ({"merchant_uid": None}, '["merchant_uid"] 파라메터는 필수'),
        ({"customer_uid": None, "amount": 0}, "결제금액"),
        ({"buyer_tel": None}, '["buyer_tel"] 파라메터는 필수'),
        ({"pg": "smartro_v2", "customer_id": "x" * 21}, "20자"),
        ({"m_redirect_url": "javascript:alert(1)"}, "m_redirect_url"),
    ):
        before = len(page.heard)
        await page.press(**wrong)
        heard = await page.hears(before)
        assert heard["imp_uid"] is None
        assert words in heard["error_msg"]
    assert not page.account.world.store["payments"]


async def test_approving_issues_the_key_without_a_charge_and_tells_the_callback_everything(shop):
    page = await shop()
    heard = await page.layer("#approve", custom_data={"plan": 7})
    assert (heard["success"], heard["status"], heard["paid_amount"]) == (True, "paid", 0)
    assert heard["custom_data"] == {"plan": 7}
    assert (heard["pg_provider"], heard["card_number"]) == ("html5_inicis", "451842*********1")
    assert heard["imp_uid"].startswith("imp_")
    assert page.key()["card_number"] == heard["card_number"]
    assert page.payment(heard["imp_uid"])["customer_uid"] == "kim"
    books = page.account.world.store["payments"]
    assert [row["amount"] for row in books.values()] == [0]
    assert "45184212" not in json.dumps(page.account.world.store["windows"])


@pytest.mark.soak
async def test_the_buyers_own_card_is_typed_in_and_a_refused_one_may_be_followed_by_another(shop):
    page = await shop(window_refused_card="stay")
    await page.press()
    await page.browser.enter_frame()
    await page.browser.type("[name=card_number]", "9540490012340001")
    await page.browser.click("#approve")
    await page.browser.until(lambda driver: "해당카드는" in driver.find_element("id", "said").text)
    await page.browser.until(lambda driver: driver.find_element("name", "card_number").is_enabled())
    await page.browser.type("[name=card_number]", "9540490012341569")
    await page.browser.click("#approve")
    await page.browser.leave_frame()
    heard = await page.hears()
    assert (heard["success"], heard["card_number"]) == (True, "954049*********9")


@pytest.mark.soak
async def test_a_refused_card_ends_the_window_unless_a_switch_says_otherwise(shop):
    page = await shop()
    await page.press()
    await page.browser.enter_frame()
    await page.browser.click("[data-card='0001']")
    await page.browser.click("#approve")
    await page.browser.leave_frame()
    heard = await page.hears()
    assert (heard["success"], heard["error_code"]) == (False, "F400")
    assert "해당카드는 사용이 불가능" in heard["error_msg"]


@pytest.mark.soak
@pytest.mark.parametrize(("amount", "charged"), [(0, 0), (9900, 1)])
async def test_danal_and_its_like_charge_at_issue_by_the_amount(shop, amount, charged):
    page = await shop()
    heard = await page.layer("#approve", pg="danal_tpay", amount=amount)
    assert (heard["success"], heard["paid_amount"]) == (True, amount)
    paid = [row for row in page.account.world.store["payments"].values() if row["paid_at"] and row["amount"]]
    assert len(paid) == charged
    assert page.key()["pg_provider"] == "danal_tpay"


async def test_an_answer_that_is_lost_is_a_closed_window_to_the_page_and_a_payment_to_portone(shop):
    page = await shop()
    await page.press(pg="paymentwall", currency="KRW")
    await page.browser.enter_frame()
    await page.browser.click("[data-card='0005']")
    await page.browser.click("#approve")
    await page.browser.until(lambda driver: driver.find_element("id", "said").text)
    await page.browser.click("#close")
    await page.browser.leave_frame()
    heard = await page.hears()
    assert heard["success"] is False
    assert page.payment(heard["imp_uid"])["status"] == "paid"


@pytest.mark.soak
@pytest.mark.parametrize("pg", ["tosspayments", "nice_v2"])
async def test_six_pgs_tell_ids_and_error_fields_alone(shop, pg):
    page = await shop()
    heard = await page.layer("#approve", pg=pg)
    assert set(heard) == {"imp_uid", "merchant_uid"}
    assert page.payment(heard["imp_uid"])["status"] == "paid"
    heard = await page.layer("#close", pg=pg, merchant_uid="order-2")
    assert set(heard) == IDS
    assert heard["error_code"] == {"tosspayments": "PAY_PROCESS_CANCELED"}.get(pg, "F400")


@pytest.mark.soak
async def test_the_script_of_the_first_generation_tells_everything_and_takes_text_for_numbers(shop):
    page = await shop()
    page.script = f"{page.emulator}/js/iamport.payment-1.2.0.js"
    heard = await page.layer("#approve", pg="tosspayments", amount="9900")
    assert (heard["success"], heard["pg_type"]) == (True, "payment")


async def test_a_phone_is_sent_to_the_window_and_back_with_the_result_in_the_query(shop):
    page = await shop()
    await page.press(phone=True, m_redirect_url="/back?cart=9#end")
    await page.browser.click("#approve")
    query = await page.come_back()
    assert query == {"cart": "9", "imp_uid": query["imp_uid"], "merchant_uid": "order-1", "imp_success": "true"}
    assert page.payment(query["imp_uid"])["channel"] == "mobile"
    assert page.key()
    await page.press(phone=True, m_redirect_url="/back", pg="tosspayments", merchant_uid="order-2")
    await page.browser.click("#close")
    query = await page.come_back()
    assert set(query) == IDS
    assert page.heard == []


@pytest.mark.soak
async def test_danal_answers_a_phone_by_the_callback_too(shop):
    page = await shop()
    heard = await page.layer("#approve", phone=True, pg="danal_tpay", m_redirect_url="/back")
    assert heard["success"] is True
    assert page.order[0] == "callback"


async def test_a_popup_answers_the_page_that_opened_it_and_closing_it_is_going_away(shop):
    page = await shop()
    await page.press(popup=True)
    await page.browser.enter_popup()
    await page.browser.click("#approve")
    await page.browser.leave_popup()
    assert (await page.hears())["success"] is True
    await page.press(popup=True, merchant_uid="order-2")
    await page.browser.enter_popup()
    await page.browser.until(lambda driver: driver.find_elements("css selector", "#approve:focus"))
    await page.browser.do(lambda driver: driver.close())
    await page.browser.leave_popup()
    assert (await page.hears(1))["error_msg"] == "사용자가 결제를 취소하셨습니다"


@pytest.mark.soak
async def test_paypals_button_is_drawn_where_the_page_says_and_issues_for_the_newest_request(shop):
    page = await shop()
    await page.browser.visit(page.url)
    first, second = page.param(pg="paypal_v2", customer_uid="old"), page.param(pg="paypal_v2", merchant_uid="order-9")
    await page.browser.run('IMP.loadUI("paypal-rt", arguments[0], told)', first)
    await page.browser.run('IMP.updateLoadUIRequest("paypal-rt", arguments[0])', second)
    place = await page.browser.do(lambda driver: driver.find_element("css selector", ".portone-ui-container"))
    await page.browser.do(lambda _driver: place.shadow_root.find_element("css selector", "button").click())
    await page.browser.enter_popup()
    await page.browser.click("#approve")
    await page.browser.leave_popup()
    heard = await page.hears()
    assert heard == {"imp_uid": heard["imp_uid"], "merchant_uid": "order-9"}
    assert (page.key("old"), page.key()["pg_provider"]) == (None, "paypal_v2")
    assert page.payment(heard["imp_uid"])["pay_method"] == "paypal"


async def test_by_default_the_webhook_leaves_when_the_page_has_been_told(shop):
    page = await shop()
    await page.layer("#approve")
    assert await page.hooks(1) == ["callback", "webhook paid"]


@pytest.mark.soak
async def test_by_a_switch_the_webhook_is_answered_before_the_page_is_told(shop):
    page = await shop(window_webhook="before")
    await page.layer("#approve")
    assert page.order == ["webhook paid", "callback"]
    await page.press(phone=True, m_redirect_url="/back", merchant_uid="order-2")
    await page.browser.click("#approve")
    await page.come_back()
    assert page.order[2:] == ["webhook paid", "redirect"]


@pytest.mark.soak
async def test_after_a_redirectnobody_says_that_they_were_told_and_the_webhook_leaves_by_time(shop):
    page = await shop()
    await page.press(phone=True, m_redirect_url="/back")
    await page.browser.click("#approve")
    await page.come_back()
    await page.account.timeline.advance(5, None)
    assert page.order == ["redirect", "webhook paid"]


@pytest.mark.soak
async def test_an_ordinary_payment_and_a_virtual_account_go_through_the_same_window(shop):
    page = await shop()
    heard = await page.layer("#approve", customer_uid=None)
    assert (heard["paid_amount"], page.payment(heard["imp_uid"])["customer_uid_usage"]) == (9900, None)
    heard = await page.layer("#approve", customer_uid=None, pay_method="vbank", merchant_uid="order-2")
    assert (heard["success"], heard["status"], heard["vbank_name"]) == (True, "ready", "신한은행")
    assert "webhook ready" in await page.hooks(2)


@pytest.mark.soak
async def test_a_paid_order_number_and_another_amount_than_was_prepared_are_refused(shop):
    page = await shop()
    await page.layer("#approve")
    await page.press()
    assert "이미 결제가" in (await page.hears(1))["error_msg"]
    prepared = {"merchant_uid": "order-2", "amount": 100, "currency": None}
    page.account.world.store.put("prepared", "order-2", prepared)
    await page.press(merchant_uid="order-2")
    assert "사전에 등록된" in (await page.hears(2))["error_msg"]


async def test_both_languages_have_every_word(shop):
    page = await shop()
    await page.press(language="en")
    await page.browser.enter_frame()
    await page.browser.until(lambda driver: driver.find_element("id", "approve").text == "Register")
    same = await page.browser.run("return JSON.stringify([words.ko, words.en].map((one) => Object.keys(one).sort()))")
    korean, english = json.loads(same)
    assert korean == english
    await page.browser.click("#language")
    await page.browser.until(lambda driver: driver.find_element("id", "approve").text == "등록하기")


async def test_a_key_from_the_window_starts_a_subscription_that_is_charged(browser, stage, stack):
    emulator = str(stack.emulator.base_url).rstrip("/")
    page = stage.shop = Shop(browser, stack.emulator_app, emulator, stage.site)
    hook = f"{stack.settings.public_url}/iamport-callback/schedule"
    await page.layer("#approve", pg="kcp_billing", customer_uid="from_window", amount=0, notice_url=hook)
    await browser.tidy()
    uid = await stack.start("from_window", payment_method={"billing_key": True})
    assert (await stack.subscription(uid))["status"] == "active"
    assert await stack.agree(uid) == 1
