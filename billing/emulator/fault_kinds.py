"""Every kind of fault there is: when it strikes, where, what it takes, and what happens, in both languages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

CALLS = (
    "getToken", "pg", "customers", "customers_get", "customers_delete", "customers_list", "customers_payments",
    "customers_schedules",
    "onetime", "again", "schedule", "schedule_get", "schedule_put", "schedule_list", "schedule_customers",
    "reschedule", "retry", "unschedule", "payments", "payments_get", "find", "findAll", "status", "balance", "cancel",
    "prepare", "prepare_get", "vbanks", "receipts", "certifications", "cards", "banks",
    "escrows", "payco", "naver", "unserved",
    "window_open", "window_view", "window", "window_close", "window_told",
)  # fmt: skip
ATTEMPTS = ("onetime", "again", "schedule", "retry", "window", "console", "recovery")
"""Where a card is charged; `schedule` is also the schedule that runs when its time comes."""

LEFT_OPEN = ("onetime", "again", "schedule", "retry", "console", "recovery")
"""Where a charge may be left undecided: a window waits for its buyer anyway."""
LOOK_UPS = (
    "customers_get", "customers_list", "customers_payments", "customers_schedules", "schedule_get", "schedule_list",
    "schedule_customers", "payments", "payments_get", "find", "findAll", "status",
)  # fmt: skip
"""What only asks for payments, schedules and keys, one or a list."""

Moment = Literal["before", "after", "around", "look", "charge", "open", "webhook", "console"]


class Kind(NamedTuple):
    """One kind: at which moment it strikes, what it takes beyond the fields of every rule, and what happens."""

    moment: Moment
    takes: tuple[str, ...]
    english: str
    korean: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it can strike."""
        match self.moment:
            case "webhook":
                return ("webhook",)
            case "charge":
                return ATTEMPTS
            case "open":
                return LEFT_OPEN
            case "look":
                return LOOK_UPS
            case _:
                return CALLS


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "drop_before": Kind("before", (), "The connection is cut.", "연결이 끊깁니다."),
        "500_before": Kind("before", (), "HTTP 500.", "HTTP 500."),
        "401": Kind("before", (), "HTTP 401, as for an expired token.", "만료된 토큰처럼 HTTP 401."),
        "429": Kind("before", ("seconds",), "HTTP 429 with `Retry-After`.", "`Retry-After`가 있는 HTTP 429."),
        "429_bare": Kind("before", (), "HTTP 429 without `Retry-After`.", "`Retry-After`가 없는 HTTP 429."),
        "redirect": Kind(
            "before",
            ("location",),
            "HTTP 302 to `location`, or to the emulator's page.",
            "`location`, 없으면 에뮬레이터 페이지로 HTTP 302.",
        ),
        "execute_late": Kind(
            "before",
            ("seconds", "answer"),
            "HTTP 504 at once, or with `answer` `cut` the connection is cut; it is done `seconds` later on the "
            "emulator's clock, if it runs until then.",
            "바로 HTTP 504, `answer`가 `cut`이면 연결이 끊깁니다. 에뮬레이터 시계로 `seconds` 뒤에 (그때까지 켜져 "
            "있으면) 실행됩니다.",
        ),
        "drop_after": Kind("after", (), "The connection is cut within the answer.", "응답 도중 연결이 끊깁니다."),
        "500_after": Kind("after", (), "HTTP 500.", "HTTP 500."),
        "garbage": Kind("after", (), "HTML with HTTP 200.", "HTTP 200과 HTML."),
        "slow_drip": Kind(
            "after",
            ("seconds",),
            "The answer comes in small pieces over `seconds` of real time.",
            "응답이 실제 시간 `seconds`에 걸쳐 조금씩 옵니다.",
        ),
        "wrong_amount": Kind(
            "after",
            ("amount",),
            "The answer says `amount`, or one more than the true one.",
            "응답의 금액이 `amount`, 없으면 실제보다 1 많습니다.",
        ),
        "wrong_merchant_uid": Kind("after", (), "The answer names another order.", "응답의 주문번호가 다릅니다."),
        "wrong_imp_uid": Kind(
            "after", (), "The answer names a payment that does not exist.", "응답의 imp_uid가 없는 결제입니다."
        ),
        "wrong_customer_uid": Kind("after", (), "The answer names another key.", "응답의 customer_uid가 다릅니다."),
        "delay": Kind(
            "around",
            ("seconds",),
            "It is done `seconds` of real time after the call came.",
            "호출이 온 뒤 실제 시간 `seconds` 후에 처리합니다.",
        ),
        "delay_after": Kind(
            "around",
            ("seconds",),
            "It is done at once; the answer comes `seconds` of real time later.",
            "바로 처리하고, 응답은 실제 시간 `seconds` 후에 옵니다.",
        ),
        "stale": Kind(
            "look",
            ("seconds",),
            "It is answered what was true `seconds` earlier on the emulator's clock.",
            "에뮬레이터 시계로 `seconds` 전에 사실이던 것을 답합니다.",
        ),
        "frozen": Kind(
            "look",
            (),
            "It is answered what was true when the rule was set.",
            "규칙을 설정할 때 사실이던 것을 답합니다.",
        ),
        "decline": Kind("charge", (), "The card is declined.", "카드 승인이 거절됩니다."),
        "undecided": Kind(
            "open",
            ("seconds",),
            "The payment stays `ready`, and the answer is cut; it is approved `seconds` later on the emulator's clock, "
            "without `seconds` never.",
            "결제가 `ready`에 머물고 응답이 끊깁니다. 에뮬레이터 시계로 `seconds` 뒤에 승인되고, `seconds`가 없으면 "
            "승인되지 않습니다.",
        ),
        "drop_webhook": Kind("webhook", (), "It is never sent.", "보내지 않습니다."),
        "delay_webhook": Kind(
            "webhook",
            ("seconds",),
            "It is sent `seconds` later on the emulator's clock.",
            "에뮬레이터 시계로 `seconds` 뒤에 보냅니다.",
        ),
        "duplicate_webhook": Kind("webhook", (), "It is sent twice.", "두 번 보냅니다."),
        "reorder_webhook": Kind(
            "webhook",
            ("seconds",),
            "It is held until the customer's next one was sent, or for `seconds` on the emulator's clock.",
            "같은 고객의 다음 웹훅 뒤에, 또는 에뮬레이터 시계로 `seconds` 뒤에 보냅니다.",
        ),
        "forge_webhook": Kind(
            "webhook",
            ("status",),
            "A forged twin comes first: the same order, a payment that does not exist, `status` or `paid`.",
            "위조된 쌍둥이가 먼저 옵니다: 같은 주문, 없는 결제, `status` 또는 `paid`.",
        ),
        "early_webhook": Kind(
            "webhook",
            (),
            "It is sent and answered before the call that caused it is answered.",
            "원인이 된 호출의 응답보다 먼저 보내고 응답을 받습니다.",
        ),
        "console": Kind(
            "console",
            ("act", "at", "seconds"),
            "A person acts in the console: `at` an instant, or when a call that fits is done, or `seconds` after it.",
            "사람이 콘솔에서 동작합니다: `at` 시각에, 또는 맞는 호출이 처리된 뒤 바로 또는 `seconds` 뒤에.",
        ),
    }
)

MOMENTS: Mapping[Moment, tuple[str, str]] = MappingProxyType(
    {
        "before": ("nothing is done", "처리하지 않음"),
        "after": ("it is done, and then", "처리한 뒤"),
        "around": ("time passes", "시간이 지남"),
        "look": ("a look-up lags", "조회가 늦음"),
        "charge": ("the PG decides", "PG가 결정"),
        "open": ("the PG does not decide", "PG가 결정하지 않음"),
        "webhook": ("a webhook leaves", "웹훅을 보낼 때"),
        "console": ("a person acts", "사람의 동작"),
    }
)
"""What the kinds of a moment have in common."""
