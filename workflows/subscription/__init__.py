"""The workflow of a subscription, its loop, its steps and its commands."""
