"""The bodies of requests."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from signoff.app.accounts import TOKEN_DAYS
from signoff.domain import names
from signoff.domain.decisions.credentials import MOST_TOKEN_DAYS
from signoff.domain.errors import BadInputError
from signoff.domain.events import DutiesGranted, PauseReason, PersonEnrolled, RollbackCause, SubjectBound, Vote
from signoff.domain.permissions import AccessRole, Permission
from signoff.domain.policy import Role

MOST_SHOWN: Final = 500
SENT: Final = Path("policy.yaml")


def _named(text: str) -> str:
    try:
        return names.named(text)
    except BadInputError as error:
        raise ValueError(str(error)) from error  # pydantic reports it with the other errors


Text = Annotated[str, Field(max_length=4000)]
# A name in a path, a query or a body.
Name = Annotated[
    str,
    AfterValidator(_named),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": names.MOST, "pattern": names.PATTERN}),
]
Hex = Annotated[str, Field(min_length=64, max_length=64, pattern="^[0-9a-f]+$")]
Envelope = Annotated[str, Field(min_length=1, max_length=65_536)]
Limit = Annotated[int, Field(ge=1, le=MOST_SHOWN)]


class Body(BaseModel):
    """Unknown fields are refused, so that a misspelt one is not read as a default."""

    model_config = ConfigDict(extra="forbid")

    def arguments(self) -> dict[str, Any]:
        """The arguments of the verb, by their names."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


class StatementRequest(Body):
    """A statement to sign."""

    role: Role
    verdict: Vote
    conditions: Annotated[list[Text], Field(max_length=50)] = []
    reason: Text = ""


class SignatureRequest(Body):
    """A decision with its envelope, signed by the person's own key."""

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
    occasion: RollbackCause = RollbackCause.BUSINESS
    reason: Text = "ordered by a person"


class AttestFlatRequest(Body):
    """The check and its place; both are printed and recorded."""

    reason: Annotated[Text, Field(min_length=1)]


class ObservationRequest(Body):
    session: date | None = None


class NotHeldRequest(Body):
    session: date
    reason: Text


class ReviewRequest(Body):
    notes: Text = ""


class PostMortemRequest(Body):
    """The lessons; the root cause is a person's statement and may come later."""

    notes: Text = ""
    root_cause: Text = ""


class StartRequest(Body):
    """The signature of the person who starts the rollout, over `start-statement`."""

    envelope: Envelope | None = None


class ItemDoneRequest(Body):
    """An item of section 9, in its own words, and how it was done."""

    item: Annotated[Text, Field(min_length=1)]
    note: Text = ""


class RearmRequest(Body):
    role: Role
    envelope: Envelope
    reason: Text = ""


class PersonToEnrol(Body):
    """A person with the public half of their key; without one they sign only with an authenticator.

    `key_made_by` names the maker of the private key, if not the person. `replaces_key` says that the key in use is
    to be replaced. Without a role a person approves nothing, but may sign the start of a rollout.
    """

    kind: Literal["person_enrolled"]
    name: Name
    roles: Annotated[list[Role], Field(max_length=len(Role))]
    key_id: Hex | Literal[""] = ""
    public_key: Hex | Literal[""] = ""
    logins: Annotated[list[Name], Field(max_length=20)] = []
    key_made_by: Name | Literal[""] = ""
    replaces_key: bool = False

    def to_event(self) -> PersonEnrolled:
        """The event that would be recorded."""
        roles = tuple(dict.fromkeys(self.roles))
        logins = tuple(dict.fromkeys(self.logins))
        return PersonEnrolled(
            name=self.name,
            roles=roles,
            key_id=self.key_id,
            public_key=self.public_key,
            logins=logins,
            key_made_by=self.key_made_by,
            replaces_key=self.replaces_key,
        )


class DutiesToGrant(Body):
    kind: Literal["duties_granted"]
    name: Name
    duties: Annotated[list[AccessRole], Field(min_length=1, max_length=len(AccessRole))]

    def to_event(self) -> DutiesGranted:
        """The event that would be recorded."""
        return DutiesGranted(name=self.name, duties=tuple(sorted(set(self.duties))))


class SubjectToBind(Body):
    kind: Literal["subject_bound"]
    name: Name
    issuer: Annotated[str, Field(max_length=500, pattern="^https?://")]
    subject: Name

    def to_event(self) -> SubjectBound:
        """The event that would be recorded."""
        return SubjectBound(name=self.name, issuer=self.issuer.rstrip("/"), subject=self.subject)


class ProposalRequest(Body):
    """A change of people, for a second person to confirm."""

    change: Annotated[PersonToEnrol | DutiesToGrant | SubjectToBind, Field(discriminator="kind")]

    def arguments(self) -> dict[str, Any]:
        """The event of the change that would be recorded."""
        return {"change": self.change.to_event()}


class WithdrawalRequest(Body):
    name: Name
    powers: Annotated[list[AccessRole | Role], Field(min_length=1, max_length=len(AccessRole) + len(Role))]
    reason: Text = ""


class UnbindingRequest(Body):
    issuer: Text
    subject: Name


class TokenRequest(Body):
    holder: Name
    scopes: Annotated[list[Permission], Field(max_length=len(Permission))] = []
    days: Annotated[int, Field(ge=1, le=MOST_TOKEN_DAYS)] = TOKEN_DAYS
    is_machine: bool = False


class PolicyProposalRequest(Body):
    """Another policy for the installation, as its YAML file reads, with the envelope over it."""

    text: Annotated[str, Field(min_length=1, max_length=100_000)]
    role: Role
    envelope: Envelope

    def arguments(self) -> dict[str, Any]:
        """The bytes of the file, with their name in messages."""
        return {"name": SENT, "text": self.text.encode()}


class VoucherRequest(Body):
    envelope: Envelope


class PolicyConfirmationRequest(Body):
    role: Role
    envelope: Envelope


class PolicyStatementRequest(Body):
    """A statement to sign for the policy: for one's own policy, or for a proposed one."""

    act: Literal["propose", "confirm"]
    role: Role
    text: Annotated[str, Field(max_length=100_000)] = ""
    proposal: Name | None = None


class AdoptionStatementRequest(Body):
    version: Name
    role: Role
    reason: Text = ""


class AdoptionRequest(AdoptionStatementRequest):
    envelope: Envelope
