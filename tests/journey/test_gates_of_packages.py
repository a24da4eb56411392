"""A release that was judged by a gate of a package is not approved where that gate is gone."""

import pytest
import toy_package
from cast_of_six import PEOPLE

pytestmark = pytest.mark.usefixtures("unprinted")


@pytest.mark.slow
def test_the_last_approval_is_refused_where_the_gate_is_not_there_any_more(desk, tmp_path, monkeypatch):
    site = toy_package.installed(tmp_path / "site", "toy_parts", record_length=("gates", "record_length"))
    toy_package.on_path(monkeypatch, site, "toy_parts")
    monkeypatch.setenv("SIGNOFF_GATES", "record_length")
    desk.stages = None
    identity = desk.with_people().submitted()
    *others, last = PEOPLE
    for role in others:
        desk.ok("approve", identity, "--role", role)
    monkeypatch.delenv("SIGNOFF_GATES")
    desk.refused("approve", identity, "--role", last)
    assert desk.ok("status", identity)["deployments"][0]["state"] == "awaiting_approval"
    monkeypatch.setenv("SIGNOFF_GATES", "record_length")
    assert desk.ok("approve", identity, "--role", last)["state"] == "approved"
