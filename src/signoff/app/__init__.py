"""Use cases, one module each: read the record, decide, commit, then do."""
