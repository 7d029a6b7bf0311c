"""What must never be readable in a log line."""

import logging
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.card_text import holds_card_number, passes_luhn
from billing.redaction import MASK, SECRET_KEYS, RedactingFilter, redact, redact_event, redact_text
from tests.hostile import FORMS, leaks

CARD = "4111111111111111"


def luhn(body: str) -> str:
    """The body with its check digit, by trying all ten: another way than the code under test."""

    def total(digits: str) -> int:
        pairs = zip(digits[::-1], [1, 2] * 10, strict=False)
        return sum(sum(map(int, str(int(digit) * weight))) for digit, weight in pairs)

    return next(body + d for d in "0123456789" if total(body + d) % 10 == 0)


cards = st.text("0123456789", min_size=12, max_size=18).map(luhn)


@pytest.mark.parametrize(
    "text",
    [
        CARD,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111%201111%201111%201111",
        "4111+1111+1111+1111",
        "4111 - 1111 - 1111 - 1111".replace(" - ", " -"),
        "４１１１１１１１１１１１１１１１",
        f"amount 9900 {CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]} 2030",
        f"card={CARD}",
        f"x{CARD}y",
        f"{CARD[:8]} {CARD[8:]}",
        "3782 822463 10005",
        "4222222222222",
        f"two: {CARD}, 5555 5555 5555 4444",
    ],
)
def test_a_card_number_is_masked_however_it_is_written(text: str) -> None:
    masked = redact_text(text)
    assert MASK in masked
    digits = "".join(c for c in masked if c.isdigit())
    assert CARD not in digits
    assert "4444" not in digits
    assert "822463" not in digits
    assert "1111" not in digits


@given(cards, st.text("abc :/=\"'\n", max_size=5), st.text("abc :/=\"'\n", max_size=5), st.sampled_from(["", " ", "-"]))
def test_any_luhn_number_is_masked_in_any_surroundings(card: str, before: str, after: str, gap: str) -> None:
    written = gap.join(card[i : i + 4] for i in range(0, len(card), 4))
    assert passes_luhn(card)
    assert written not in redact_text(f"{before}{written}{after}")
    assert redact({"seen": int(card)})["seen"] in ({MASK} if card[0] != "0" else {MASK, int(card)})


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "imp_123456789012",
        "s0k3j9x2m1n4b5v6c7z800012a",
        "2026-11-24T00:31:22.123456Z",
        "charged 9,900 KRW for cycle 12 of subscription/customer_42",
        "****-****-****-1234",
        "12345678901234567890123",
        "GET /v1/subscriptions/c1 200",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "written",
    [
        "{key}=s3cr3t-value&amount=100",
        '{{"{key}": "s3cr3t-value", "amount": 100}}',
        "{{'{key}': 's3cr3t-value', 'amount': 100}}",
        '{{\\"{key}\\": \\"s3cr3t-value\\", \\"amount\\": 100}}',
        "Model({key}=SecretStr('s3cr3t-value'), amount=100)",
        "Model({key}=('s3cr3t-value', 's3cr3t-more'), amount=100)",
        '{{"{key}": ["s3cr3t-value", "s3cr3t-more"], "amount": 100}}',
        "{key}: Bearer s3cr3t-value, amount=100",
    ],
)
def test_values_of_secret_names_are_masked_in_text(written: str) -> None:
    for key in SECRET_KEYS:
        for name in (key, key.upper(), key.replace("_", "-"), f"x_{key}"):
            masked = redact_text(written.format(key=name))
            assert "s3cr3t" not in masked, name
            assert "amount" in masked
            assert "100" in masked


@pytest.mark.parametrize("route", ["/webhooks/portone/", "/checkout/"])
def test_a_token_in_an_address_is_masked(route: str) -> None:
    line = f'127.0.0.1 "POST https://pay.example.com{route}eyJ-token_1.sig?x=1 HTTP/1.1" 200'
    assert redact_text(line) == f'127.0.0.1 "POST https://pay.example.com{route}{MASK}?x=1 HTTP/1.1" 200'


def test_the_webhook_address_without_a_token_stays_readable() -> None:
    assert redact_text("POST /webhooks/portone 200") == "POST /webhooks/portone 200"


def test_a_bearer_token_is_masked_wherever_it_stands() -> None:
    assert redact_text("sent Bearer abcdef0123456789 to PortOne") == f"sent Bearer {MASK} to PortOne"


@pytest.mark.parametrize("form", [form for form in FORMS if holds_card_number(form.echo)], ids=lambda form: form.name)
def test_a_card_number_that_a_pg_wrote_in_its_own_way_is_masked_as_well(form) -> None:
    line = f"PortOne said: {form.echo} (order s0k3j9x2m1n4b5v6c7z800012a)"
    masked = redact_text(line)
    assert MASK in masked
    assert leaks({form.name: masked}, [form]) == []


class Plan(StrEnum):
    BASIC = "Basic subscription"


class Talkative:
    def __repr__(self) -> str:
        return f"Talkative({CARD})"


def test_everything_inside_an_event_is_masked_however_deep() -> None:
    event = {
        "event": f"paid with {CARD}",
        "request": {"card_number": CARD, "Expiry": "2030-01", "items": [{"birth": "880101"}, (CARD, 5)]},
        "headers": {"Authorization": "Bearer abc", "X-Api-Key": "k", "Accept": "application/json"},
        CARD: 1,
        "raw": f'{{"pwd_2digit":"12","n":"{CARD}"}}'.encode(),
        "object": Talkative(),
        "error": ValueError(f"no {CARD}"),
        "number": int(CARD),
        "plan": Plan.BASIC,
        "amount": 9900,
        "price": Decimal("9.99"),
        "ratio": 0.5,
        "nothing": None,
        "flag": True,
    }
    masked = redact_event(None, "info", event)
    assert CARD not in str(masked)
    for secret in ("2030-01", "880101", "Bearer abc", '"12"'):
        assert secret not in str(masked)
    assert masked["headers"] == {"Authorization": MASK, "X-Api-Key": MASK, "Accept": "application/json"}
    assert (masked["plan"], masked["amount"], masked["ratio"], masked["nothing"], masked["flag"]) == (
        "Basic subscription",
        9900,
        0.5,
        None,
        True,
    )


def test_the_filter_masks_message_arguments_and_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(secret_filter := RedactingFilter())
    error = ValueError(f"refused {CARD}")
    logging.getLogger("somewhere").error("card %s of %s", CARD, {"cvc": "123"}, exc_info=error, stack_info=True)
    caplog.handler.removeFilter(secret_filter)
    assert "ValueError" in caplog.text
    assert caplog.text.count(MASK) >= 3, caplog.text
    assert CARD not in caplog.text
    assert "'123'" not in caplog.text
