import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.notice_token import NoticeRoute, read_notice, sign_notice

SECRET = "a secret of the shop"
ROUTE = NoticeRoute("subscription/kim-card-1", "s" * 20 + "00001a")
TOKEN = sign_notice(SECRET, ROUTE.workflow_id, ROUTE.merchant_uid)
URL_SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")

lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1, max_size=90)


@pytest.mark.parametrize("secrets", [[], ["another"], [""], ["", "another"], [SECRET + " "]])
def test_a_token_of_another_secret_is_nobodys(secrets):
    assert read_notice(secrets, TOKEN) is None


def test_a_truncated_token_is_nobodys():
    for length in range(len(TOKEN)):
        assert read_notice([SECRET], TOKEN[:length]) is None, length
        assert read_notice([SECRET], TOKEN[length + 1 :]) is None, length


def test_a_token_with_one_other_character_is_nobodys():
    for at, character in enumerate(TOKEN):
        other = "A" if character != "A" else "B"
        assert read_notice([SECRET], TOKEN[:at] + other + TOKEN[at + 1 :]) is None, at


def test_the_signature_of_one_order_does_not_cover_another():
    other = sign_notice(SECRET, ROUTE.workflow_id, "s" * 20 + "00002a")
    body, signature = other.partition(".")[0], TOKEN.partition(".")[2]
    assert read_notice([SECRET], f"{body}.{signature}") is None
    assert read_notice([SECRET], f"{TOKEN}.{signature}") is None


@pytest.mark.parametrize(
    "token",
    [
        *["", ".", "..", "a.b", "é", "토큰", "\ud800", "\x00", "." * 5000, "A" * 10_000_000],
        *[TOKEN + "é", TOKEN + "\n", " " + TOKEN, TOKEN + "=", TOKEN * 2, TOKEN + "A" * 10_000_000],
        *[TOKEN.replace(".", "%2e"), TOKEN.upper()],
    ],
    ids=lambda token: repr(token[:12]) + str(len(token)),
)
def test_a_token_nobody_signed_is_nobodys_and_raises_nothing(token):
    assert read_notice([SECRET], token) is None


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{43}", fullmatch=True))
def test_no_text_makes_the_reading_raise(token):
    assert read_notice([SECRET, "older"], token) is None


@pytest.mark.parametrize(
    ("secret", "workflow_id", "merchant_uid"),
    [
        ("", "w", "m"),
        (SECRET, "", "m"),
        (SECRET, "w", ""),
        (SECRET, "w\nx", "m"),
        (SECRET, "w", "m\nx"),
        (SECRET, "w" * 2000, "m"),
        (SECRET, "\ud800", "m"),
    ],
)
def test_a_route_that_could_not_be_read_back_is_not_signed(secret, workflow_id, merchant_uid):
    with pytest.raises(ValueError, match=r".+"):
        sign_notice(secret, workflow_id, merchant_uid)


def test_the_old_secret_is_read_until_it_is_taken_out_of_the_list():
    assert read_notice(["new", SECRET], TOKEN) == ROUTE
    assert read_notice(["new"], TOKEN) is None
    assert read_notice([SECRET, "older"], TOKEN) == ROUTE


def test_a_secret_given_without_a_list_is_one_secret_and_not_its_letters():
    one_letter = sign_notice("a", ROUTE.workflow_id, ROUTE.merchant_uid)
    assert read_notice(SECRET, one_letter) is None
    assert read_notice(SECRET, TOKEN) == ROUTE


def test_the_longest_names_there_are_make_a_token_that_fits_a_url():
    token = sign_notice(SECRET, "subscription/" + "a" * 80, "b" * 40)
    assert read_notice([SECRET], token) == NoticeRoute("subscription/" + "a" * 80, "b" * 40)
    assert len(token) <= 256


@given(lines, lines)
def test_what_was_signed_is_read_back(workflow_id, merchant_uid):
    token = sign_notice(SECRET, workflow_id, merchant_uid)
    assert set(token) <= URL_SAFE
    assert token == sign_notice(SECRET, workflow_id, merchant_uid)
    assert read_notice([SECRET], token) == NoticeRoute(workflow_id, merchant_uid)
