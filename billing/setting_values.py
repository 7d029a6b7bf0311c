"""How the values of settings are written: addresses, keys and lists, checked without ever being shown."""

import base64
import binascii
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import NoDecode

_KEY_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")


def split(value: Any) -> Any:
    """The parts of a list that is written with commas; what is no text stays as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def decode_key(text: str) -> bytes:
    """The 32 bytes of a key in base64 or hexadecimal.

    Raises:
        ValueError: it is not one.
    """
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", text):
            return bytes.fromhex(text)
        key = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise ValueError("every key is 32 bytes, as 44 base64 or 64 hexadecimal characters")
    return key


def _check_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for key in keys:
        decode_key(key.get_secret_value())
    return keys


def _check_named_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    names = []
    for pair in keys:
        name, colon, key = pair.get_secret_value().partition(":")
        if not colon or not _KEY_ID.match(name):
            raise ValueError("every key is id:key, the id of 1 to 32 letters, digits, _ and -")
        decode_key(key)
        names.append(name)
    if len(set(names)) != len(names):
        raise ValueError("every key needs an id of its own")
    return keys


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address starts with http:// or https://, names a host, and has no ? and no #")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address carries no user and no password")
    return url.rstrip("/")


def _check_database_url(url: SecretStr) -> SecretStr:
    if not re.match(r"(sqlite(\+aiosqlite)?:///.|postgres(ql)?(\+asyncpg)?://.)", url.get_secret_value()):
        raise ValueError("a ledger is sqlite:///path or postgresql://user:password@host/name")
    return url


Url = Annotated[str, AfterValidator(_check_url)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split)]
Keys = Annotated[Secrets, AfterValidator(_check_keys)]
NamedKeys = Annotated[Secrets, AfterValidator(_check_named_keys)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(split)]
Port = Annotated[int, Field(ge=0, le=65535)]
RetryDay = Annotated[int, Field(ge=1, le=60)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database_url)]
