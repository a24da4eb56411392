"""Why a replay cannot run. A leak is a finding and not an error."""


class ReplayError(ValueError):
    """Inputs or features cannot be replayed; the message says which, what was expected, and what to do."""
