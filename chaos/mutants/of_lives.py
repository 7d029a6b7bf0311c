"""Mutants of the workflows: how a subscription waits, looks, takes back and goes on."""

from chaos.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "new-number-for-each-retry",
        "Every retry of a period has a new order number, which PortOne knows nothing of.",
        "billing/domain/subscription/period.py",
        "cycle_merchant_uid(subscription_id, self.cycle, self.generation)",
        "cycle_merchant_uid(subscription_id, self.cycle, self.generation + len(self.known_failures))",
        "tests/workflows/test_dunning.py::test_two_declines_then_approval_recover_under_one_order_number",
        classic="M1",
    ),
    Mutant(
        "webhooks-are-believed",
        "A webhook that says paid books the period as paid by the payment it names.",
        "workflows/charge/settling.py",
        "    known = reported if reported is not None and",
        "    said = reports[0]\n    if said.status == 'paid':\n        return Verdict(Finding.PAID, replace(rows[0], imp_uid=said.imp_uid))\n    known = reported if reported is not None and",
        "tests/journeys/test_wrong_webhooks.py::test_a_forged_twin_of_every_webhook_books_nothing_and_is_told_apart",
        classic="M7",
    ),
    Mutant(
        "rolled-under-a-command",
        "A run continues as new while a command waits for its answer, which nobody gets.",
        "workflows/subscription/workflow.py",
        "if not workflow.all_handlers_finished() or desk.commands",
        "if desk.commands",
        "tests/workflows/test_continue_as_new.py"
        "::test_a_command_that_is_carried_out_while_the_history_becomes_full_has_its_answer",
        classic="M9",
    ),
    Mutant(
        "rolled-without-the-drain",
        "A run continues as new with answers that no write has taken yet: the webhook stays unanswered for ever.",
        "workflows/subscription/workflow.py",
        "desk.commands or self._recording.has_notes or",
        "desk.commands or",
        "tests/journeys/test_full_history.py"
        "::test_what_is_answered_while_the_history_becomes_full_is_written_before_the_run_goes_on",
    ),
    Mutant(
        "cancel-without-reading-the-row",
        "A cancel believes that it was in time, and does not read which of the two came first.",
        "workflows/charge/stopping.py",
        "        row = await portone.find_schedule(number)\n        if row is None or row.status in (",
        "        row = None\n        if row is None or row.status in (",
        "tests/journeys/test_cancel.py"
        "::test_what_portone_does_not_tell_is_told_as_unknown_at_once_and_given_back_when_it_proves_paid",
        classic="M11",
    ),
    Mutant(
        "key-deleted-unasked",
        "The old key of a changed card is deleted without asking what is scheduled on it.",
        "workflows/billing_key/old_keys.py",
        "if scheduled or await belongs_to_another",
        "if await belongs_to_another",
        "tests/journeys/test_kept_keys.py::test_a_foreign_charge_on_the_old_key_keeps_it_until_it_is_over",
    ),
    Mutant(
        "key-of-somebody-else-deleted",
        "A start that is canceled before it looked for its key deletes the key that was there.",
        "billing/domain/subscription/ending.py",
        "        and state.opening.step is not OpeningStep.CARD\n",
        "",
        "tests/journeys/test_half_way.py"
        "::test_a_start_that_is_canceled_before_it_looked_for_its_key_deletes_none_that_was_there",
    ),
    Mutant(
        "late-reschedule-forgotten",
        "A reschedule that was not answered is not kept in mind: carried out late, it charges after a cancel.",
        "workflows/charge/portone.py",
        "return _noted(subscription, workflow.now(), CallKind.RESCHEDULE, order.merchant_uid, answer)",
        "return answer",
        "tests/chaos/test_stories.py::test_a_promise_outlives_two_mishaps[late-reschedule]",
    ),
    Mutant(
        "late-unschedule-forgotten",
        "A revoke that was not answered is not kept in mind: carried out late, it takes the new schedule back.",
        "workflows/charge/portone.py",
        "        subscription.state.in_flight.is_unanswered(\n            CallKind.UNSCHEDULE, merchant_uid, at,",
        "        str(\n            (CallKind.UNSCHEDULE, merchant_uid, at)) and str(",
        "tests/chaos/test_stories.py::test_a_promise_outlives_two_mishaps[late-unschedule]",
    ),
    Mutant(
        "look-forgotten-half-way",
        "A look in whose middle PortOne does not answer is not made again.",
        "workflows/unexpected_payment/noticing.py",
        "            subscription.state.reports.ask_for_a_look(number)\n        raise",
        "            str(number)\n        raise",
        "tests/journeys/test_half_way.py::test_a_look_that_portone_fails_in_its_middle_is_made_again",
    ),
    Mutant(
        "voided-before-it-was-asked",
        'A cancel with a refund that is answered "nothing was changed" has voided the change that was to come.',
        "workflows/subscription/commands/cancel.py",
        "    ends_now = message.at is When.NOW or",
        '    pending_change.drop(subscription, recording, workflow.now(), "canceled")\n'
        "    ends_now = message.at is When.NOW or",
        "tests/journeys/test_half_way.py::test_a_cancel_with_a_refund_that_meets_an_outage_voids_nothing",
    ),
    Mutant(
        "told-as-paid",
        "A cancel that is asked again says paid of a payment that failed.",
        "workflows/subscription/tidying.py",
        "    if not paid and state.period.state is not CycleState.UNKNOWN:\n        return\n",
        "    paid = paid or state.period.state is not CycleState.UNKNOWN\n",
        "tests/journeys/test_half_way.py::test_a_cancel_that_is_repeated_never_says_paid_of_what_was_not",
    ),
    Mutant(
        "undecided-and-silent",
        "What PortOne has not decided when a subscription is over is in no list.",
        "workflows/subscription/outcomes.py",
        "            await left_undecided.leave(subscription, recording, proven.charge.order, why, seen=True)\n",
        "",
        "tests/journeys/test_left_charges.py"
        "::test_what_portone_does_not_decide_before_the_end_stands_parked_and_is_looked_up_daily",
    ),
    Mutant(
        "hidden-is-absent",
        "A first charge that is not as ordered, and that a later look does not show, is forgotten.",
        "workflows/subscription/tidying.py",
        "state.period.state is CycleState.MISMATCH and judged.finding is Finding.ABSENT",
        "False",
        "tests/journeys/test_left_charges.py"
        "::test_a_first_charge_of_another_amount_starts_nothing_and_what_it_took_goes_back[hidden for two days]",
    ),
    Mutant(
        "the-only-payment-given-back",
        "A second payment goes back although PortOne does not show the first one.",
        "workflows/unexpected_payment/workflow.py",
        "        return found is None\n",
        "        return False\n",
        "tests/journeys/test_foreign_facts.py"
        "::test_a_second_payment_is_not_given_back_unasked_while_portone_shows_no_first_one[shown again]",
    ),
    Mutant(
        "standing-after-the-end",
        "A schedule of ours that stands after the end although it was revoked is not read again.",
        "workflows/subscription/tidying.py",
        "elif call.about.startswith(subscription.start.subscription_id):",
        "elif call.kind is CallKind.DELETE_KEY:",
        "tests/journeys/test_half_way.py::test_a_schedule_that_stands_again_after_the_end_is_read_and_taken_back",
    ),
    Mutant(
        "new-key-left-behind",
        "A card change that PortOne leaves half way leaves the new key behind.",
        "workflows/subscription/commands/change_payment_method.py",
        "except (RefusedError, ActivityError):",
        "except RefusedError:",
        "tests/journeys/test_half_way.py::test_a_card_change_that_portone_leaves_half_way_leaves_no_key_behind",
    ),
)
