"""The names of billing keys: what is being issued or deleted outside a subscription is used by nobody else here."""

from api.dependencies import Desk
from api.errors import Problem
from api.running import is_running
from workflows.contracts import billing_key_workflow_id


async def refuse_a_busy_key(desk: Desk, customer_uid: str) -> None:
    """Refuse to issue or charge a key that is being issued or deleted outside a subscription.

    Also while a call to delete it that was not answered may still be carried out: it would delete the new key.

    Raises:
        Problem: 409 `billing_key_busy`; 503 when Temporal cannot be reached.
    """
    if await is_running(desk.temporal.get_workflow_handle(billing_key_workflow_id(customer_uid))):
        detail = "the billing key of this name is being issued or deleted"
        raise Problem(409, "billing_key_busy", detail, field="customer_uid")
