"""What keeps a replay from being run at all. A leak is no error: it is a finding."""


class ReplayError(ValueError):
    """Inputs or features cannot be replayed as they are; the message says which, what was expected, and what to do."""
