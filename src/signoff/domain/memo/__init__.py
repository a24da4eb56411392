"""The deployment memo: its document model, and how its twelve sections are composed from the record."""
