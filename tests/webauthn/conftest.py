"""A server that people sign in to, and a release that waits for their signatures."""

import json

import firm_policy
import pytest
import release_folder
from cast_of_six import PEOPLE
from http_server import Served, free_port
from identity_provider import identity_provider
from working_registry import WorkingRegistry

from signoff.domain.policy import Role
from signoff.installation import Installation
from signoff.verbs.local import Local, SignAs

OVERRIDING = ("head_of_trading", "cto")
TIER = "\n  webauthn_roles: [risk_manager]\n"


@pytest.fixture(scope="module")
def firm(tmp_path_factory):
    """A provider, and a server at localhost where each person comes in under their role's name."""
    home, port = tmp_path_factory.mktemp("firm"), free_port()
    secret = home / "secret"
    secret.write_text("a-secret-of-the-tests\n")
    server = Served(home / "home")
    server.site = f"http://localhost:{server.port}"
    with pytest.MonkeyPatch.context() as patch, identity_provider(port, f"{server.site}/auth/callback") as issuer:
        patch.setenv("SIGNOFF_OIDC_ISSUER", issuer)
        patch.setenv("SIGNOFF_OIDC_CLIENT_SECRET_FILE", str(secret))
        patch.setenv("SIGNOFF_PUBLIC_URL", server.site)
        for role, name in PEOPLE.items():
            Local(server.house, "t").bind(name, issuer=issuer, subject=role.replace("_", "-"))
        yield server.start()
        server.stop()


def awaiting(house, folder):
    """A release whose policy takes the risk manager's signature by authenticator only."""
    release_folder.make(folder)
    policy = folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("\n  expires_days:", f"{TIER}  expires_days:", 1))
    firm_policy.install(house, policy, by=OVERRIDING)
    local = Local(house, "t")
    identity = local.submit(folder, policy)["deployment"]
    for role in OVERRIDING:
        local.override(identity, SignAs(role=Role(role)), reason="a test of the procedure")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Installation, "registry", property(lambda _: WorkingRegistry()))
        assert local.rehearse("momentum", folder)["within_budget"]
    document = local.submit(folder, policy)
    assert document["state"] == "awaiting_approval", json.dumps(document, indent=1)
    return identity


@pytest.fixture(scope="module")
def release(firm, tmp_path_factory):
    return awaiting(firm.house, tmp_path_factory.mktemp("release") / "dossier")
