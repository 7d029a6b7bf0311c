"""On the Java test server, where one clock serves everything: the quiet window of a one-time payment."""

from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from billing.temporal import DATA_CONVERTER
from tests.stack import CARD, executable, running_stack


async def test_a_key_in_payment_that_never_arrived_is_sent_again_after_the_quiet_window(tmp_path):
    server = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=executable("temporal-test-server"), data_converter=DATA_CONVERTER
    )
    async with server, running_stack(server.client, tmp_path) as stack:
        await stack.fault(path="onetime", kind="500_before", count=1)
        card = {"card_number": CARD, "expiry": "2099-12", "birth": "900101", "pwd_2digit": "12"}
        body = {"merchant_uid": "one-clock", "name": "전화 주문", "amount": 33000, "card": card}
        begun = await server.get_current_time()
        # Waiting for the result is what lets this server's one clock run on.
        answer = await stack.api.post("/v1/payments", json=body)
        assert (answer.status_code, answer.json()["state"]) == (201, "paid")
        assert await server.get_current_time() - begun >= timedelta(minutes=10)
        charge = await stack.ledger.get_charge("one-clock")
        assert (charge.state, charge.sends) == ("paid", 2)
        books = (await stack.emulator.get("/emulator/books", params={"merchant_uid": "one-clock"})).json()
        assert len(books["charges"]) == 1
