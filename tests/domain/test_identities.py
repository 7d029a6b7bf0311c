import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.customer_uid import is_valid_customer_uid
from billing.domain.merchant_uid import (
    MAX_LENGTH,
    cycle_merchant_uid,
    is_valid_merchant_uid,
    new_incarnation,
    new_payment_merchant_uid,
    parse_cycle_merchant_uid,
)

LOWER = set(string.ascii_lowercase + string.digits)
HOSTILE = [
    "a/b",
    "../x",
    "a..b",
    "a b",
    "a\n",
    "\n",
    "a%2fb",
    "a?b",
    "a#b",
    "a\x00b",
    "\u202ea",
    "é",
    "１２",
    "구독",
    "a\\b",
    "",
]

randomness = st.binary(min_size=16, max_size=40)
incarnations = randomness.map(new_incarnation)
cycles, generations = st.integers(1, 99_999), st.integers(0, 701)


@pytest.mark.parametrize("make", [new_incarnation, new_payment_merchant_uid])
def test_too_little_randomness_is_refused(make):
    with pytest.raises(ValueError, match="16 random bytes"):
        make(b"x" * 15)


@pytest.mark.parametrize("cycle", [0, -1, 100_000])
def test_a_cycle_that_does_not_fit_five_digits_is_refused_and_not_cut(cycle):
    with pytest.raises(ValueError, match="cycle must be"):
        cycle_merchant_uid("s" * 20, cycle)


@pytest.mark.parametrize("generation", [-1, 702])
def test_a_generation_that_is_no_letter_is_refused(generation):
    with pytest.raises(ValueError, match="generation must be"):
        cycle_merchant_uid("s" * 20, 1, generation)


@pytest.mark.parametrize("incarnation", ["", "s" * 19, "s" * 21, "p" + "0" * 19, "s" + "A" * 19, "s" + "-" * 19])
def test_a_text_that_is_no_incarnation_is_refused(incarnation):
    with pytest.raises(ValueError, match="not an incarnation"):
        cycle_merchant_uid(incarnation, 1)


@given(st.text() | st.from_regex(r"s[0-9a-z]{19}[0-9]{5}[a-z]\n?", fullmatch=True))
def test_any_text_is_parsed_to_its_parts_or_to_none(text):
    parts = parse_cycle_merchant_uid(text)
    assert parts is None or cycle_merchant_uid(*parts) == text


def test_a_payments_number_and_cycle_zero_are_no_cycles_number():
    assert parse_cycle_merchant_uid(new_payment_merchant_uid(b"x" * 16)) is None
    assert parse_cycle_merchant_uid("s" * 20 + "00000a") is None


@given(incarnations, cycles, generations)
def test_a_cycles_number_says_which_cycle_it_is_and_suits_every_pg(incarnation, cycle, generation):
    number = cycle_merchant_uid(incarnation, cycle, generation)
    assert parse_cycle_merchant_uid(number) == (incarnation, cycle, generation)
    assert set(number) <= LOWER
    assert len(number) <= MAX_LENGTH
    assert is_valid_merchant_uid(number)


@given(incarnations, incarnations, st.tuples(cycles, generations), st.tuples(cycles, generations))
def test_two_orders_never_share_a_number(one, other, first, second):
    same = cycle_merchant_uid(one, *first) == cycle_merchant_uid(other, *second)
    assert same == ((one, first) == (other, second))


def test_every_cycle_and_generation_of_a_life_has_its_own_number():
    numbers = {cycle_merchant_uid("s" * 20, cycle, generation) for cycle in range(1, 400) for generation in range(26)}
    assert len(numbers) == 399 * 26


@given(randomness)
def test_a_payments_number_suits_every_pg(random_bytes):
    number = new_payment_merchant_uid(random_bytes)
    assert set(number) <= LOWER
    assert number.startswith("p")
    assert len(number) <= MAX_LENGTH


@pytest.mark.parametrize("make", [new_incarnation, new_payment_merchant_uid])
def test_other_random_bytes_make_another_name(make):
    made = {make(bytes([first, *range(15)])) for first in range(256)} | {
        make(bytes([*range(15), n])) for n in range(256)
    }
    assert len(made) >= 511


@pytest.mark.parametrize("text", [*HOSTILE, "a.b", "a:b", "a@b", "a" * 41])
def test_an_order_number_beyond_the_plain_characters_is_refused(text):
    assert not is_valid_merchant_uid(text)


@pytest.mark.parametrize("text", ["a", "A-b_9", "a" * 40, "-", "_"])
def test_an_order_number_of_plain_characters_is_taken(text):
    assert is_valid_merchant_uid(text)


@pytest.mark.parametrize("text", [*HOSTILE, "_a", ".a", "-a", "@a", ":a", "a" * 81, "a" + "." * 2])
def test_a_customer_uid_that_could_change_a_path_is_refused(text):
    assert not is_valid_customer_uid(text)


@pytest.mark.parametrize("text", ["a", "9", "user@example.com:card-1", "a.b.c", "a" * 80, "a_-"])
def test_a_customer_uid_of_plain_characters_is_taken(text):
    assert is_valid_customer_uid(text)


@given(st.text(max_size=90))
def test_a_customer_uid_that_is_taken_survives_a_path_unchanged(text):
    if is_valid_customer_uid(text):
        assert text.isascii()
        assert not set(text) & set("/\\?#% \t\r\n")
        assert ".." not in text
        assert 1 <= len(text) <= 80
