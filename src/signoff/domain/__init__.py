"""Frozen records and pure decisions: no I/O, no clock, no environment, no randomness."""
