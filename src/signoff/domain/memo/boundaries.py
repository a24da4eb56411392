"""Section 6: what the model assumes, what it does not do, and where it may not trade."""

from collections.abc import Iterator

from signoff.domain.dossier import Restrictions
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Section
from signoff.domain.memo.pieces import ABSENT, lead_in, plain, words
from signoff.domain.memo.release import Release
from signoff.domain.policy import OrderGatePolicy


def boundaries(release: Release) -> Section:
    """Chapter 6."""
    declared = release.dossier.boundaries
    return Section(
        "6",
        "Assumptions & Limitations",
        sections=(
            Section("6.1", "Key Assumptions", tuple(_assumptions(release))),
            Section(
                "6.2",
                "Known Limitations",
                (
                    lead_in("The model does NOT"),
                    Bullets(declared.does_not),
                    lead_in("Trading Restrictions"),
                    _restrictions(declared.restrictions, release.policy.order_gate),
                ),
            ),
        ),
    )


def _assumptions(release: Release) -> Iterator[Block]:
    yield lead_in("Critical Assumptions (model performance depends on these)")
    for number, assumption in enumerate(release.dossier.boundaries.assumptions, start=1):
        yield Fields(
            (
                (f"{number}. {assumption.title}", words(assumption.description)),
                ("Validation", Cell(f"monitored daily: {assumption.monitor}")),
                ("If violated", words(assumption.if_violated)),
            )
        )


def _restrictions(declared: Restrictions, unknown: OrderGatePolicy) -> Fields:
    halt = declared.halt_if_vix_above
    return Fields(
        (
            ("Minimum liquidity", Cell(f"ADV ≥ ${declared.min_adv_usd:,.0f}")),
            ("Excluded symbols", Cell(", ".join(declared.excluded_symbols) or "none")),
            ("Event window", Cell(f"no trading within ±{declared.event_window_days} days of an earnings announcement")),
            ("Market conditions", ABSENT if halt is None else Cell(f"halt if VIX > {plain(halt)}")),
            ("Unknown figures", Cell(unknown.words)),
        )
    )
