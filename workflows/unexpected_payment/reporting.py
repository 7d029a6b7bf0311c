"""How anybody reports something of a payment that no workflow expects any more: signal-with-start.

Called by activities and the api, never by a workflow.
"""

from datetime import timedelta

from temporalio.client import Client

from workflows.contracts import fact_workflow_id
from workflows.unexpected_payment.contracts import ReportedFact, StartLateFact
from workflows.unexpected_payment.workflow import LateFactWorkflow

RPC_TIMEOUT = timedelta(seconds=5)


async def report_fact(temporal: Client, task_queue: str, fact: ReportedFact) -> None:
    """Let the workflow of a payment look into it, starting it where there is none; told twice, it finds nothing new.

    Raises:
        RPCError: Temporal is away, or refuses it; nothing was told.
    """
    await temporal.start_workflow(
        LateFactWorkflow.run,
        StartLateFact(imp_uid=fact.imp_uid),
        id=fact_workflow_id(fact.imp_uid),
        task_queue=task_queue,
        start_signal="fact_reported",
        start_signal_args=[fact],
        static_summary=f"what payment {fact.imp_uid} of order {fact.merchant_uid} says"[:200],
        rpc_timeout=RPC_TIMEOUT,
    )
