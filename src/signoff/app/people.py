"""Enrolling the people who may sign."""

from signoff.app.record import PEOPLE, Change, Record
from signoff.domain.access import DUTY_OF, compatible
from signoff.domain.events import PersonEnrolled
from signoff.domain.policy import Role


def enrol(
    record: Record, *, name: str, roles: tuple[Role, ...], key_id: str, public_key: str, actor: str, note: str = ""
) -> None:
    """Let a person sign in these roles with this key; enrolling the same again changes nothing."""
    people = record.people()
    known = people.by_name.get(name)
    if known is not None and (known.roles, known.key_id) == (roles, key_id):
        return
    compatible({*(known.granted if known else ()), *(DUTY_OF[role] for role in roles)})
    event = PersonEnrolled(name=name, roles=roles, key_id=key_id, public_key=public_key, note=note)
    record.commit(
        Change(stream=PEOPLE, state=people if people.revision else None, events=(event,)),
        actor=actor,
        key=f"enrol:{name}:{key_id}:{people.revision}",
    )
