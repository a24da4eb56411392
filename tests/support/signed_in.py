"""Somebody who signed in just now, as after the whole way over the provider: bound there, with a session here."""

from signoff.app.people import bind
from signoff.http import sessions

ISSUER = "https://sign-in.example"


def begun(house, name, signed_in_at=None):
    """A new session of this person: the number that opens it, and what is known of it."""
    bind(house.record, name, issuer=ISSUER, subject=name, actor="owner")
    at = signed_in_at or house.clock.now()
    return sessions.begin(house, name, at, issuer=ISSUER, subject=name)
