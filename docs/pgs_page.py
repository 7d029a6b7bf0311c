"""docs/reference/pgs.md: the PG table, each cell with the test that proves it."""

from billing.domain.pg_capabilities import PG_CAPABILITIES
from billing.domain.pg_capability import ChargesAtIssue, PgCapability, PhoneBilling
from billing.domain.pg_notes import PG_NOTES

_HEAD = """\
# PGs

<!-- Written by docs/generate.py from billing/domain/pg_capabilities.py and pg_notes.py; change it there. -->

What each PG module can do through PortOne V1, from PortOne's own pages, schema and help centre; where they disagree a
note says which is followed. `GET /v1/pgs` answers the same. The API refuses with 422 what a PG does not do, before
anything is called: the problem names `pg`, `call`, and `missing` by PortOne's name. Where only the billing key tells
the PG, the workflow checks before it charges. **?** is what no source says: it is not checked.

Every mark is a link to the test that proves it; a way that the guide lists is proved by billing it for three cycles.

"""

_DOMAIN, _API = "../../tests/domain/test_pg_rules.py", "../../tests/api/test_pgs.py"
_JOURNEYS, _EMULATOR = "../../tests/journeys/test_pgs.py", "../../tests/emulator/test_pgs.py"
_TABLE = "../../tests/domain/test_pg_capabilities.py"
TESTS = {
    "key-in": (_JOURNEYS, "test_a_card_typed_in_is_charged_once_at_every_pg_of_the_guide"),
    "rest-key": (
        _JOURNEYS,
        "test_a_key_issued_by_card_number_is_billed_for_three_cycles_at_every_pg_of_the_guide",
    ),
    "window-key": (
        _JOURNEYS,
        "test_a_key_issued_in_the_window_is_billed_for_three_cycles_at_every_pg_of_the_guide",
    ),
    "no-card": (_API, "test_a_card_is_refused_by_every_pg_that_takes_none_before_anything_is_called"),
    "no-window": (_JOURNEYS, "test_the_lists_are_the_guide_s_nine_nine_and_sixteen"),
    "charge": (_EMULATOR, "test_a_key_is_charged_where_the_schema_or_the_guide_says_so"),
    "no-charge": (_DOMAIN, "test_a_call_that_a_pg_does_not_offer_is_refused_by_its_name_and_every_other_is_not"),
    "reschedule": (_EMULATOR, "test_a_failed_schedule_is_booked_again_where_the_pg_has_it"),
    "retry-by-again": (
        _JOURNEYS,
        "test_where_no_schedule_is_booked_again_a_retry_is_our_own_charge_of_the_same_order",
    ),
    "partial": (_EMULATOR, "test_a_part_is_refunded_by_every_pg_that_is_not_known_to_refuse_it"),
    "whole": (_JOURNEYS, "test_a_phone_bill_takes_no_other_amount_and_goes_back_as_a_whole"),
    "vat": (_DOMAIN, "test_a_vat_that_a_pg_cannot_be_told_is_refused_and_one_in_doubt_is_not"),
    "currency": (_API, "test_money_that_a_pg_does_not_take_is_refused"),
    "minimum": (_DOMAIN, "test_the_currency_and_the_least_amount_of_every_pg_are_kept"),
    "at-issue": (_EMULATOR, "test_a_window_charges_where_its_pg_does"),
    "rest-issue": (
        _EMULATOR,
        "test_a_key_by_card_number_is_issued_where_the_pg_offers_it_and_nowhere_else",
    ),
    "required-cancel": (_EMULATOR, "test_naver_pay_refunds_nothing_without_who_asks_and_why"),
    "required-delete": (_EMULATOR, "test_naver_pay_deletes_no_key_without_who_asks_and_why"),
    "as-read": (_TABLE, "test_what_a_module_always_requires_is_what_the_facts_say"),
    "required": (_DOMAIN, "test_each_parameter_that_a_pg_requires_is_named_when_it_is_missing"),
    "number-once": (
        _JOURNEYS,
        "test_naver_pay_is_retried_under_another_order_number_and_refunded_with_who_asks_and_why",
    ),
    "number-letters": (_DOMAIN, "test_smartro_takes_an_order_number_of_letters_and_digits_only"),
    "number-any": (_EMULATOR, "test_a_declined_order_number_is_taken_again_by_every_pg_but_naver_pay"),
    "phone": (_API, "test_a_phone_bill_is_refused_any_plan_but_a_monthly_one_of_one_amount"),
}
"""The tests, by the name that the page's links have."""

_AT_ISSUE = {
    ChargesAtIssue.NEVER: "nothing",
    ChargesAtIssue.BY_AMOUNT: "the amount, if any",
    ChargesAtIssue.BY_METHOD: "a phone bill",
    ChargesAtIssue.ALWAYS: "always",
    ChargesAtIssue.UNKNOWN: "?",
}

_WAYS = (
    "| PG | Korean | `pg_provider` | Key-in | REST key | Window key | Charge | Reschedule, retry | Partial refund |\n"
)
_MONEY = "| `pg_provider` | Currencies | At least | `vat_amount` | Issuing charges | Order number |\n"
_REQUIRED = "| `pg_provider` | Call | Parameters |\n"

_REQUIRES = """
## What it requires

Beyond what PortOne asks of every PG. `window` is for the page that calls PortOne's SDK; the rest is sent by gudok, from
`customer` and the card where it has to be given.

"""

_AFTER = """
## When the window has already charged

Danal, Mobilians and Paymentwall charge when their window issues a key; KakaoPay, Danal's card and Hecto's account do
when an amount is given, and with 0 charge nothing. `POST /v1/subscriptions` with `{"billing_key": true}` looks that
payment up and records it as the first period, under its own order number: nothing is charged at the start. Another
amount than the plan's refuses the start, and the answer says what was charged
([taking over a key](../concepts/taking-over-a-key.md)). With `trial_end` the caller has said what it paid for: it is
left alone, and each period from then on is charged.

A phone bill is charged a month after the last charge, five days either way, and never another amount: the plan is
monthly, `trial_end` lies a month ahead, a change of amount is refused. After a month that was left out (a pause, a long
retry) the PG declines: the buyer issues a key anew, and `POST …/payment-method` names it.
"""


def pgs_page() -> str:
    """docs/reference/pgs.md: what each PG does, in three tables with their proofs, and the notes."""
    rows = PG_CAPABILITIES.values()
    parts = [
        _HEAD,
        "## What it does\n\n",
        _WAYS + _line(9) + "".join(_ways(row) for row in rows),
        "\n## What it takes\n\n",
        _MONEY + _line(6) + "".join(_money(row) for row in rows),
        _REQUIRES,
        _REQUIRED + _line(3) + "".join(_required(row) for row in rows),
        _AFTER,
        "\n## Notes\n",
        *(_notes(row) for row in rows),
        "\n",
        *(f"[{name}]: {path} '{test}'\n" for name, (path, test) in TESTS.items()),
    ]
    return "".join(parts)


def _line(columns: int) -> str:
    return "|" + "---|" * columns + "\n"


def _cell(text: str, test: str) -> str:
    return f"[{text}][{test}]"


def _ways(row: PgCapability) -> str:
    reschedule = _cell("yes", "reschedule") if row.reschedule else _cell("by `again`", "retry-by-again")
    cells = (
        row.name,
        row.name_ko,
        f"`{row.provider}`",
        _cell("yes", "key-in") if row.key_in else _cell("no", "no-card"),
        _cell("yes", "rest-key") if row.rest_key else _cell("no", "no-card"),
        _window(row),
        _cell("yes", "charge") if row.again and row.schedule else _cell("no", "no-charge"),
        reschedule if row.again else _cell("no", "no-charge"),
        _partial(row),
    )
    return f"| {' | '.join(cells)} |\n"


def _window(row: PgCapability) -> str:
    if not row.window_key:
        return _cell("no", "no-window")
    if not row.again:
        return _cell("issued, not charged", "no-charge")
    return _cell("yes, by the guide only" if row.by_guide_only else "yes", "window-key")


def _partial(row: PgCapability) -> str:
    if row.partial_cancel is None:
        return _cell("?", "partial")
    return _cell("yes", "partial") if row.partial_cancel else _cell("no", "whole")


def _money(row: PgCapability) -> str:
    many = 3
    foreign = "any" if "KRW" in row.currencies else "any but KRW"
    currencies = foreign if len(row.currencies) > many else ", ".join(row.currencies)
    number = _cell("any", "number-any")
    if not row.merchant_uid_reusable:
        number = _cell("never twice", "number-once")
    elif row.merchant_uid_alphanumeric_only:
        number = _cell("letters and digits", "number-letters")
    issuing = _cell(_AT_ISSUE[row.charges_at_issue], "at-issue" if row.window_key else "rest-issue")
    if row.provider == "settle":
        issuing = _cell("always, by `onetime`", "key-in")
    if row.phone_billing is not PhoneBilling.NEVER:
        issuing += f", {_cell('phone bills monthly', 'phone')}"
    vat = {True: "yes", False: "no", None: "?"}[row.vat_amount]
    least = f"{row.minimum_amount} KRW" if row.minimum_amount else "?"
    cells = (
        f"`{row.provider}`",
        _cell(currencies, "currency"),
        _cell(least, "minimum"),
        _cell(vat, "vat"),
        issuing,
        number,
    )
    return f"| {' | '.join(cells)} |\n"


def _required(row: PgCapability) -> str:
    calls = ((_cell(f"`{call}`", _proof_of(row, call)), names) for call, names in row.required.items())
    return "".join(
        f"| `{row.provider}` | {call} | {', '.join(f'`{name}`' for name in names)} |\n" for call, names in calls
    )


def _proof_of(row: PgCapability, call: str) -> str:
    """A call of this project is refused by name; what the page sends to PortOne's SDK is only compared with sources."""
    offered = {"onetime": row.key_in, "issue": row.rest_key, "again": row.again, "schedule": row.schedule}
    if call in ("cancel", "delete"):
        return f"required-{call}"
    return "required" if offered.get(call, False) else "as-read"


def _notes(row: PgCapability) -> str:
    notes = "".join(f"- {note.text} ({note.source})\n" for note in PG_NOTES[row.provider])
    return f"\n### {row.name} · {row.name_ko}\n\n`{row.provider}`, from `{row.source}`.\n\n{notes}"
