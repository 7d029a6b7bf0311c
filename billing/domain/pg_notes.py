"""What a row of `pg_capabilities` cannot say: limits, doubts and disagreements, each with where it was read.

Nothing here is checked by code, unless the sentence says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PgNote:
    """One sentence, and the page it was read on: PortOne's documentation, its help centre, or its schema."""

    text: str
    source: str


_PAGE = "opi/ko/integration/pg/v1/"
_HELP = "help.portone.io core-service/channel-setting/"
_LIMITS = "help.portone.io core-service/how-to-use/impossible-partial-cancel.md"
_WINDOWS = "help.portone.io core-service/how-to-use/cancel-deadline-by-paymethod.md"
_SCHEMA = "v1.openapi.json"

_PHONE = (
    PgNote(
        "A phone bill: every month within five days of the last charge, the same amount, the same buyer data; "
        "after a month that was left out a key must be issued anew. Plan and amount are checked.",
        "help.portone.io service/payment-type/payment-type.md",
    ),
    PgNote("Refunds only in the month of the charge.", _WINDOWS),
    PgNote("Phone bills cannot be refunded in part.", _LIMITS),
)
_TEST_PARTIAL = PgNote("No partial refund through test channels.", f"{_HELP}nice.md")

PG_NOTES: Mapping[str, tuple[PgNote, ...]] = MappingProxyType(
    {
        "html5_inicis": (
            PgNote(
                "One page has html5_inicis for the window only and inicis for REST only; the schema lists html5_inicis "
                "for REST. Both codes are taken.",
                "opi/ko/support/code-info/pg.mdx",
            ),
            PgNote("A refund must repeat tax_free and vat_amount of the charge.", f"{_PAGE}inicis.mdx"),
        ),
        "inicis": (
            PgNote("The schema lists it for charges of a key only, not for onetime and issuing.", _SCHEMA),
            PgNote("No source says whether it takes vat_amount: it is not checked.", _SCHEMA),
        ),
        "kcp": (PgNote("Partial refunds of phone payments need a setting at the PG.", _LIMITS),),
        "kcp_billing": (
            PgNote("The billing window on a phone needs a review of its own.", f"{_PAGE}nhn-kcp/readme.mdx"),
        ),
        "nice": (
            _TEST_PARTIAL,
            PgNote("birth and pwd_2digit depend on the contract: they are not checked.", f"{_PAGE}nice.mdx"),
        ),
        "nice_v2": (
            _TEST_PARTIAL,
            PgNote(
                "The guide has no window keys for it; its page has, for KakaoPay and Naver Pay only.",
                f"{_PAGE}nice-v2/readme.mdx",
            ),
            PgNote(
                "An order name has at most 40 bytes and none of % & | $ - + = [ ]: it is not checked.",
                f"{_PAGE}nice-v2/readme.mdx",
            ),
        ),
        "tosspayments": (
            PgNote("The page has onetime store a key, the schema says it cannot; the schema is followed.", _SCHEMA),
            PgNote("Without a customer_id PortOne draws one for each key.", f"{_PAGE}newtoss/readme.mdx"),
        ),
        "daou": (
            PgNote("At most 50 calls a second.", f"{_PAGE}daou/undefined.mdx"),
            PgNote("No source says whether a part can be refunded.", f"{_PAGE}daou/readme.mdx"),
        ),
        "ksnet": (
            PgNote("product_type is sent as GUDOK_PRODUCT_TYPE says.", f"{_PAGE}ksnet/readme.mdx"),
            PgNote(
                "USD with foreign cards only; at most nine partial refunds in six months.", f"{_PAGE}ksnet/warning.mdx"
            ),
        ),
        "welcome": (
            PgNote(
                "A key for a phone bill follows the rules of phone bills; which kind it is, is not told.",
                f"{_PAGE}welcome/readme.mdx",
            ),
            PgNote(
                "vat_amount up to a tenth, by contract; partial refunds by contract.", f"{_PAGE}welcome/caution.mdx"
            ),
            PgNote(
                "Less than 1,000 KRW by contract: the minimum is checked as usually contracted.", f"{_HELP}welcome.md"
            ),
        ),
        "settle": (
            PgNote(
                "Issuing a key alone needs a contract of its own, and no list of the schema has it; "
                "else onetime with a customer_uid issues and charges.",
                f"{_PAGE}settle/readme.mdx",
            ),
        ),
        "settle_acc": (PgNote("Bank account only, no receipts.", f"{_PAGE}settle/mybank.mdx"),),
        "danal_tpay": (
            PgNote(
                "A key issued with amount 0 is tested with 10 KRW, given back half an hour later.", f"{_PAGE}danal.mdx"
            ),
            PgNote("No partial refund through test channels; of live ones no source speaks.", f"{_HELP}danal.md"),
        ),
        "danal": _PHONE,
        "kicc": (PgNote("The MID is agreed with KICC and given as pg=kicc.MID.", f"{_PAGE}kicc.mdx"),),
        "mobilians": (
            *_PHONE,
            PgNote(
                "A comment in the page's code says that issuing charges nothing, its text that it does.",
                f"{_PAGE}kg.mdx",
            ),
        ),
        "mobilians_v2": (
            PgNote("No list of the schema has it: it is refused for charges of a key.", f"{_PAGE}kg-mobilians-v2.mdx"),
        ),
        "smartro_v2": (
            PgNote("An order number beyond 40 characters is cut, not refused.", f"{_PAGE}smartro-v2/readme.mdx"),
            PgNote("A partial refund needs tax_free, which is always said.", f"{_PAGE}smartro-v2/caution.mdx"),
        ),
        "kakaopay": (PgNote("The window's pay_method is ignored.", f"{_PAGE}kakaopay.mdx"),),
        "naverpay": (
            PgNote("extra.naverUseCfm only by contract: it is not sent.", _SCHEMA),
            PgNote("A refund and the end of a key say why and who asked; both are always said.", f"{_PAGE}naver.mdx"),
            PgNote("Refunds within 1,095 days.", _WINDOWS),
        ),
        "payco": (PgNote("The one PG of GET /payments/{imp_uid}/balance.", _SCHEMA),),
        "smilepay": (
            PgNote(
                "PortOne's guide names it for window keys; no list of the schema has it for charges. It works here by "
                "the guide, unverified; a retry is a new again, for no list has it for reschedule either.",
                f"{_PAGE}smilepay.mdx",
            ),
            PgNote(
                "No source has its fields, its vat_amount or what issuing charges: none is checked.",
                f"{_HELP}smilepay.md",
            ),
        ),
        "tosspay_v2": (
            PgNote("PUT schedule, reschedule and retry are not listed for it: a retry is an again.", _SCHEMA),
            PgNote("A method that was registered once is not registered again.", f"{_PAGE}tosspay-v2/caution.mdx"),
            PgNote("A partial refund repeats vat_amount where the charge had one.", f"{_PAGE}tosspay-v2/caution.mdx"),
        ),
        "paymentwall": (
            PgNote("Issuing always charges, and the first payment cannot be refunded.", f"{_HELP}paymentwall.md"),
            PgNote(
                "A refused payment may be approved later, with a second webhook.",
                "opi/ko/integration/webhook/readme-v1.mdx",
            ),
            PgNote("browser_ip is the address of the caller where it is not given.", _SCHEMA),
            PgNote("buyer_email must be the one the key was issued with.", f"{_PAGE}paymentwall.mdx"),
            PgNote("The schema lists onetime, the guide does not: key-in is refused.", _SCHEMA),
        ),
        "paypal_v2": (
            PgNote("Never KRW. Payments and refunds may stay pending.", f"{_PAGE}rt/warning.mdx"),
            PgNote("Device data (Fraudnet, Magnes) that PayPal wants with again is not sent.", f"{_PAGE}rt/readme.mdx"),
        ),
    }
)
"""Every module's notes by its `pg_provider`."""
