"""The one-time card vault: minutes to live, unreadable without the key, gone when it is used."""

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from billing.ledger import CardGoneError, CardVault, Ledger
from billing.ledger.engine import writing
from billing.ledger.tables import card_vault
from tests.ledger.conftest import Database
from tests.ledger.stories import day

CARD = {"card_number": "4330-1212-3456-7890", "expiry": "2031-12", "birth": "881231", "pwd_2digit": "73", "cvc": "417"}
KEY, OLD_KEY, STRANGE_KEY = b"k" * 32, b"o" * 32, b"x" * 32
MINUTE = 1 / 24 / 60


async def sealed_bytes(ledger: Ledger) -> bytes:
    async with writing(ledger.engine) as connection:
        return b"".join(row.sealed for row in (await connection.execute(select(card_vault))).all())


async def change(ledger: Ledger, of: str, **values: Any) -> None:
    async with writing(ledger.engine) as connection:
        await connection.execute(update(card_vault).where(card_vault.c.handle == of).values(**values))


def spellings(secret: str) -> list[bytes]:
    plain = secret.encode()
    digits = secret.replace("-", "").encode()
    return [
        plain,
        digits,
        digits[::-1],
        digits.hex().encode(),
        base64.b64encode(plain)[:-4],
        json.dumps(secret).encode(),
    ]


@pytest.fixture
def vault(ledger: Ledger) -> CardVault:
    return ledger.card_vault([KEY, OLD_KEY])


async def test_an_expired_card_is_gone_and_deleted_by_asking_for_it(ledger: Ledger, vault: CardVault) -> None:
    handle = await vault.seal(CARD, day(0))
    assert await vault.open(handle, day(14 * MINUTE)) == CARD
    with pytest.raises(CardGoneError):
        await vault.open(handle, day(15 * MINUTE))
    assert await sealed_bytes(ledger) == b""
    with pytest.raises(CardGoneError):
        await vault.open(handle, day(0))


@pytest.mark.parametrize("column", ["sealed", "nonce"])
async def test_a_tampered_card_does_not_open(ledger: Ledger, vault: CardVault, column: str) -> None:
    handle = await vault.seal(CARD, day(0))
    await change(ledger, handle, **{column: b"\x00" * (272 if column == "sealed" else 12)})
    with pytest.raises(CardGoneError):
        await vault.open(handle, day(0))


async def test_a_card_does_not_open_under_another_handle(ledger: Ledger, vault: CardVault) -> None:
    """The handle is part of what is sealed: a row that is moved to another's place stays shut."""
    mine, theirs = await vault.seal(CARD, day(0)), await vault.seal({"card_number": "1"}, day(0))
    await vault.discard(mine)
    await change(ledger, theirs, handle=mine)
    with pytest.raises(CardGoneError):
        await vault.open(mine, day(0))


async def test_a_wrong_key_opens_nothing_and_destroys_nothing(ledger: Ledger, vault: CardVault) -> None:
    handle = await vault.seal(CARD, day(0))
    with pytest.raises(CardGoneError) as gone:
        await ledger.card_vault([STRANGE_KEY]).open(handle, day(0))
    assert handle not in str(gone.value)
    assert await vault.open(handle, day(0)) == CARD


async def test_a_handle_nobody_gave_out_opens_nothing(vault: CardVault) -> None:
    with pytest.raises(CardGoneError):
        await vault.open("made-up", day(0))


@pytest.mark.parametrize("keys", [[], [b"short"], [KEY, b"x" * 31], {}, {"k1": b"x" * 16}])
async def test_a_vault_without_proper_keys_is_refused(ledger: Ledger, keys: Any) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CardVault(ledger.engine, keys)


async def test_a_card_sealed_under_the_last_key_still_opens_after_rotation(ledger: Ledger, vault: CardVault) -> None:
    handle = await ledger.card_vault({"2026": OLD_KEY}).seal(CARD, day(0))
    assert await vault.open(handle, day(0)) == CARD
    fresh = await vault.seal(CARD, day(0))
    with pytest.raises(CardGoneError):
        await ledger.card_vault([OLD_KEY]).open(fresh, day(0))


async def test_a_card_stays_until_it_is_discarded_and_then_is_gone(vault: CardVault) -> None:
    """A charge whose outcome is open is sent again with the same card; success and refusal discard it."""
    handle = await vault.seal(CARD, day(0))
    assert await vault.open(handle, day(0)) == await vault.open(handle, day(0)) == CARD
    await vault.discard(handle)
    await vault.discard(handle)
    with pytest.raises(CardGoneError):
        await vault.open(handle, day(0))


async def test_what_is_stored_holds_nothing_of_the_card_and_tells_not_even_its_length(
    ledger: Ledger, vault: CardVault
) -> None:
    await vault.seal(CARD, day(0))
    stored = await sealed_bytes(ledger)
    assert not [word for secret in CARD.values() if len(secret) > 3 for word in spellings(secret) if word in stored]
    await vault.seal({"card_number": "371234567890123"}, day(0))
    assert len(await sealed_bytes(ledger)) == 2 * len(stored)


async def test_a_handle_is_of_no_use_for_guessing_the_next(vault: CardVault) -> None:
    handles = {await vault.seal(CARD, day(0)) for _ in range(20)}
    assert len(handles) == 20
    assert all(len(handle) >= 32 for handle in handles)


async def test_purging_deletes_every_card_whose_time_is_over_and_no_other(vault: CardVault) -> None:
    old = [await vault.seal(CARD, day(0)) for _ in range(3)]
    young = await vault.seal(CARD, day(5 * MINUTE))
    assert await vault.purge(day(16 * MINUTE)) == 3
    assert await vault.purge(day(16 * MINUTE)) == 0
    assert await vault.open(young, day(16 * MINUTE)) == CARD
    for handle in old:
        with pytest.raises(CardGoneError):
            await vault.open(handle, day(0))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("end", ["discard", "purge", "open"])
async def test_no_file_holds_the_card_nor_even_its_sealed_bytes_afterwards(
    ledger: Ledger, database: Database, vault: CardVault, end: str
) -> None:
    handle = await vault.seal(CARD, day(0))
    sealed = await sealed_bytes(ledger)
    assert sealed in database.files_bytes()
    if end == "discard":
        await vault.discard(handle)
    elif end == "purge":
        await vault.purge(day(1))
    else:
        with pytest.raises(CardGoneError):
            await vault.open(handle, day(1))
    left = database.files_bytes()
    assert sealed[:32] not in left
    assert handle.encode() not in left
    assert not [word for secret in CARD.values() if len(secret) > 3 for word in spellings(secret) if word in left]
