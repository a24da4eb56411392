"""Who could sign for a release in each role, given conflicts of interest, so that a gap shows before people wait.

A release needs a different person for each required role. With an unfilled role it would wait until it expires, so
submission and check report the gap, with what bars each person.
"""

from collections.abc import Iterable, Mapping

from signoff.domain.conflict_of_interest import objection
from signoff.domain.events import Barred
from signoff.domain.look_alikes import skeleton
from signoff.domain.people import Person
from signoff.domain.policy import Role


def unsignable(
    required: Iterable[Role], people: Iterable[Person], barred: Iterable[str], grounds: Iterable[Barred]
) -> tuple[str, ...]:
    """Each required role without a possible signatory, and why; or that there are fewer people than roles."""
    roles, everybody = tuple(required), tuple(people)
    if roles and not everybody:
        return ('no person is enrolled, so no one can sign. Enrol people: signoff people add "NAME" --role ROLE',)
    bars, because = tuple(barred), tuple(grounds)
    able: dict[Role, tuple[str, ...]] = {}
    faults: list[str] = []
    for role in roles:
        holders = [person for person in everybody if role in person.roles]
        objections = {person.name: _objection(person, bars, because) for person in holders}
        able[role] = tuple(dict.fromkeys(skeleton(name) for name, why_not in objections.items() if why_not is None))
        if not able[role]:
            why = "; ".join(f"{name} {why_not}" for name, why_not in objections.items()) or "no person holds that role"
            faults.append(f"no enrolled person can sign as {role.title}: {why}. {_enrol(role)}")
    if faults or len(matched := _matched(able)) == len(roles):
        return tuple(faults)
    left = [role for role in roles if role not in matched]
    return (
        f"fewer people can sign than roles are required, since one person signs in one role: no person is left for "
        f"{', '.join(role.title for role in left)}. {_enrol(left[0])}",
    )


def _objection(person: Person, barred: tuple[str, ...], grounds: tuple[Barred, ...]) -> str | None:
    if not person.key_id and not person.credentials:
        return "has no key"
    return objection(person.known_as, barred, grounds)


def _enrol(role: Role) -> str:
    return f'Enrol another: signoff people add "NAME" --role {role.value}'


def _matched(able: Mapping[Role, tuple[str, ...]]) -> dict[Role, str]:
    """A largest matching of roles to different people; two whose names look alike are one person."""
    holder: dict[str, Role] = {}

    def place(role: Role, tried: set[str]) -> bool:
        for name in able[role]:
            if name in tried:
                continue
            tried.add(name)
            if name not in holder or place(holder[name], tried):
                holder[name] = role
                return True
        return False

    for role in able:
        place(role, set())
    return {role: name for name, role in holder.items()}
