"""Signoff takes a trading model from candidate to trusted in production, and back out when it misbehaves."""

__version__ = "0.1.0"
