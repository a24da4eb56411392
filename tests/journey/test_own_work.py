"""Nobody signs for their own work: each reason through a submission, and through `verify` of a forged ledger."""

from dataclasses import replace

import firm_policy
import pytest
from cast_of_six import PEOPLE
from code_repository import Repository

from signoff.app.approvals import ApprovalRound
from signoff.app.people import enrol
from signoff.config.settings import settings
from signoff.domain import deployment
from signoff.domain.dossier import CommitRange, EvidenceDeclaration
from signoff.domain.errors import GuardError, RefusedError
from signoff.domain.events import Because, Vote
from signoff.domain.evidence import RegisteredVersion, TrackedTable
from signoff.domain.permissions import Permission
from signoff.domain.policy import OnUnknown, Role
from signoff.installation import Installation
from signoff.ledger.replay import replay
from signoff.ledger.verification import verify_export
from signoff.verbs.local import Local, SignAs

pytestmark = pytest.mark.usefixtures("unprinted")
MOREAU, YAMADA = PEOPLE["risk_manager"], PEOPLE["cto"]
RISK = Role.RISK_MANAGER


@pytest.fixture(scope="module")
def assessed(pristine, tmp_path_factory):
    return Installation(settings(home=str(tmp_path_factory.mktemp("assessed")))).assessor.assess(pristine, None)


class Firm:
    """An installation with six people, one of them known by a login and an address too."""

    def __init__(self, home, pristine, assessed):
        self.house, self.folder, self.release = Installation(settings(home=str(home))), pristine, assessed
        for role, name in PEOPLE.items():
            self.enrol(Role(role), name, logins=("rmoreau", "r.moreau@example.com") if name == MOREAU else ())
        firm_policy.install(self.house)
        live = Local(self.house, "t")
        live.adopt("momentum", "1.1.0", (SignAs(role=RISK), SignAs(role=Role.CTO)), reason="live before")

    def enrol(self, role, name, *, logins=()):
        key = self.house.key_of(name)
        enrol(
            self.house.record, name=name, roles=(role,), key_id=key.key_id, public_key=key.public_key, actor="t",
            logins=logins,
        )  # fmt: skip

    def having(self, **parts):
        """The release with these parts of its dossier, evidence and policy exchanged."""
        inputs = self.release.inputs
        dossier, evidence, approvals = inputs.dossier, inputs.evidence, inputs.policy.approvals
        commits = {"commits": parts.pop("commits")} if "commits" in parts else {}
        authors = {"commit_authors": parts.pop("authors")} if "authors" in parts else {}
        produced = parts.pop("produced_by", ())
        dossier = replace(
            dossier,
            governance=replace(dossier.governance, **commits, **authors),
            evidence=EvidenceDeclaration(produced_by=produced),
        )
        of_policy = {k: parts.pop(k) for k in ("unread_commits", "unknown_makers") if k in parts}
        policy = replace(inputs.policy, approvals=replace(approvals, **of_policy))
        inputs = replace(inputs, dossier=dossier, evidence=replace(evidence, **parts), policy=policy)
        self.release = replace(self.release, inputs=inputs)
        return self

    def submit(self, actor="Q. Ferrari"):
        return self.house.approvals.submit(self.folder, self.release, actor=actor)

    def refuses(self, state, person=MOREAU, role=RISK):
        with pytest.raises(GuardError, match="independence"):
            self.house.approvals.statement(state.id, person=person, role=role, verdict=Vote.APPROVE)
        assert self.house.approvals.statement(state.id, person=person, role=role, verdict=Vote.REJECT)
        with pytest.raises(GuardError, match="independence"):
            self.house.approvals.approve(state.id, self.house.signatory(role, person))
        with pytest.raises(GuardError, match="independence") as refusal:
            self.house.approvals.override(state.id, self.house.signatory(role, person), reason="because")
        return str(refusal.value)


@pytest.fixture
def firm(tmp_path, pristine, assessed):
    return Firm(tmp_path / "home", pristine, assessed)


def registered(**changes):
    known = RegisteredVersion(
        model="momentum", version="2.0.0", run_id="0123456789", experiment="e", parameters={}, metrics={}, features=(),
        training_start=None, training_end=None, git_commit=None, architecture="", tags={}, aliases=(), artifacts=(),
        model_uri="",
    )  # fmt: skip
    return replace(known, **changes)


def why(state, name=MOREAU):
    return {ground.because for ground in state.grounds if ground.name == name}


def test_whoever_submits_may_not_sign(firm):
    state = firm.submit(actor=MOREAU)
    assert why(state) == {Because.SUBMITTED}
    assert "submitted it" in firm.refuses(state)


def test_whoever_submits_under_a_login_may_not_sign(firm):
    assert "submitted it (rmoreau)" in firm.refuses(firm.submit(actor="rmoreau"))


def test_whoever_issued_the_machine_its_token_may_not_sign_and_whoever_issued_another_may(firm):
    accounts = firm.house.accounts
    accounts.issue_token("ci-1", scopes=frozenset({Permission.SUBMIT}), actor=MOREAU, is_machine=True)
    accounts.issue_token("ci-2", scopes=frozenset({Permission.SUBMIT}), actor=YAMADA, is_machine=True)
    state = firm.submit(actor="ci-1")
    assert (why(state), why(state, YAMADA)) == ({Because.ISSUED_TOKEN}, set())
    assert "of ci-1" in firm.refuses(state)


def test_a_declared_author_may_not_sign(firm):
    state = firm.having(authors=("r. moreau",)).submit()
    assert why(state) == {Because.WROTE}
    assert "as the dossier declares" in firm.refuses(state)


def test_a_declared_producer_of_evidence_may_not_sign(firm):
    state = firm.having(produced_by=(MOREAU,)).submit()
    assert why(state) == {Because.PRODUCED_EVIDENCE}
    assert "produced evidence" in firm.refuses(state)


def test_the_user_of_the_registered_versions_run_may_not_sign(firm):
    state = firm.having(candidate=registered(users=("rmoreau",))).submit()
    assert why(state) == {Because.PRODUCED_EVIDENCE}
    assert "ran 01234567" in firm.refuses(state)


def test_the_user_of_a_run_among_the_trials_may_not_sign(firm):
    trials = TrackedTable(name="trials", runs=9, users={"rmoreau": 2, "q.ferrari": 7})
    state = firm.having(tracked=(trials,)).submit()
    assert why(state) == {Because.PRODUCED_EVIDENCE}
    assert "ran 2 of the 9 run(s) of trials" in firm.refuses(state)


def test_authors_and_co_authors_in_the_repository_may_not_sign_beside_the_declared_ones(firm, tmp_path):
    clone = Repository(tmp_path / "clone")
    clone.commit("The Boss", "boss@example.com")
    clone.git("tag", "v1")
    clone.commit("Rae", "R.Moreau@example.com", f"fix\n\nCo-authored-by: {YAMADA} <cy@example.com>")
    there = CommitRange(repository=str(clone.folder), since="v1", until="main")
    state = firm.having(commits=there, authors=("L. Okafor",)).submit()
    assert why(state) == why(state, YAMADA) == why(state, "L. Okafor") == {Because.WROTE}
    assert "The Boss" not in state.barred
    assert "1 of the 1 commit(s)" in firm.refuses(state)
    assert "1 of the 1 commit(s)" in firm.refuses(state, YAMADA, Role.CTO)


def test_a_range_narrower_than_that_of_the_registered_versions_hides_nobody(firm, tmp_path):
    clone = Repository(tmp_path / "clone")
    before = clone.commit("The Boss", "boss@example.com")
    clone.commit("Rae", "r.moreau@example.com")
    last = clone.commit("Q. Ferrari", "q@example.com")
    narrow = CommitRange(repository=str(clone.folder), since="main~1", until="main")
    state = firm.having(
        commits=narrow,
        candidate=registered(git_commit=last, users=("x",)),
        champion=registered(git_commit=before, users=("x",)),
    ).submit()
    assert why(state) == {Because.WROTE}


def test_a_range_that_cannot_be_read_keeps_a_release_out_unless_the_policy_lets_the_memo_tell_it(firm, tmp_path):
    gone = CommitRange(repository=str(tmp_path / "gone"), since="v1", until="main")
    with pytest.raises(RefusedError, match=r"v1\.\.main.*unread_commits"):
        firm.having(commits=gone).submit()
    assert all(state.was_adopted for state in firm.house.record.deployments())
    state = firm.having(unread_commits=OnUnknown.TELL).submit()
    assert "no folder there" in state.unread[0]
    assert Local(firm.house, "t").deployment(state.id)["unread"] == list(state.unread)


def test_a_range_without_commits_is_not_taken_for_nobodys_work(firm, tmp_path):
    clone = Repository(tmp_path / "clone")
    clone.commit("Rae", "r.moreau@example.com")
    nothing = CommitRange(repository=str(clone.folder), since="main", until="main")
    with pytest.raises(RefusedError, match="no commit in this range"):
        firm.having(commits=nothing).submit()


def test_a_maker_whom_nobody_is_enrolled_as_is_told_and_refused_where_the_policy_asks(firm):
    trials = TrackedTable(name="trials", runs=9, users={"mfisher": 8}, unnamed=1)
    with pytest.raises(RefusedError, match=r"mfisher.*1 of the 9 run\(s\) of trials name no user"):
        firm.having(tracked=(trials,), unknown_makers=OnUnknown.BLOCK, authors=()).submit()
    state = firm.having(unknown_makers=OnUnknown.TELL).submit()
    assert state.unread == ("1 of the 9 run(s) of trials name no user",)
    told = {who["name"]: who["is_enrolled"] for who in Local(firm.house, "t").deployment(state.id)["may_not_sign"]}
    assert told["mfisher"] is False


def test_somebody_who_is_found_to_be_the_maker_later_may_not_sign_either(firm):
    trials = TrackedTable(name="trials", runs=9, users={"chieko": 9})
    state = firm.having(tracked=(trials,)).submit()
    firm.enrol(Role.CTO, YAMADA, logins=("chieko",))
    assert "9 of the 9" in firm.refuses(state, YAMADA, Role.CTO)


@pytest.mark.parametrize(
    "because",
    [
        ("produced_by", (MOREAU,), Because.PRODUCED_EVIDENCE),
        ("tracked", (TrackedTable(name="trials", runs=9, users={"rmoreau": 9}),), Because.PRODUCED_EVIDENCE),
        ("authors", (MOREAU,), Because.WROTE),
        ("actor", MOREAU, Because.SUBMITTED),
        ("actor", "ci-1", Because.ISSUED_TOKEN),
    ],
    ids=lambda because: f"{because[0]}-{because[2].value}",
)
def test_verify_finds_a_signature_that_a_server_without_the_guard_took(firm, because, monkeypatch):
    key, value, reason = because
    accounts = firm.house.accounts
    accounts.issue_token("ci-1", scopes=frozenset({Permission.SUBMIT}), actor=MOREAU, is_machine=True)
    state = firm.submit(actor=value) if key == "actor" else firm.having(**{key: value}).submit()
    assert why(state) == {reason}
    assert verify_export(firm.house.ledger.export(), replay).findings == ()
    with monkeypatch.context() as forged:
        forged.setattr(ApprovalRound, "reassessed", lambda *_: firm.release)
        forged.setattr(deployment, "objection", lambda *_, **__: None)
        forged.setattr("signoff.domain.decisions.approvals.objection", lambda *_, **__: None)
        firm.house.approvals.override(state.id, firm.house.signatory(RISK), reason="because")
        export = firm.house.ledger.export()
    found = verify_export(export, replay)
    assert found.exit_code == 1
    assert any(f"{MOREAU} signed, and may not" in what for _, what in found.findings)
    assert any("cannot be replayed" in what for _, what in found.findings)


def test_grounds_that_are_taken_out_of_the_ledger_are_missed(firm):
    firm.having(authors=(MOREAU,)).submit()
    export = firm.house.ledger.export()
    ours = b'"because":"wrote"'
    assert ours in export["events.jsonl"]
    altered = {**export, "events.jsonl": export["events.jsonl"].replace(ours, b'"because":"deploys"')}
    assert verify_export(altered, replay).exit_code == 1
