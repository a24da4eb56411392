"""The index of an export as PDF: which releases there were, who signed, and what stopped them. For reading."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

from signoff.domain.deployment import Deployment
from signoff.domain.events import Killed, Recorded, Signature, Vote
from signoff.domain.memo.document import Block, Cell, Column, Fields, Paragraph, Section, Table
from signoff.rendering.pdf import report

MOST_ROWS: Final = 2000
SignaturesOf = Callable[[Deployment], tuple[Signature, ...]]
ARTIFACTS: Final = """ARTEFACTS OF REGISTERED VERSIONS

The files of the registered version that each release is bound to. The bytes of a file lie in blobs/, or its digest
stands for it alone: files above 32 MiB, those beyond 128 MiB together, and the files of a version that was adopted."""
_NONE: Final = "None."
_MORE: Final = "The newest {shown} of {all}; the others are in events.csv and states.json."


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStory:
    """What the ledger holds, as far as the index tells it."""

    events: int
    root: str
    fingerprints: tuple[str, ...]
    releases: tuple[Deployment, ...]
    kills: tuple[Recorded, ...]


def readme(releases: Iterable[Deployment] = ()) -> bytes:
    """What an auditor reads first: every file in plain words, and how to check them with tools that are not ours.

    Of each release it says which registered version it is bound to, and whether each file's bytes are here.
    """
    plain = files("signoff.rendering").joinpath("export_readme.txt").read_bytes()
    listed = "".join(f"{line}\n" for release in releases for line in _artifacts(release))
    return plain + (f"\n{ARTIFACTS}\n\n{listed}".encode() if listed else b"")


def _artifacts(release: Deployment) -> Iterator[str]:
    if release.bound is None:
        yield f"{release.id}: artefacts not bound: {release.unbound or 'not validated yet'}"
        return
    yield f"{release.id}: {release.bound.words}"
    alone = {file.path for file in release.bound.by_digest_alone}
    for file in release.bound.files:
        place = "digest alone" if file.path in alone or release.was_adopted else f"blobs/{file.sha256}"
        yield f"  {file.sha256}  {file.size:>12,}  {file.path}  ({place})"


def index_pdf(story: LedgerStory) -> bytes:
    """The index."""
    parts: tuple[tuple[str, Iterable[Block]], ...] = (
        ("The ledger", _ledger(story)),
        ("Releases", _releases(story.releases)),
        ("Approvals and rejections", _signatures(story.releases, _approvals)),
        ("Overrides", _signatures(story.releases, lambda d: d.overrides)),
        ("Rollbacks", _rollbacks(story.releases)),
        ("Kills", _kills(story.kills)),
    )
    sections = tuple(Section(str(n), title, tuple(blocks)) for n, (title, blocks) in enumerate(parts, start=1))
    footer = f"{story.events} events · key {story.fingerprints[-1][:16]}"
    return report("Ledger", "index of an export", footer, sections)


def _ledger(story: LedgerStory) -> Iterator[Block]:
    rows = [("Events", Cell(f"{story.events:,}", is_figure=True)), ("Root of the tree", Cell(_broken(story.root)))]
    keys = ["Fingerprint of the key"] + ["Key that took over"] * (len(story.fingerprints) - 1)
    rows += [(label, Cell(_broken(key))) for label, key in zip(keys, story.fingerprints, strict=True)]
    yield Fields(tuple(rows))
    yield Paragraph(
        "For reading. What counts are the events and the signatures in them: signoff-verify checks both, and "
        "README.txt says how to check the first with tools that are not ours. Times are UTC.",
        is_note=True,
    )


def _releases(releases: tuple[Deployment, ...]) -> Iterator[Block]:
    rows = ((_release(d), d.state.value, d.deployment_type.value, d.submitted_by, _time(d.opened_at)) for d in releases)
    yield from _table(("Release", "State", "Type", "Submitted by", "Opened"), rows)


def _approvals(release: Deployment) -> tuple[Signature, ...]:
    return release.approvals + ((release.rejection,) if release.rejection else ())


def _signatures(releases: tuple[Deployment, ...], of: SignaturesOf) -> Iterator[Block]:
    rows = (
        (_release(d), s.person, s.role.value, _verdict(s), _time(s.signed_at), f"{s.tier.value} {s.key_id[:8]}")
        for d in releases
        for s in of(d)
    )
    yield from _table(("Release", "Person", "Role", "Verdict", "Signed", "Tier and key"), rows)


def _rollbacks(releases: tuple[Deployment, ...]) -> Iterator[Block]:
    rows = (
        (_release(d), d.rollback.occasion.value, d.rollback.reason, _time(d.rollback.started_at), d.state.value)
        for d in releases
        if d.rollback is not None
    )
    yield from _table(("Release", "Occasion", "Reason", "Started", "State"), rows)


def _kills(kills: tuple[Recorded, ...]) -> Iterator[Block]:
    rows = ((k.event.model, k.actor, k.event.reason, _time(k.at)) for k in kills if isinstance(k.event, Killed))
    yield from _table(("Model", "Killed by", "Reason", "Recorded"), rows)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[Block]:
    told = tuple(rows)
    if not told:
        yield Paragraph(_NONE)
        return
    shown = told[-MOST_ROWS:]
    caption = "" if len(shown) == len(told) else _MORE.format(shown=len(shown), all=len(told))
    cells = tuple(tuple(Cell(text) for text in row) for row in shown)
    yield Table(tuple(Column(title) for title in columns), cells, caption)


def _release(release: Deployment) -> str:
    return f"{release.model} v{release.version}"


def _verdict(signature: Signature) -> str:
    conditions = f": {'; '.join(signature.conditions)}" if signature.verdict is Vote.CONDITIONAL else ""
    reason = f": {signature.reason}" if signature.reason else ""
    return f"{signature.verdict.value}{conditions}{reason}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _broken(digest: str) -> str:
    """A digest in groups that can be compared by eye, and broken between lines."""
    return " ".join("".join(group) for group in zip(*[iter(digest)] * 8, strict=True))
