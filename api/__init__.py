"""What asks: the HTTP API, the command line, and what `gudok up` starts."""
