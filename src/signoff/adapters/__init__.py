"""Adapters to external systems: each is simple, and translates its library's errors into ours."""
