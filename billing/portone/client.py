"""The PortOne V1 REST API, one method for each call this project makes.

Three kinds of method. Look-ups (`find_*`, `list_*`) answer rows, or None or an empty list when PortOne itself says that
there is nothing. Calls that move money (`issue_billing_key`, `charge_*`, `schedule`, `move_schedule`, `reschedule`,
`retry_schedule`, `cancel_payment`) answer one of four outcomes and raise nothing for what the network or PortOne does.
The rest (`delete_billing_key`, `unschedule`, `prepare`, ...) may be repeated safely and raise like look-ups.

Unless a docstring says otherwise, look-ups and the rest raise the errors of `billing.portone.errors`, and every method
raises ValueError for an argument that must not reach the wire, before anything is sent.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

import httpx
from pydantic import SecretStr

from billing.domain.money import Money
from billing.portone import reading
from billing.portone.errors import PortOneUnavailableError
from billing.portone.exchange import MAX_LIST_BYTES, Call, Exchange, NoToken
from billing.portone.models import BillingKey, Channel, Page, Payment, Prepared, Schedule
from billing.portone.outcomes import (
    CancelAnswer,
    ChargeAnswer,
    KeyAnswer,
    ScheduleAnswer,
    cancel_answer,
    charge_answer,
    key_answer,
    schedule_answer,
)
from billing.portone.queries import Query, in_batches, paged, prepared_body, range_query, with_status
from billing.portone.requests import (
    CancelPayment,
    ChargeAgain,
    ChargeOnetime,
    IssueBillingKey,
    ScheduleRequest,
    checked_customer_uid,
    unix_seconds,
)
from billing.portone.session import Session

# 100 rows stay well below the size cap, and 50 such pages are more than any order has payments.
_ROWS_PER_PAGE = 100
_MOST_PAGES = 50

_KEY = "/subscribe/customers/{customer_uid}"
_SCHEDULE = "/subscribe/payments/schedule/{merchant_uid}"


class PortOneClient:
    """One merchant's account at PortOne V1.

    Args:
        base_url: `https://api.iamport.kr`, or an emulator's.
        imp_key: REST API key.
        imp_secret: REST API secret.
        include_sandbox: Whether `find_payment` sees payments of test channels (facts.md 2.8).
        timeout_seconds: Total per call, token and refresh included.
        tier: Sub-merchant code of an agency (facts.md 1.4).
        transport: Another httpx transport, for tests.
    """

    def __init__(
        self,
        *,
        base_url: str,
        imp_key: str,
        imp_secret: str | SecretStr,
        include_sandbox: bool = False,
        timeout_seconds: float = 30.0,
        tier: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._session = Session(
            base_url=base_url,
            imp_key=imp_key,
            imp_secret=imp_secret.get_secret_value() if isinstance(imp_secret, SecretStr) else imp_secret,
            timeout_seconds=timeout_seconds,
            tier=tier,
            transport=transport,
        )
        self._include_sandbox = include_sandbox

    @property
    def include_sandbox(self) -> bool:
        """Whether it sees payments of test channels, where PortOne shows them on request only."""
        return self._include_sandbox

    def __repr__(self) -> str:
        return f"PortOneClient(base_url={self._session.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
        await self._session.aclose()

    async def server_now(self) -> datetime:
        """PortOne's clock, to the second, from a getToken made now; aware UTC."""
        grant = await self._session.fresh_grant()
        if isinstance(grant, NoToken):
            raise reading.error_of(grant)
        return datetime.fromtimestamp(grant.server_now, tz=UTC)

    async def list_channels(self) -> list[Channel]:
        """All payment channels of the account. GET /users/pg."""
        return reading.rows(Channel, await self._get("/users/pg"))

    # Billing keys (facts.md 2.3)

    async def list_billing_keys(self, customer_uids: Sequence[str]) -> list[BillingKey]:
        """Those of the given keys that exist, in any order. GET /subscribe/customers."""
        found: list[BillingKey] = []
        for query in in_batches([("customer_uid[]", uid) for uid in customer_uids]):
            found += reading.rows(BillingKey, await self._get("/subscribe/customers", query))
        return found

    async def find_billing_key(self, customer_uid: str) -> BillingKey | None:
        """The key, or None; PortOne says "none" with 404 or with code 1. GET /subscribe/customers/{customer_uid}."""
        answered = await self._get(_KEY, customer_uid=customer_uid)
        return reading.find(BillingKey, answered, absent_code=reading.NOTHING_THERE)

    async def issue_billing_key(self, customer_uid: str, request: IssueBillingKey) -> KeyAnswer:
        """Issue a key for a card; never raises for the network. POST /subscribe/customers/{customer_uid}.

        An unknown outcome is closed by `find_billing_key`: the customer_uid must be one that was never used before.
        """
        segments = {"customer_uid": checked_customer_uid(customer_uid)}
        call = Call("POST", _KEY, segments, body=request.body(), secrets=request.secret_values())
        return key_answer(await self._session.call(call), customer_uid)

    async def delete_billing_key(
        self, customer_uid: str, *, reason: str | None = None, requester: str | None = None
    ) -> BillingKey | None:
        """Delete a key for good: the key that was deleted, or None when there was none.

        Look for its schedules first: PortOne does not say what becomes of them.
        DELETE /subscribe/customers/{customer_uid}.
        """
        query = _optional(("reason", reason), ("extra[requester]", requester))
        answered = await self._session.call(Call("DELETE", _KEY, {"customer_uid": customer_uid}, query))
        return reading.find(BillingKey, answered, absent_code=reading.NOTHING_THERE)

    async def list_billing_key_payments(self, customer_uid: str, *, page: int = 1) -> Page[Payment]:
        """Payments made with a key, 20 on a page; empty for an unknown key.

        GET /subscribe/customers/{customer_uid}/payments.
        """
        return reading.page(Payment, await self._get(_KEY + "/payments", paged(page), customer_uid=customer_uid))

    async def list_billing_key_schedules(
        self, customer_uid: str, *, start: datetime, end: datetime, status: str | None = None, page: int = 1
    ) -> Page[Schedule]:
        """Schedules of a key with `start <= schedule_at < end`, at most three months apart, newest first.

        GET /subscribe/customers/{customer_uid}/schedules.
        """
        query = _customer_window(start, end, status, page)
        return reading.page(Schedule, await self._get(_KEY + "/schedules", query, customer_uid=customer_uid))

    async def list_customer_schedules(
        self, customer_uid: str, *, start: datetime, end: datetime, status: str | None = None, page: int = 1
    ) -> Page[Schedule]:
        """The same as `list_billing_key_schedules`, at PortOne's other address.

        GET /subscribe/payments/schedule/customers/{customer_uid}.
        """
        route = "/subscribe/payments/schedule/customers/{customer_uid}"
        query = _customer_window(start, end, status, page)
        return reading.page(Schedule, await self._get(route, query, customer_uid=customer_uid))

    # Charges (facts.md 2.4, 2.5)

    async def charge_onetime(self, request: ChargeOnetime) -> ChargeAnswer:
        """Charge a card now; never raises for the network. POST /subscribe/payments/onetime."""
        call = Call("POST", "/subscribe/payments/onetime", body=request.body(), secrets=request.secret_values())
        return charge_answer(await self._session.call(call), request.merchant_uid)

    async def charge_again(self, request: ChargeAgain) -> ChargeAnswer:
        """Charge a billing key now; never raises for the network. POST /subscribe/payments/again."""
        call = Call("POST", "/subscribe/payments/again", body=request.body())
        return charge_answer(await self._session.call(call), request.merchant_uid)

    # Schedules (facts.md 2.6, 2.7)

    async def schedule(self, request: ScheduleRequest) -> ScheduleAnswer:
        """Register charges that PortOne makes by itself; never raises for the network.

        POST /subscribe/payments/schedule.
        """
        call = Call("POST", "/subscribe/payments/schedule", body=request.body(), secrets=request.secret_values())
        return schedule_answer(await self._session.call(call), request.merchant_uids())

    async def find_schedule(self, merchant_uid: str) -> Schedule | None:
        """The schedule of an order number, or None. GET /subscribe/payments/schedule/{merchant_uid}."""
        answered = await self._get(_SCHEDULE, merchant_uid=merchant_uid)
        return reading.find(Schedule, answered, absent_code=reading.NOTHING_THERE)

    async def list_schedules(
        self,
        *,
        start: datetime,
        end: datetime,
        status: str | None = None,
        page: int = 1,
        limit: int = 20,
        oldest_first: bool = False,
    ) -> Page[Schedule]:
        """All schedules with `start <= schedule_at < end`, at most three months apart.

        GET /subscribe/payments/schedule.
        """
        query = range_query("schedule_from", start, "schedule_to", end) + paged(page, limit)
        query += _optional(("schedule_status", status), ("sorting", "scheduled" if oldest_first else None))
        call = Call("GET", "/subscribe/payments/schedule", query=query, max_bytes=MAX_LIST_BYTES)
        return reading.page(Schedule, await self._session.call(call))

    async def move_schedule(self, merchant_uid: str, schedule_at: datetime) -> ScheduleAnswer:
        """Move a charge that has not run to another instant. PUT /subscribe/payments/schedule/{merchant_uid}."""
        return await self._rebook("PUT", _SCHEDULE, merchant_uid, schedule_at)

    async def reschedule(self, merchant_uid: str, schedule_at: datetime) -> ScheduleAnswer:
        """Book a failed or revoked charge again under its order number.

        POST /subscribe/payments/schedule/{merchant_uid}/reschedule.
        """
        return await self._rebook("POST", _SCHEDULE + "/reschedule", merchant_uid, schedule_at)

    async def retry_schedule(self, merchant_uid: str) -> ChargeAnswer:
        """Make a failed or revoked charge now under its order number.

        HTTP 400 (not_executed) is also what a charge that is running or approved gets, so look it up before going on.
        POST /subscribe/payments/schedule/{merchant_uid}/retry.
        """
        call = Call("POST", _SCHEDULE + "/retry", {"merchant_uid": merchant_uid}, body={})
        return charge_answer(await self._session.call(call), merchant_uid)

    async def unschedule(self, customer_uid: str, merchant_uids: Sequence[str]) -> list[Schedule]:
        """Revoke the named charges of a key: those that were revoked, none when there was nothing to revoke.

        The answer says who won against the clock only after a look at each row. POST /subscribe/payments/unschedule.

        Raises:
            ValueError: no order number; without one PortOne revokes every schedule of the key.
        """
        if isinstance(merchant_uids, str) or not merchant_uids:
            raise ValueError("unschedule needs a list of order numbers: without one every schedule of the key goes")
        if not customer_uid or not all(merchant_uids):
            raise ValueError("an empty uid would widen what is revoked")
        body = {"customer_uid": customer_uid, "merchant_uid": list(merchant_uids)}
        answered = await self._session.call(Call("POST", "/subscribe/payments/unschedule", body=body))
        return reading.rows(Schedule, answered, absent_code=reading.NOTHING_THERE)

    # Payments (facts.md 2.8)

    async def find_payment(self, imp_uid: str) -> Payment | None:
        """The payment, or None; one of a test channel only with `include_sandbox`. GET /payments/{imp_uid}."""
        query = _optional(("include_sandbox", "true" if self._include_sandbox else None))
        return reading.find(Payment, await self._get("/payments/{imp_uid}", query, imp_uid=imp_uid))

    async def list_payments(self, *, imp_uids: Sequence[str] = (), merchant_uids: Sequence[str] = ()) -> list[Payment]:
        """Those payments that exist, in any order, looked up a hundred at a time. GET /payments."""
        ids = [("imp_uid[]", uid) for uid in imp_uids] + [("merchant_uid[]", uid) for uid in merchant_uids]
        found: list[Payment] = []
        for query in in_batches(ids):
            found += reading.rows(Payment, await self._get("/payments", query))
        return found

    async def find_payment_by_merchant_uid(
        self, merchant_uid: str, *, status: str | None = None, sorting: str | None = None
    ) -> Payment | None:
        """The first payment of an order number by `sorting` (newest begun), or None.

        Several may share the number: only `find_all_payments` proves what was paid. GET /payments/find/{merchant_uid}.
        """
        route, segments = with_status("/payments/find/{merchant_uid}", merchant_uid, status)
        call = Call("GET", route, segments, _optional(("sorting", sorting)))
        return reading.find(Payment, await self._session.call(call))

    async def find_all_payments(self, merchant_uid: str, *, status: str | None = None) -> list[Payment]:
        """Every payment of an order number, oldest first, from every page; none when PortOne knows of none.

        Each page is a call with a deadline of its own. GET /payments/findAll/{merchant_uid}.

        Raises:
            PortOneUnavailableError: also when fewer rows came than PortOne counts: a row that is missing here would
                be taken for absent, and the order charged again.
        """
        route, segments = with_status("/payments/findAll/{merchant_uid}", merchant_uid, status)
        found: dict[str, Payment] = {}
        number = 1
        for _ in range(_MOST_PAGES):
            # Oldest first, so that a payment made meanwhile cannot push an older one onto a page already read.
            query = (*paged(number, _ROWS_PER_PAGE), ("sorting", "started"))
            answered = reading.page(Payment, await self._session.call(Call("GET", route, segments, query)))
            found |= {payment.imp_uid: payment for payment in answered.items}
            if answered.next <= number:
                break
            number = answered.next
        if answered.next > 0 or len(found) < answered.total:
            raise PortOneUnavailableError(f"GET {route}", message="pages that do not add up")
        return list(found.values())

    async def list_payments_by_status(
        self,
        status: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        page: int = 1,
        limit: int = 20,
        oldest_first: bool = False,
    ) -> Page[Payment]:
        """Payments of the account by status (all, ready, paid, cancelled, failed), at most 90 days at a time.

        Both ends are inside, by the instant of the present status. A page beyond the last is refused.
        GET /payments/status/{payment_status}.
        """
        query = range_query("from", start, "to", end) + paged(page, limit)
        query += _optional(("sorting", "started" if oldest_first else None))
        route, segments = "/payments/status/{payment_status}", {"payment_status": status}
        return reading.page(
            Payment, await self._session.call(Call("GET", route, segments, query, max_bytes=MAX_LIST_BYTES))
        )

    async def cancel_payment(self, request: CancelPayment) -> CancelAnswer:
        """Refund a part or all of a payment; never raises for the network. POST /payments/cancel."""
        call = Call("POST", "/payments/cancel", body=request.body())
        return cancel_answer(await self._session.call(call), request)

    # Amounts registered before a window payment (facts.md 2.8)

    async def prepare(self, merchant_uid: str, amount: Money) -> Prepared:
        """Register the amount that a window payment of this order must have; a second time is refused with code 1.

        POST /payments/prepare.
        """
        return await self._put_amount("POST", merchant_uid, amount)

    async def change_prepared(self, merchant_uid: str, amount: Money) -> Prepared:
        """Change a registered amount; an order that is not registered is refused. PUT /payments/prepare."""
        return await self._put_amount("PUT", merchant_uid, amount)

    async def find_prepared(self, merchant_uid: str) -> Prepared | None:
        """The registered amount, or None. GET /payments/prepare/{merchant_uid}."""
        return reading.find(Prepared, await self._get("/payments/prepare/{merchant_uid}", merchant_uid=merchant_uid))

    async def _get(self, route: str, query: Query = (), **segments: str) -> Exchange:
        return await self._session.call(Call("GET", route, segments, query))

    async def _rebook(self, method: str, route: str, merchant_uid: str, schedule_at: datetime) -> ScheduleAnswer:
        call = Call(method, route, {"merchant_uid": merchant_uid}, body={"schedule_at": unix_seconds(schedule_at)})
        return schedule_answer(await self._session.call(call), [merchant_uid])

    async def _put_amount(self, method: str, merchant_uid: str, amount: Money) -> Prepared:
        body = prepared_body(merchant_uid, amount)
        return reading.one(Prepared, await self._session.call(Call(method, "/payments/prepare", body=body)))


def _optional(*pairs: tuple[str, str | None]) -> Query:
    return tuple((name, value) for name, value in pairs if value is not None)


def _customer_window(start: datetime, end: datetime, status: str | None, page: int) -> Query:
    return range_query("from", start, "to", end) + _optional(("schedule-status", status)) + paged(page)
