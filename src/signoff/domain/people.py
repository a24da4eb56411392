"""Who may sign in which role with which key: folded from the stream `people`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from signoff.domain import events as e
from signoff.domain.deployment import IllegalHistoryError
from signoff.domain.errors import NotFoundError, RefusedError
from signoff.domain.policy import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One human being, however many roles they hold."""

    name: str
    roles: tuple[Role, ...]
    key_id: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    revision: int = 0
    by_name: Mapping[str, Person] = field(default_factory=dict)

    def named(self, name: str) -> Person:
        """The person of this name; NotFoundError lists who is known."""
        try:
            return self.by_name[name]
        except KeyError:
            known = ", ".join(sorted(self.by_name)) or "nobody yet"
            message = (
                f"Expected an enrolled person, found {name!r}; enrolled are: {known}. "
                f"Enrol with `signoff people add NAME --role ROLE`."
            )
            raise NotFoundError(message) from None

    def holding(self, name: str, role: Role) -> Person:
        """The person of this name, if they hold the role."""
        person = self.named(name)
        if role not in person.roles:
            held = ", ".join(r.value for r in person.roles)
            message = (
                f"{name} does not hold the role {role.value}; they hold: {held}. A signature counts only in a role."
            )
            raise RefusedError(message)
        return person


def evolve_people(state: People | None, recorded: e.Recorded) -> People:
    """The people after one more enrolment; a later enrolment of the same name replaces key and roles."""
    people = state or People()
    event = recorded.event
    if recorded.revision != people.revision + 1 or not isinstance(event, e.PersonEnrolled):
        message = f"{event.kind!r} as revision {recorded.revision} does not follow revision {people.revision} of people"
        raise IllegalHistoryError(message)
    person = Person(name=event.name, roles=event.roles, key_id=event.key_id, public_key=event.public_key)
    return replace(people, revision=recorded.revision, by_name={**people.by_name, event.name: person})
