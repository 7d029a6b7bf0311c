"""PortOne, the ledger and the workflows compared."""
