"""Nobody approves a release whose way back was not walked."""

import pytest
from cast_of_six import PEOPLE


@pytest.mark.usefixtures("unprinted")
class TestRehearsal:
    def test_given_no_rehearsal_then_nothing_is_issued_for_signature_until_there_is_one(self, desk, monkeypatch):
        monkeypatch.setattr(type(desk), "rehearsed", lambda self: self)
        desk.with_people()
        monkeypatch.undo()
        code, document, _ = desk("submit", desk.folder, "--as", "Q. Ferrari")
        identity = document["deployment"]
        for role in ("risk_manager", "cto"):
            if document["blocking"]:
                document = desk.ok("override", identity, "--role", role, "--reason", "a test")
        assert (code, document["state"]) == (1, "validated")
        assert document["unrehearsed"] == ["no rehearsal is recorded"]
        assert "validated" in desk.refused("approve", identity, "--role", "cto")

    def test_given_a_rehearsal_after_the_submission_when_submitted_again_then_the_memo_prints_it(
        self, desk, monkeypatch
    ):
        with monkeypatch.context() as patch:
            patch.setattr(type(desk), "rehearsed", lambda self: self)
            desk.with_people()
        _, document, _ = desk("submit", desk.folder, "--as", "Q. Ferrari")
        identity = document["deployment"]
        for role in ("risk_manager", "cto"):
            if document["blocking"]:
                document = desk.ok("override", identity, "--role", role, "--reason", "a test")
        desk.rehearsed()
        assert desk.ok("submit", desk.folder, "--as", "Q. Ferrari")["state"] == "awaiting_approval"
        for role in PEOPLE:
            document = desk.ok("approve", identity, "--role", role)
        assert document["state"] == "approved"
