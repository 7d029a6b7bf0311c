"""The PortOne V1 REST API, typed: look-ups raise when they cannot be answered, money calls have an outcome."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr, ValidationError

from billing.domain.money import Money
from billing.portone.errors import PortOneAuthError, PortOneRefusedError, PortOneUnavailableError
from billing.portone.http import Answer, Envelope, Http, NoAnswer, looked_up, segment
from billing.portone.models import BillingKey, Channel, Page, Payment, Prepared, Schedule, Wire, page_of
from billing.portone.outcomes import (
    CancelAnswer,
    ChargeAnswer,
    KeyAnswer,
    ScheduleAnswer,
    cancel_outcome,
    charge_outcome,
    key_outcome,
    schedule_outcome,
)
from billing.portone.requests import CancelPayment, ChargeAgain, ChargeOnetime, IssueBillingKey, ScheduleRequest
from billing.portone.token import TokenKeeper

_OK, _PARTIAL, _BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND = 200, 207, 400, 401, 404
_MOST_PER_PAGE = 1000

Found = TypeVar("Found", bound=Wire)


class PortOneClient:
    """One merchant's PortOne account. Every call has a total deadline of `timeout_seconds` and is sent once."""

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
        secret = SecretStr(imp_secret) if isinstance(imp_secret, str) else imp_secret
        self._http = Http(base_url, timeout_seconds=timeout_seconds, transport=transport, tier=tier)
        self._tokens = TokenKeeper(self._http, imp_key, secret)
        self._include_sandbox = include_sandbox

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def server_now(self) -> datetime:
        """PortOne's clock."""
        return await self._tokens.server_now()

    async def list_channels(self) -> list[Channel]:
        """The payment channels of this account (GET /users/pg)."""
        _, envelope = await self._ask("GET", "/users/pg")
        return _several(Channel, envelope.response)

    # -------------------------------------------------------------- billing keys

    async def list_billing_keys(self, customer_uids: Sequence[str]) -> list[BillingKey]:
        """Those of the given keys that exist (GET /subscribe/customers, HTTP 207 when some do not)."""
        query = {"customer_uid[]": list(customer_uids)}
        found = await self._find("GET", "/subscribe/customers", query=query)
        return _several(BillingKey, found)

    async def find_billing_key(self, customer_uid: str) -> BillingKey | None:
        """The key, or None: PortOne says so with 404 or with `code` 1 (facts.md 1.2)."""
        return _one(
            BillingKey, await self._find("GET", f"/subscribe/customers/{segment(customer_uid)}", refusal_is_none=True)
        )

    async def issue_billing_key(self, customer_uid: str, request: IssueBillingKey) -> KeyAnswer:
        """Issue a key from card data."""
        return key_outcome(await self._do("POST", f"/subscribe/customers/{segment(customer_uid)}", request.on_wire()))

    async def delete_billing_key(
        self, customer_uid: str, *, reason: str | None = None, requester: str | None = None
    ) -> BillingKey | None:
        """Delete a key; None when there was none. Irreversible."""
        query = {name: value for name, value in (("reason", reason), ("extra[requester]", requester)) if value}
        path = f"/subscribe/customers/{segment(customer_uid)}"
        return _one(BillingKey, await self._find("DELETE", path, query=query, refusal_is_none=True))

    async def list_billing_key_payments(self, customer_uid: str, *, page: int = 1) -> Page[Payment]:
        """The payments made with a key, 20 a page."""
        path = f"/subscribe/customers/{segment(customer_uid)}/payments"
        return _page(Payment, await self._find("GET", path, query={"page": page}))

    async def list_billing_key_schedules(
        self, customer_uid: str, *, start: datetime, end: datetime, status: str | None = None, page: int = 1
    ) -> Page[Schedule]:
        """The schedules of a key in a window of at most three months."""
        path = f"/subscribe/customers/{segment(customer_uid)}/schedules"
        return await self._customer_schedules(path, start, end, status, page)

    async def list_customer_schedules(
        self, customer_uid: str, *, start: datetime, end: datetime, status: str | None = None, page: int = 1
    ) -> Page[Schedule]:
        """The same list by its other URL."""
        path = f"/subscribe/payments/schedule/customers/{segment(customer_uid)}"
        return await self._customer_schedules(path, start, end, status, page)

    # -------------------------------------------------------------- charges

    async def charge_onetime(self, request: ChargeOnetime) -> ChargeAnswer:
        """Charge a card once; with a customer_uid a billing key is stored too."""
        return charge_outcome(await self._do("POST", "/subscribe/payments/onetime", request.on_wire()))

    async def charge_again(self, request: ChargeAgain) -> ChargeAnswer:
        """Charge a billing key now."""
        return charge_outcome(await self._do("POST", "/subscribe/payments/again", request.on_wire()))

    # -------------------------------------------------------------- schedules

    async def schedule(self, request: ScheduleRequest) -> ScheduleAnswer:
        """Register charges that PortOne will run by itself."""
        return schedule_outcome(await self._do("POST", "/subscribe/payments/schedule", request.on_wire()))

    async def find_schedule(self, merchant_uid: str) -> Schedule | None:
        """The schedule of an order number, or None."""
        path = f"/subscribe/payments/schedule/{segment(merchant_uid)}"
        return _one(Schedule, await self._find("GET", path, refusal_is_none=True))

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
        """The schedules of a window of at most three months, newest first unless asked otherwise."""
        query: dict[str, Any] = {
            "schedule_from": int(start.timestamp()),
            "schedule_to": int(end.timestamp()),
            "page": page,
            "limit": limit,
        }
        if status:
            query["schedule_status"] = status
        if oldest_first:
            query["sorting"] = "scheduled"
        return _page(Schedule, await self._find("GET", "/subscribe/payments/schedule", query=query))

    async def move_schedule(self, merchant_uid: str, schedule_at: datetime) -> ScheduleAnswer:
        """Change the time of a schedule that has not run (PUT)."""
        path = f"/subscribe/payments/schedule/{segment(merchant_uid)}"
        return schedule_outcome(await self._do("PUT", path, {"schedule_at": int(schedule_at.timestamp())}))

    async def reschedule(self, merchant_uid: str, schedule_at: datetime) -> ScheduleAnswer:
        """Book a failed or revoked schedule again, under its own order number."""
        path = f"/subscribe/payments/schedule/{segment(merchant_uid)}/reschedule"
        return schedule_outcome(await self._do("POST", path, {"schedule_at": int(schedule_at.timestamp())}))

    async def retry_schedule(self, merchant_uid: str) -> ChargeAnswer:
        """Run a failed or revoked schedule now, under its own order number."""
        path = f"/subscribe/payments/schedule/{segment(merchant_uid)}/retry"
        return charge_outcome(await self._do("POST", path, {}))

    async def unschedule(self, customer_uid: str, merchant_uids: Sequence[str]) -> list[Schedule]:
        """Revoke the given order numbers; those that were revoked, none when there was nothing to revoke.

        Raises:
            ValueError: no order number; PortOne would revoke every schedule of the key.
        """
        if not merchant_uids:
            raise ValueError("unschedule without order numbers would revoke every schedule of the key")
        body = {"customer_uid": customer_uid, "merchant_uid": list(merchant_uids)}
        found = await self._find("POST", "/subscribe/payments/unschedule", body=body, refusal_is_none=True)
        return _several(Schedule, found)

    # -------------------------------------------------------------- payments

    async def find_payment(self, imp_uid: str) -> Payment | None:
        """The payment, or None when PortOne does not know it."""
        query = {"include_sandbox": "true"} if self._include_sandbox else None
        return _one(Payment, await self._find("GET", f"/payments/{segment(imp_uid)}", query=query))

    async def list_payments(self, *, imp_uids: Sequence[str] = (), merchant_uids: Sequence[str] = ()) -> list[Payment]:
        """Those of up to 100 payments that exist (HTTP 207 when some do not)."""
        query = {"imp_uid[]": list(imp_uids), "merchant_uid[]": list(merchant_uids)}
        found = await self._find("GET", "/payments", query={name: ids for name, ids in query.items() if ids})
        return _several(Payment, found)

    async def find_payment_by_merchant_uid(
        self, merchant_uid: str, *, status: str | None = None, sorting: str | None = None
    ) -> Payment | None:
        """The first payment of an order number; there may be several, so money is judged by `find_all_payments`."""
        path = "/payments/find/" + "/".join(segment(part) for part in (merchant_uid, status) if part)
        return _one(Payment, await self._find("GET", path, query={"sorting": sorting} if sorting else None))

    async def find_all_payments(self, merchant_uid: str, *, status: str | None = None) -> list[Payment]:
        """Every payment of an order number, failed ones too, from every page."""
        path = "/payments/findAll/" + "/".join(segment(part) for part in (merchant_uid, status) if part)
        found: list[Payment] = []
        page = 1
        while page:
            query = {"page": page, "limit": _MOST_PER_PAGE}
            answered = _page(Payment, await self._find("GET", path, query=query))
            found += answered.items
            page = answered.next if answered.next > page else 0
        return found

    async def list_payments_by_status(
        self,
        status: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        page: int = 1,
        limit: int = 20,
    ) -> Page[Payment]:
        """Payments by status in a window of at most 90 days."""
        query: dict[str, Any] = {"page": page, "limit": limit}
        query |= {name: int(at.timestamp()) for name, at in (("from", start), ("to", end)) if at}
        return _page(Payment, await self._find("GET", f"/payments/status/{segment(status)}", query=query))

    async def cancel_payment(self, request: CancelPayment) -> CancelAnswer:
        """Refund, guarded by `checksum`.

        Raises:
            ValueError: an amount that is not positive, before anything is sent.
        """
        return cancel_outcome(await self._do("POST", "/payments/cancel", request.on_wire()))

    # -------------------------------------------------------------- prepared amounts

    async def prepare(self, merchant_uid: str, amount: Money) -> Prepared:
        """Register the amount of a window payment.

        Raises:
            PortOneRefusedError: the order number is registered already.
        """
        return await self._prepared("POST", merchant_uid, amount)

    async def change_prepared(self, merchant_uid: str, amount: Money) -> Prepared:
        """Change a registered amount."""
        return await self._prepared("PUT", merchant_uid, amount)

    async def find_prepared(self, merchant_uid: str) -> Prepared | None:
        """The registered amount of an order number, or None."""
        return _one(Prepared, await self._find("GET", f"/payments/prepare/{segment(merchant_uid)}"))

    async def _prepared(self, method: str, merchant_uid: str, amount: Money) -> Prepared:
        body = {"merchant_uid": merchant_uid, "amount": amount.on_wire(), "currency": amount.currency}
        status, envelope = await self._ask(method, "/payments/prepare", body=body)
        if status != _OK or envelope.code != 0:
            raise PortOneRefusedError(envelope.message or "refused", http_status=status, code=envelope.code)
        return _certain(Prepared, envelope.response)

    # -------------------------------------------------------------- how a call is made

    async def _customer_schedules(
        self, path: str, start: datetime, end: datetime, status: str | None, page: int
    ) -> Page[Schedule]:
        query: dict[str, Any] = {"from": int(start.timestamp()), "to": int(end.timestamp()), "page": page}
        if status:
            query["schedule-status"] = status
        return _page(Schedule, await self._find("GET", path, query=query))

    async def _do(self, method: str, path: str, body: Mapping[str, Any]) -> Answer | NoAnswer:
        """Send a call that does something. Without a token nothing of it has left, so it has not been executed."""
        try:
            return await self._authorized(method, path, body=body)
        except (PortOneAuthError, PortOneUnavailableError) as error:
            return NoAnswer(sent=False, words=str(error))

    async def _ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> tuple[int, Envelope]:
        status, envelope = looked_up(await self._authorized(method, path, body=body, query=query))
        if status == _UNAUTHORIZED:
            raise PortOneAuthError("PortOne refused a fresh token", http_status=status, code=envelope.code)
        return status, envelope

    async def _find(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        refusal_is_none: bool = False,
    ) -> Any:
        """What was found, or None: 404, and where PortOne says "not there" so, a `code` other than 0."""
        status, envelope = await self._ask(method, path, body=body, query=query)
        if status == _NOT_FOUND:
            return None
        if status not in (_OK, _PARTIAL) or (envelope.code != 0 and not refusal_is_none):
            raise PortOneRefusedError(envelope.message or "refused", http_status=status, code=envelope.code)
        return envelope.response if envelope.code == 0 else None

    async def _authorized(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Answer | NoAnswer:
        """One request; after a 401, which executes nothing, once more with a fresh token."""
        token = await self._tokens.token()
        answer = await self._http.send(method, path, token=token, body=body, query=query)
        if isinstance(answer, Answer) and answer.http_status == _UNAUTHORIZED:
            fresh = await self._tokens.token(instead_of=token)
            return await self._http.send(method, path, token=fresh, body=body, query=query)
        return answer


def _certain(kind: type[Found], response: Any) -> Found:
    try:
        return kind.model_validate(response)
    except ValidationError:
        raise PortOneUnavailableError(f"PortOne's {kind.__name__} cannot be read") from None


def _one(kind: type[Found], response: Any) -> Found | None:
    return None if response is None else _certain(kind, response)


def _several(kind: type[Found], response: Any) -> list[Found]:
    return [_certain(kind, item) for item in response or []]


def _page(kind: type[Found], response: Any) -> Page[Found]:
    try:
        return page_of(kind, response)
    except (ValidationError, AttributeError, TypeError):
        raise PortOneUnavailableError(f"PortOne's list of {kind.__name__} cannot be read") from None
