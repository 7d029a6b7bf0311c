"""What does: thin Temporal activities, one PortOne call or one ledger transaction each."""
