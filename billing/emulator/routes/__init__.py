"""PortOne's paths, one module for each family, and the emulator's own under /emulator."""
