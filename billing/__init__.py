"""What they all know: the domain, the PortOne client, the ledger, the emulator, the settings."""
