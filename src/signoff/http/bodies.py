"""What requests say."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from signoff.domain.events import Occasion, PauseReason, Verdict
from signoff.domain.policy import Role

Text = Annotated[str, Field(max_length=4000)]
Envelope = Annotated[str, Field(min_length=1, max_length=65_536)]


class Body(BaseModel):
    """Unknown fields are refused, so that a slip does not pass for a default."""

    model_config = ConfigDict(extra="forbid")


class StatementRequest(Body):
    """What somebody is about to sign."""

    role: Role
    verdict: Verdict
    conditions: Annotated[list[Text], Field(max_length=50)] = []
    reason: Text = ""


class SignatureRequest(Body):
    """A decision with the envelope over it, signed by its person's own key."""

    role: Role
    envelope: Envelope
    conditions: Annotated[list[Text], Field(max_length=50)] = []
    reason: Text = ""


class ConditionRequest(Body):
    role: Role
    condition: Text
    note: Text = ""


class PauseRequest(Body):
    reason: PauseReason = PauseReason.MANUAL
    note: Text = ""


class RollbackRequest(Body):
    occasion: Occasion = Occasion.BUSINESS
    reason: Text = "ordered by a person"


class ObservationRequest(Body):
    session: date | None = None


class ReviewRequest(Body):
    notes: Text = ""


class RearmRequest(Body):
    role: Role
    envelope: Envelope
    reason: Text = ""
