"""Section 6: what the model assumes, what it does not do, and where it may not trade."""

import re
from collections.abc import Iterator
from typing import Final

from signoff.domain.limits import Restrictions
from signoff.domain.live_metrics import tracked
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Mark, Paragraph, Section
from signoff.domain.memo.markup import ABSENT, declared, declared_by, lead_in, plain, upper_first
from signoff.domain.memo.promises import promised
from signoff.domain.memo.release import Release
from signoff.domain.policy import OrderGatePolicy

BY_THE_GATE: Final = (
    "Held by the order gate, for orders that leave through it; an order that reduces risk always passes."
)
HOLDS_THE_ADVANCE: Final = (
    "By itself, an assumption that is violated or unknown is told to people and holds the advance; all else is theirs."
)


def boundaries(release: Release) -> Section:
    """Chapter 6."""
    limits = release.dossier.boundaries
    return Section(
        "6",
        "Assumptions & Limitations",
        sections=(
            Section("6.1", "Key Assumptions", tuple(_assumptions(release))),
            Section(
                "6.2",
                "Known Limitations",
                (
                    declared_by("The model does NOT", release.author),
                    Bullets(limits.does_not),
                    lead_in("Trading Restrictions"),
                    _restrictions(limits.restrictions, release.policy.order_gate),
                    Paragraph(BY_THE_GATE, is_note=True),
                ),
            ),
        ),
    )


def _assumptions(release: Release) -> Iterator[Block]:
    yield lead_in("Critical Assumptions (model performance depends on these)")
    yield Paragraph(f"{upper_first(declared(release.author))}. {HOLDS_THE_ADVANCE}", is_note=True)
    for number, assumption in enumerate(release.dossier.boundaries.assumptions, start=1):
        yield Fields(
            (
                (f"{number}. {assumption.title}", promised(assumption.description, release.dossier, release.policy)),
                ("Validation", _monitored(assumption.monitor, release)),
                ("If violated", promised(assumption.if_violated, release.dossier, release.policy)),
            )
        )


def _monitored(monitor: str, release: Release) -> Cell:
    """The expression that monitoring evaluates every session, if such a reading exists."""
    metrics = {each.key for each in tracked(has_champion=release.dossier.header.previous_version is not None)}
    key = re.match(r"\s*([a-z_0-9]+)\s*[<>]", monitor)
    if key is None or key[1] not in metrics:
        return Cell(f"cannot be evaluated: {monitor}", mark=Mark.FAIL)
    return Cell(f"checked every session: {monitor}")


def _restrictions(limits: Restrictions, unknown: OrderGatePolicy) -> Fields:
    halt = limits.halt_if_vix_above
    return Fields(
        (
            ("Minimum liquidity", Cell(f"ADV ≥ ${limits.min_adv_usd:,.0f}")),
            ("Excluded symbols", Cell(", ".join(limits.excluded_symbols) or "none")),
            (
                "Event window",
                Cell(f"added risk is refused within ±{limits.event_window_days} days of an event such as earnings"),
            ),
            (
                "Market conditions",
                ABSENT if halt is None else Cell(f"added risk is refused while VIX > {plain(halt)}"),
            ),
            ("Unknown figures", Cell(unknown.words)),
        )
    )
