"""PortOne's own V1 schema, read as JSON Schema, to hold an answer against.

The schema is data to read, not part of this project: it lies beside the repository, or where GUDOK_PORTONE_SCHEMA says.
"""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMA = Path(os.environ.get("GUDOK_PORTONE_SCHEMA") or REPOSITORY.parent / "shared/portone/v1.openapi.json")
# The text says "paged list", the type an array; official clients read the paged object (facts.md 2.3).
PAGED_SCHEDULES = {
    ("GET", "/subscribe/payments/schedule"),
    ("GET", "/subscribe/payments/schedule/customers/{customer_uid}"),
    ("GET", "/subscribe/customers/{customer_uid}/schedules"),
}

# The definitions of keys are two shapes side by side, the ordinary one and the super key's.
SUPER = "SuperBillingKeyResponse"


def load_schema() -> dict[str, Any]:
    """PortOne's schema; the test is skipped, and says why, where there is none."""
    if not SCHEMA.is_file():
        pytest.skip(f"PortOne's V1 schema is not here: {SCHEMA} (set GUDOK_PORTONE_SCHEMA)")
    document: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return document


def tightened(node: Any, *, closed: bool) -> Any:
    """A Swagger 2.0 schema as JSON Schema: what is not required may be null, what is not documented may not be there.

    Slips of the schema are set right: lengths written as text, and names required that are no properties.
    """
    if isinstance(node, list):
        return [tightened(item, closed=closed) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in ("example", "default", "description", "title")}
    fixed = {key: tightened(value, closed=closed) for key, value in kept.items() if not key.startswith("x-")}
    if isinstance(node.get("properties"), dict):
        # Here the keys are names of fields, of which one may well be `title`.
        fixed["properties"] = {name: tightened(one, closed=closed) for name, one in node["properties"].items()}
    if isinstance(fixed.get("maxLength"), str):
        fixed["maxLength"] = int(fixed["maxLength"])
    properties = fixed.get("properties")
    if isinstance(properties, dict):
        fixed["required"] = [name for name in node.get("required") or [] if name in properties]
        fixed["properties"] = {
            name: schema if name in fixed["required"] else {"anyOf": [schema, {"type": "null"}]}
            for name, schema in properties.items()
        }
        if closed:
            fixed["additionalProperties"] = False
    return {key: value for key, value in fixed.items() if key != "required" or isinstance(value, list)}


def response_schema(
    swagger: dict[str, Any], method: str, path: str, status: int = 200, *, key: str = "CustomerResponse"
) -> dict[str, Any]:
    """What `response` of an answer must be."""
    answer = swagger["paths"][path][method.lower()]["responses"][str(status)]["schema"]
    answer = answer.get("properties", {}).get(key, answer)
    envelope = swagger["definitions"][answer["$ref"].rsplit("/", 1)[1]]
    if "allOf" not in envelope:
        # The bare envelope: that it was done is all that is told.
        return {"type": "null", "definitions": {}}
    response = next(part["properties"]["response"] for part in envelope["allOf"] if "properties" in part)
    if (method, path) in PAGED_SCHEDULES:
        assert response["type"] == "array", "the schema has settled what a schedule list is: drop PAGED_SCHEDULES"
        page = swagger["definitions"]["PagedPaymentAnnotation"]
        response = {**page, "properties": {**page["properties"], "list": response}}
    definitions = {name: tightened(schema, closed=True) for name, schema in swagger["definitions"].items()}
    return {**tightened(response, closed=True), "definitions": definitions}


def problems(validator: jsonschema.Draft4Validator, response: Any) -> list[str]:
    """What is wrong with a response."""
    # Of "this or null" the first branch is the one that was meant.
    meant = [error.context[0] if error.context else error for error in validator.iter_errors(response)]
    return [f"{error.json_path} {error.message}" for error in meant]
