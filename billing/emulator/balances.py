"""GET /payments/{imp_uid}/balance: what is left of a payment by PAYCO, by means and by tax (facts.md 2.8)."""

from billing.emulator.store import Record

_NOTHING = {"tax_free": 0, "supply": 0, "vat": 0, "service": 0}


def balance_of(payment: Record) -> Record:
    """The amount at first, and its parts net of refunds; refunds take from each part as much as they are of all."""
    amount, left = payment["amount"], payment["amount"] - payment["cancel_amount"]
    tax_free = payment.get("tax_free") or 0
    vat = payment.get("vat_amount")
    vat = round((amount - tax_free) / 11) if vat is None else vat
    parts = {"tax_free": tax_free, "supply": amount - tax_free - vat, "vat": vat, "service": 0}
    return {
        "amount": amount,
        **_means(_share(parts, left, amount)),
        "histories": [_means(_share(parts, -row["amount"], amount)) for row in payment["cancel_history"]],
    }


def _means(primary: Record) -> Record:
    return {"cash_receipt": _NOTHING, "primary": primary, "secondary": _NOTHING, "discount": _NOTHING}


def _share(parts: Record, part: float, whole: float) -> Record:
    told = {name: round(value * part / whole) for name, value in parts.items()}
    # What rounding leaves over is supply, so that the parts add up.
    told["supply"] += round(part - sum(told.values()), 2)
    return told
