"""The books: everything that was charged, whatever anybody was told of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from billing.emulator.store import Record
from billing.emulator.world import World

_DAY_SECONDS = 24 * 3600


def read_books(world: World, customer_uid: str | None, merchant_uid: str | None) -> dict[str, Any]:
    """`{"charges": [...], "totals": {...}}`, of one key, of one order number, or of all.

    A charge is a payment that was approved, refunded or not; a key issued without one is none. Totals: how many, order
    numbers charged twice, what was taken from one key on the same day under several numbers, failed attempts, and
    `amount` and `refunded` by currency.
    """
    rows = _rows(world, customer_uid, merchant_uid)
    charges = [_charge(row) for row in rows if row["paid_at"] and row["amount"]]
    amounts: dict[str, dict[str, float]] = {}
    for charge in charges:
        sums = amounts.setdefault(charge["currency"], {"amount": 0, "refunded": 0})
        sums["amount"] = round(sums["amount"] + charge["amount"], 2)
        sums["refunded"] = round(sums["refunded"] + charge["cancelled_amount"], 2)
    numbers = Counter(charge["merchant_uid"] for charge in charges)
    totals = {
        "charges": len(charges),
        "charged_twice": sorted(number for number, times in numbers.items() if times > 1),
        "same_day": _same_day(charges),
        "failed_attempts": sum(row["status"] == "failed" for row in rows),
        "by_currency": amounts,
    }
    return {"charges": charges, "totals": totals}


def _same_day(charges: Sequence[Record]) -> list[dict[str, Any]]:
    """Charges of one key and one amount, less than a day apart and not refunded, under different order numbers.

    The emulator knows no periods: whether two of them paid for one is for those who look to say.
    """
    by_key: dict[tuple[str, str, float], list[Record]] = {}
    for charge in charges:
        if charge["customer_uid"] and charge["cancelled_amount"] < charge["amount"]:
            key = (charge["customer_uid"], charge["currency"], charge["amount"])
            by_key.setdefault(key, []).append(charge)
    found = []
    for (customer_uid, currency, amount), rows in by_key.items():
        for near in _near(sorted(rows, key=lambda row: (row["paid_at"], row["imp_uid"]))):
            numbers = sorted({row["merchant_uid"] for row in near})
            if len(numbers) > 1:
                same = {"customer_uid": customer_uid, "amount": amount, "currency": currency}
                found.append({**same, "merchant_uids": numbers})
    return found


def _near(rows: Sequence[Record]) -> list[list[Record]]:
    groups: list[list[Record]] = []
    for row in rows:
        if groups and row["paid_at"] - groups[-1][0]["paid_at"] < _DAY_SECONDS:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _rows(world: World, customer_uid: str | None, merchant_uid: str | None) -> list[Record]:
    if merchant_uid is not None:
        return [row for row in world.payments_of(merchant_uid) if customer_uid in (None, row["customer_uid"])]
    if customer_uid is not None:
        return world.payments_by(customer_uid)
    return list(world.store["payments"].values())


def _charge(row: Record) -> Record:
    return {
        "imp_uid": row["imp_uid"],
        "merchant_uid": row["merchant_uid"],
        "customer_uid": row["customer_uid"],
        "amount": row["amount"],
        "currency": row["currency"],
        "status": row["status"],
        "cancelled_amount": row["cancel_amount"],
        "paid_at": row["paid_at"],
        "schedule": row["customer_uid_usage"] == "payment.scheduled",
    }
