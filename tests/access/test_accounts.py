import json

import pytest

from signoff.app.people import enrol, grant
from signoff.cli.main import main
from signoff.domain.errors import RefusedError
from signoff.domain.permissions import AccessRole
from signoff.domain.policy import Role


def test_a_duty_is_granted_and_listed(tmp_path, capsys):
    home = ("--home", str(tmp_path), "--json")
    assert main(["accounts", "grant", "N. Weiss", "--duty", "auditor", *home]) == 0
    capsys.readouterr()
    assert main(["accounts", "list", *home]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "accounts": [{"name": "N. Weiss", "duties": ["auditor"], "is_bound": False}]
    }


def test_who_signs_in_a_role_cannot_administer_nor_the_other_way_round(house, moreau):
    with pytest.raises(RefusedError, match="approves"):
        grant(house.record, moreau, frozenset({AccessRole.ADMINISTRATOR}), actor="owner")
    grant(house.record, "Ada", frozenset({AccessRole.ADMINISTRATOR}), actor="owner")
    with pytest.raises(RefusedError, match="approves"):
        enrol(house.record, name="Ada", roles=(Role.CTO,), key_id="k", public_key="p", actor="owner")
