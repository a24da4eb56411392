"""Statistics of the memo: arrays in, numbers out, each with its convention. No I/O, no clock, no randomness of its own.

Names load on first use, so that a process that needs one of them does not pay for all.
"""
