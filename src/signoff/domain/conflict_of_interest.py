"""Who may not sign for a release, and why: its submitter, authors, deployer, and producers of evidence.

Sources identify people by names, e-mail addresses and logins. A person enrolled under one of these is barred by their
own name. Unmatched names are barred too, in case they are enrolled later. Names that look alike count as one person.
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
    """A person as a source identifies them: names, e-mail addresses or logins."""

    known_as: tuple[str, ...]
    because: Because
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Independence:
    """Who may not sign, the declared commits that could not be read, and the evidence without a named producer."""

    grounds: tuple[Barred, ...]
    unread: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()

    @property
    def barred(self) -> tuple[str, ...]:
        """Every name that may not sign."""
        return tuple(sorted({name for ground in self.grounds for name in (ground.name, *ground.known_as)}))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Authors and producers who match no enrolled person, and evidence without a named producer."""
        causes = {Because.WROTE, Because.PRODUCED_EVIDENCE}
        strangers = (ground for ground in self.grounds if ground.because in causes and not ground.is_enrolled)
        return (*(f"{ground.name} ({ground.source})" for ground in strangers), *self.unnamed)


def grounds_of(traces: Iterable[Trace], enrolled: Mapping[str, tuple[str, ...]]) -> tuple[Barred, ...]:
    """The people in the traces; `enrolled` has the names and logins of each person, by name."""
    grounds = [ground for trace in traces for ground in _whom(trace, enrolled)]
    return tuple(
        sorted(dict.fromkeys(grounds), key=lambda g: (not g.is_enrolled, g.name, list(Because).index(g.because)))
    )


def read_alike(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether any name of one reads like a name of the other; the rule for older signatures."""
    return not {plainly(name) for name in one}.isdisjoint(plainly(name) for name in other)


def objection(
    known_as: Iterable[str],
    barred: Iterable[str],
    grounds: Iterable[Barred],
    *,
    are_same: Callable[[Iterable[str], Iterable[str]], bool] = are_alike,
) -> str | None:
    """Why a person with these names may not sign, as the end of a sentence; None if they may.

    A release that an older Signoff opened has names without grounds, which are compared by `read_alike`.
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


def ground_text(ground: Barred) -> str:
    """A ground in words, for the memo."""
    unknown = "" if ground.is_enrolled else "; no enrolled person has this name"
    return f"{_WORDS[ground.because]} ({ground.source}{unknown})"


def _whom(trace: Trace, enrolled: Mapping[str, tuple[str, ...]]) -> Iterator[Barred]:
    names = tuple(dict.fromkeys(name.strip() for name in trace.known_as if name.strip()))
    if not names:
        return
    people = [person for person, known_as in enrolled.items() if are_alike(names, known_as)]
    for person in people or names[:1]:
        yield Barred(name=person, because=trace.because, source=trace.source, known_as=names, is_enrolled=bool(people))


def plainly(name: str) -> str:
    """A name as people read it, without a trailing address and regardless of case and blanks."""
    return " ".join((normalize("NFKC", name).partition("<")[0] or name).casefold().split())
