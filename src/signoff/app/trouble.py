"""Page people about the installation itself: a background task keeps failing."""

from typing import Final

from signoff.app.notices import Notice, effect
from signoff.app.record import Record
from signoff.ports.notices import Severity

CHANNEL: Final = "#incidents"


def call_for(record: Record, subject: str, text: str, *, deployment: str, actor: str) -> None:
    """Page people about a subject, at most once an hour over all workers.

    The page is recorded with the release it is about; without a release it is sent and not recorded.
    """
    state = record.find(deployment) if deployment else None
    channel = state.undertakings.incident_channel if state is not None and state.undertakings else CHANNEL
    notice = Notice(
        deployment=deployment,
        notice=f"{subject} keeps failing, {record.now():%Y-%m-%d %H} h UTC",
        channel=channel,
        subject=f"PAGE: {subject} keeps failing",
        text=text,
        severity=Severity.PAGE,
    )
    page = effect(notice)
    record.commit(actor=actor, key=f"trouble:{page.identity}", effects=(page,))
