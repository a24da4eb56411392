"""Who may not sign for a release, and why: who submitted it, wrote it, deploys it, or produced its evidence.

Sources call people by names, e-mail addresses and logins. Whoever is enrolled under one of these is barred by their own
name; where nobody is, the names themselves are barred, for the person who turns out to be them. Names that look alike
are one person's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from signoff.domain.events import Barred, Because
from signoff.domain.look_alikes import are_alike

_WORDS: Final = {
    Because.SUBMITTED: "submitted it",
    Because.ISSUED_TOKEN: "issued the token it was submitted with",
    Because.DEPLOYS: "deploys it",
    Because.WROTE: "wrote it",
    Because.PRODUCED_EVIDENCE: "produced evidence for it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Somebody as a source calls them: a name, an e-mail address or a login, or several of these."""

    known_as: tuple[str, ...]
    because: Because
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """Who may not sign; which declared commits could not be read, and which evidence names nobody as its maker."""

    grounds: tuple[Barred, ...]
    unread: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()

    @property
    def barred(self) -> tuple[str, ...]:
        """Every name that may not sign."""
        return tuple(sorted({name for ground in self.grounds for name in (ground.name, *ground.known_as)}))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Authors and producers whom nobody enrolled is known as, and evidence that names no producer."""
        made = {Because.WROTE, Because.PRODUCED_EVIDENCE}
        strangers = (ground for ground in self.grounds if ground.because in made and not ground.is_enrolled)
        return (*(f"{ground.name} ({ground.source})" for ground in strangers), *self.unnamed)


def grounds_of(traces: Iterable[Trace], enrolled: Mapping[str, tuple[str, ...]]) -> tuple[Barred, ...]:
    """Whom the traces mean; `enrolled` is what each person is known as, by their name."""
    found = [ground for trace in traces for ground in _whom(trace, enrolled)]
    return tuple(
        sorted(dict.fromkeys(found), key=lambda g: (not g.is_enrolled, g.name, list(Because).index(g.because)))
    )


def read_alike(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether any name of one is also the other's as people read it; the rule that older signatures were held to."""
    return not {plainly(name) for name in one}.isdisjoint(plainly(name) for name in other)


def objection(
    known_as: Iterable[str],
    barred: Iterable[str],
    grounds: Iterable[Barred],
    *,
    are_same: Callable[[Iterable[str], Iterable[str]], bool] = are_alike,
) -> str | None:
    """Why a person who is known by these names may not sign, as the end of a sentence about them; None if they may.

    A release that an older Signoff opened has names without grounds. What is on record is held to `read_alike`.
    """
    mine = tuple(known_as)
    grounds = tuple(grounds)
    if not grounds:
        is_barred = are_same(mine, barred)
        return "submitted it, wrote it or produced evidence for it" if is_barred else None
    reasons = [
        f"{_WORDS[ground.because]} ({ground.source})"
        for ground in grounds
        if are_same(mine, (ground.name, *ground.known_as))
    ]
    return " and ".join(dict.fromkeys(reasons)) or None


def told(ground: Barred) -> str:
    """A ground in words, for those who read the memo."""
    unknown = "" if ground.is_enrolled else "; nobody enrolled is known by this name"
    return f"{_WORDS[ground.because]} ({ground.source}{unknown})"


def _whom(trace: Trace, enrolled: Mapping[str, tuple[str, ...]]) -> Iterator[Barred]:
    names = tuple(dict.fromkeys(name.strip() for name in trace.known_as if name.strip()))
    if not names:
        return
    people = [person for person, known_as in enrolled.items() if are_alike(names, known_as)]
    for person in people or names[:1]:
        yield Barred(name=person, because=trace.because, source=trace.source, known_as=names, is_enrolled=bool(people))


def plainly(name: str) -> str:
    """A name as people read it: the same with an address behind it, in other case or with other blanks."""
    return " ".join((normalize("NFKC", name).partition("<")[0] or name).casefold().split())
