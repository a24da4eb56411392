"""The background work: schedules, outbox effects, unfinished rollbacks."""
