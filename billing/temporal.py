"""The connection to Temporal: the SDK's own environment configuration, and our data converter.

`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS…` and the profiles of `temporal.toml`
select the cluster, as they do for Temporal's own CLI.
"""

import dataclasses
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfig

DEFAULT_ADDRESS = "127.0.0.1:7233"

# Failure messages and stack traces travel as payloads, so that a codec covers them too (temporal.md 4.1).
DATA_CONVERTER = dataclasses.replace(
    pydantic_data_converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
)


async def connect(address: str | None = None, *, lazy: bool = False) -> Client:
    """A client for the configured cluster, or for `address`.

    A lazy client connects with its first call: the api answers webhooks while Temporal is away.
    """
    found: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    found.setdefault("target_host", DEFAULT_ADDRESS)
    if address is not None:
        found["target_host"] = address
    return await Client.connect(**found, data_converter=DATA_CONVERTER, lazy=lazy)
