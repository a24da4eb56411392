"""The background work: schedules, effects, rollbacks to finish."""
