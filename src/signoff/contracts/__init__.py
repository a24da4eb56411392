"""The contract suites of venues, notifiers and gates: `pytest --pyargs signoff.contracts`.

Every venue, notifier and gate that is installed is tried, beside Signoff's own. A package that brings one runs the same
suite before it releases.
"""
