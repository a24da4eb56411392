"""Nobody signs for what they submitted, whatever they submitted it by."""

import firm_policy
import pytest
import release_folder

from signoff.app.people import enrol
from signoff.domain.permissions import Permission
from signoff.domain.policy import Role
from signoff.verbs.local import Local, SignAs

SUBMITTING = frozenset({Permission.SUBMIT, Permission.CHECK})


@pytest.fixture
def firm(house):
    """A firm with a version that is live."""
    for name, role in (("R. Moreau", Role.RISK_MANAGER), ("A. Berg", Role.CTO)):
        key = house.key_of(name)
        enrol(house.record, name=name, roles=(role,), key_id=key.key_id, public_key=key.public_key, actor="owner")
    signing = (SignAs(role=Role.RISK_MANAGER), SignAs(role=Role.CTO))
    firm_policy.install(house, people={"risk_manager": "R. Moreau", "cto": "A. Berg"})
    Local(house, "owner").adopt("momentum", "1.1.0", signing, reason="live since 2017")
    return house


def test_whoever_gave_a_machine_its_token_is_barred_like_the_submitter_they_could_be(firm, tmp_path):
    """A researcher could otherwise issue a machine's token, submit by it, and sign as nobody who submitted."""
    accounts, folder = firm.accounts, release_folder.make(tmp_path / "dossier")
    accounts.issue_token("ci", scopes=SUBMITTING, is_machine=True, actor="Q. Researcher")
    gone = accounts.issue_token("ci", scopes=SUBMITTING, is_machine=True, actor="N. Earlier")
    accounts.revoke_token(gone.token.id, actor="owner")
    accounts.issue_token("desk-1", scopes=SUBMITTING, is_machine=True, actor="K. Other")
    accounts.issue_token("R. Moreau", scopes=frozenset({Permission.READ}), actor="R. Moreau")
    identity = Local(firm, "ci").submit(folder, None)["deployment"]
    barred = set(firm.record.deployment(identity).barred)
    assert {"ci", "Q. Researcher", "N. Earlier", "Q. Ferrari"} <= barred
    assert not barred & {"K. Other", "R. Moreau"}
