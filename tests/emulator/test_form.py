"""Form bodies nest with brackets, and mean what the same JSON means (facts.md 1.3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.emulator.envelope import Refusal
from billing.emulator.form import nest


def test_brackets_nest():
    pairs = [
        ("customer_uid", "kim"),
        ("schedules[0][merchant_uid]", "m1"),
        ("schedules[0][extra][naverUseCfm]", "20260101"),
        ("schedules[1][merchant_uid]", "m2"),
        ("merchant_uid[]", "a"),
        ("merchant_uid[]", "b"),
    ]
    assert nest(pairs) == {
        "customer_uid": "kim",
        "schedules": [{"merchant_uid": "m1", "extra": {"naverUseCfm": "20260101"}}, {"merchant_uid": "m2"}],
        "merchant_uid": ["a", "b"],
    }


def test_indexes_order_a_list_whatever_order_they_come_in():
    assert nest([("a[10]", "z"), ("a[2]", "y"), ("a[1]", "x")]) == {"a": ["x", "y", "z"]}


def test_a_name_that_is_both_a_value_and_a_container_is_refused():
    with pytest.raises(Refusal):
        nest([("a", "1"), ("a[b]", "2")])


_names = st.text("abcdefgh_", min_size=1, max_size=4)
_objects = st.recursive(
    st.text(max_size=5),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_names, inner, min_size=1, max_size=3),
    max_leaves=8,
)


def _flat(value, name) -> list[tuple[str, str]]:
    if isinstance(value, list):
        return [pair for place, item in enumerate(value) for pair in _flat(item, f"{name}[{place}]")]
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, f"{name}[{key}]")]
    return [(name, value)]


@settings(deadline=None)
@given(st.dictionaries(_names, _objects, min_size=1, max_size=4))
def test_whatever_is_flattened_into_brackets_comes_back(body):
    assert nest([pair for key, value in body.items() for pair in _flat(value, key)]) == body


async def test_a_form_charges_what_json_charges(merchant, make_card):
    answers = []
    for encoding in ("json", "data"):
        headers = {"Authorization": await merchant.token()}
        card = {encoding: make_card(customer_name="Kim")}
        await merchant.http.post(f"/subscribe/customers/{encoding}", headers=headers, **card)
        order = {"customer_uid": encoding, "merchant_uid": encoding, "amount": "9900", "name": "월간 이용권"}
        answer = await merchant.http.post("/subscribe/payments/again", headers=headers, **{encoding: order})
        answers.append(answer.json()["response"])
    own = {"imp_uid", "merchant_uid", "customer_uid", "pg_tid", "apply_num", "receipt_url", "started_at", "paid_at"}
    by_json, by_form = ({name: value for name, value in row.items() if name not in own} for row in answers)
    assert by_form == by_json
    assert (by_form["amount"], by_form["name"], by_form["status"]) == (9900, "월간 이용권", "paid")


async def test_a_form_nested_beyond_reason_is_refused_in_the_envelope(merchant):
    headers = {"Authorization": await merchant.token()}
    form = {"a" + "[b]" * 5000: "1"}
    answer = await merchant.http.post("/subscribe/payments/again", data=form, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (200, 1)
