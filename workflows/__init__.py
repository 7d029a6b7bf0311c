"""What decides: deterministic Temporal workflows, one per subscriber, payment, refund and key."""
