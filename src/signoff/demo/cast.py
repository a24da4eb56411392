"""The people of the demonstration. They are invented, and their keys are made on the spot; everything else is real."""

from dataclasses import dataclass

from signoff.app.people import enrol
from signoff.domain.dossier import Dossier
from signoff.domain.policy import Role
from signoff.installation import Installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays which role, as the dossier names them."""

    submitter: str
    by_role: dict[Role, str]


def enrol_cast(house: Installation, dossier: Dossier) -> Cast:
    """Make a key for each signatory of the dossier and enrol them; repeating it changes nothing."""
    by_role = {signatory.role: signatory.name for signatory in dossier.plan.signatories}
    for role, name in by_role.items():
        key = house.key_of(name)
        enrol(
            house.record,
            name=name,
            roles=(role,),
            key_id=key.key_id,
            public_key=key.public_key,
            actor="demo",
            note="example person with a key made by the demonstration",
            key_made_by="demo",
        )
    deployer = dossier.header.deployed_by.name
    if deployer not in by_role.values():  # who deploys signs the start, and approves nothing
        key = house.key_of(deployer)
        enrol(
            house.record,
            name=deployer,
            roles=(),
            key_id=key.key_id,
            public_key=key.public_key,
            actor="demo",
            note="example person with a key made by the demonstration",
            key_made_by="demo",
        )
    return Cast(submitter=deployer, by_role=by_role)
