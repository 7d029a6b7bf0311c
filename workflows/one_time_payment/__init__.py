"""One payment by card number."""
