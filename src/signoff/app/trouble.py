"""Calling people because of the installation itself: something in the background fails and does not stop failing."""

from typing import Final

from signoff.app.notices import Notice, effect
from signoff.app.record import Record
from signoff.ports.notices import Severity

CHANNEL: Final = "#incidents"


def call_for(record: Record, subject: str, text: str, *, deployment: str, actor: str) -> None:
    """Call people about a subject, at most once in an hour of the clock, however many workers see it.

    The call is recorded with the release it is about; without one it is sent all the same, and no release tells of it.
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
