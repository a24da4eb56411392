"""Nobody approves a release whose way back was not walked."""

import pytest
from cast_of_six import PEOPLE


@pytest.mark.usefixtures("unprinted")
class TestRehearsal:
    def test_given_no_rehearsal_then_nothing_is_issued_for_signature_until_there_is_one(self, own_desk, monkeypatch):
        monkeypatch.setattr(type(own_desk), "rehearsed", lambda self: self)
        own_desk.with_people()
        monkeypatch.undo()
        code, document, _ = own_desk("submit", own_desk.folder, "--as", "Q. Ferrari")
        identity = document["deployment"]
        for role in ("risk_manager", "cto"):
            if document["blocking"]:
                document = own_desk.ok("override", identity, "--role", role, "--reason", "a test")
        assert (code, document["state"]) == (1, "validated")
        assert document["unrehearsed"] == ["no rehearsal is recorded"]
        assert "validated" in own_desk.refused("approve", identity, "--role", "cto")

    def test_given_a_rehearsal_after_the_submission_when_submitted_again_then_the_memo_prints_it(
        self, own_desk, monkeypatch
    ):
        with monkeypatch.context() as patch:
            patch.setattr(type(own_desk), "rehearsed", lambda self: self)
            own_desk.with_people()
        _, document, _ = own_desk("submit", own_desk.folder, "--as", "Q. Ferrari")
        identity = document["deployment"]
        for role in ("risk_manager", "cto"):
            if document["blocking"]:
                document = own_desk.ok("override", identity, "--role", role, "--reason", "a test")
        own_desk.rehearsed()
        assert own_desk.ok("submit", own_desk.folder, "--as", "Q. Ferrari")["state"] == "awaiting_approval"
        for role in PEOPLE:
            document = own_desk.ok("approve", identity, "--role", role)
        assert document["state"] == "approved"
