"""Who people are at the command line: names that nobody checked, keys of one's own, what is signed, who starts."""

import json
import shutil
import sqlite3

import firm_policy
import pytest
from cast_of_six import PEOPLE
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signoff.adapters.signing_keys import KeyFile
from signoff.cli.main import main


def said(capsys, *arguments):
    """What a command printed for people, and its exit code."""
    capsys.readouterr()
    code = main([*map(str, arguments)])
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


def proofs(home):
    """What the names in the ledger rest on, read without any code of ours."""
    with sqlite3.connect(home / "signoff.db") as database:
        return database.execute("SELECT json_extract(CAST(body AS TEXT), '$.proof') FROM events").fetchall()


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def ssh(public):
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" moreau@desk\n"


def pem(public):
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex().encode() + b"\n"


@pytest.mark.parametrize("written", [pem, ssh, raw])
def test_a_person_is_enrolled_by_the_public_half_and_no_private_key_is_made(home, tmp_path, capsys, written):
    made = KeyFile.generated()
    (tmp_path / "moreau.pub").write_bytes(written(made.private.public_key()))
    code, told = said(
        capsys, "people", "add", "R. Moreau", "--role", "cto", "--public-key", tmp_path / "moreau.pub", "--home", home
    )
    assert code == 0, told
    assert not list(home.glob("keys/*"))
    code, told = said(capsys, "people", "list", "--home", home)
    assert made.key_id[:16] in told
    assert "made by" not in told


def elliptic(tmp_path):
    return pem(generate_private_key(SECP256R1()).public_key())


def private(tmp_path):
    return KeyFile.generated().pem


BAD_KEYS = {
    "a private key": (private, "found a private one"),
    "another kind of key": (elliptic, "Expected an Ed25519 public key"),
    "no key at all": (lambda _: b"hello", "Expected an Ed25519 public key"),
    "an empty file": (lambda _: b"", "Expected an Ed25519 public key"),
    "hex that is no point": (lambda _: b"z" * 64, "Expected an Ed25519 public key"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_what_is_no_public_key_of_the_kind_enrols_nobody(home, tmp_path, capsys, name):
    make, why = BAD_KEYS[name]
    (tmp_path / "k").write_bytes(make(tmp_path))
    code, told = said(capsys, "people", "add", "Rae", "--role", "cto", "--public-key", tmp_path / "k", "--home", home)
    assert (code, why in told) == (2, True), told
    assert "Traceback" not in told


def test_somebody_elses_private_key_is_made_only_when_that_is_asked_for_and_says_who_made_it(home, capsys):
    here = ("--home", home, "--as", "T. Adeyemi")
    code, told = said(capsys, "people", "add", "R. Moreau", "--role", "cto", *here)
    assert code == 2
    assert "--public-key FILE" in told
    assert "--make-key" in told
    assert not list(home.glob("keys/*"))
    code, told = said(capsys, "people", "add", "R. Moreau", "--role", "cto", "--make-key", *here)
    assert "T. Adeyemi made this private key: every signature made with it is marked" in told
    # Another enrolment of the same key, by whatever way, takes no mark away.
    KeyFile.load(home / "keys" / "r--moreau.pem")
    (home / "half").write_bytes(KeyFile.load(home / "keys" / "r--moreau.pem").public_pem)
    said(capsys, "people", "add", "R. Moreau", "--role", "compliance", "--public-key", home / "half", *here)
    code, told = said(capsys, "people", "list", "--home", home)
    assert "R. Moreau: compliance" in told
    assert "made by T. Adeyemi" in told


@pytest.mark.parametrize("name", ["R Moreau", "r.moreau", "R. M\N{CYRILLIC SMALL LETTER O}reau", "Ｒ. Moreau"])
def test_an_enrolment_under_a_name_that_looks_like_another_is_told_so(home, tmp_path, capsys, name):
    for n, person in enumerate(("R. Moreau", "C. Yamada", name)):
        key = tmp_path / f"{n}.pub"
        key.write_bytes(KeyFile.generated().public_pem)
        code, told = said(capsys, "people", "add", person, "--role", "cto", "--public-key", key, "--home", home)
        assert code == 0, told
        warned = f"WARNING: the name {name} looks like R. Moreau, enrolled already" in " ".join(told.split())
        assert warned is (person == name)


def test_whoever_is_enrolled_already_keeps_their_key_when_their_roles_change(home, tmp_path, capsys):
    (tmp_path / "k").write_bytes(KeyFile.generated().public_pem)
    said(capsys, "people", "add", "Rae", "--role", "cto", "--public-key", tmp_path / "k", "--home", home)
    code, told = said(capsys, "people", "add", "Rae", "--role", "compliance", "--home", home)
    assert code == 0, told
    assert "Rae: compliance" in said(capsys, "people", "list", "--home", home)[1]


def test_ones_own_key_is_made_where_one_is_and_carries_no_mark(home, tmp_path, capsys):
    mine = ("--home", tmp_path / "laptop", "--as", "Rae")
    code, told = said(capsys, "people", "key", *mine)
    half = tmp_path / "laptop" / "keys" / "rae.pem.pub"
    assert str(half) in told
    code, told = said(capsys, "people", "add", "Rae", "--role", "cto", "--public-key", half, "--home", home)
    assert code == 0, told
    assert "made by" not in said(capsys, "people", "list", "--home", home)[1]


@pytest.mark.parametrize("how", ["option", "environment", "account"])
def test_a_name_given_on_the_machine_is_recorded_as_one_that_nobody_checked(home, capsys, monkeypatch, how):
    named = ("--as", "R. Moreau") if how == "option" else ()
    if how == "environment":
        monkeypatch.setenv("SIGNOFF_ACTOR", "R. Moreau")
    said(capsys, "people", "add", "Rae", "--role", "cto", "--as", "Rae", "--home", home)  # the ledger is there then
    said(capsys, "kill", "momentum", "--reason", "smoke", "--home", home, *named)
    assert "[unauthenticated]" in said(capsys, "history", "momentum", "--home", home)[1]
    capsys.readouterr()
    main(["history", "momentum", "--json", "--home", str(home)])
    (event,) = json.loads(capsys.readouterr().out)["history"]
    assert event["proof"] == "unauthenticated"
    assert "intact" in said(capsys, "verify", "--home", home)[1]
    assert {proof for (proof,) in proofs(home)} == {"unauthenticated"}


def test_a_secret_of_nobody_makes_no_name_authenticated(home, capsys, monkeypatch):
    monkeypatch.setenv("SIGNOFF_SENT", "1")
    code, told = said(capsys, "people", "add", "Rae", "--role", "cto", "--as", "Rae", "--home", home)
    assert code == 0, told
    assert {proof for (proof,) in proofs(home)} == {"unauthenticated"}


@pytest.fixture(scope="module")
def approved_home(tmp_path_factory):
    """One approved release, copied by each test that goes on from there."""
    import release_folder

    from signoff.app import package, rollback

    base = tmp_path_factory.mktemp("approved")
    folder = release_folder.make(base / "dossier")

    def plain(memo):
        notes = "\n".join((*memo.notices, *(repr(section) for section in memo.sections)))
        return {"deployment_memo.md": memo.tldr.encode(), "deployment_memo.pdf": notes.encode()}

    empty = {"attachments/backtest_report.pdf": b"", "attachments/validation_results.pdf": b""}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "rendered", plain)
        patch.setattr(rollback, "rendered", plain)
        patch.setattr(package, "attachments", lambda *_: empty)
        yield base, folder


@pytest.fixture
def desk(desk, approved_home, tmp_path, capsys):
    base, folder = approved_home
    at = type(desk)
    kept = base / "kept"
    if not kept.exists():
        made = at(base / "home", folder, capsys).with_people()
        identity = made.submitted()
        for role in list(PEOPLE)[:-1]:
            made.ok("approve", identity, "--role", role)
        shutil.copytree(base / "home", kept)
        (base / "id").write_text(identity)
    shutil.copytree(kept, tmp_path / "home")
    copied = at(tmp_path / "home", folder, capsys)
    copied.identity = (base / "id").read_text()
    return copied


def test_an_approval_shows_what_it_signs_before_it_signs(desk, capsys):
    here = ("--home", desk.home, "--role", "compliance", "--condition", "while limited: daily review")
    code, told = said(capsys, "approve", desk.identity, *here, "--key", desk.home / "nothing.pem")
    assert code == 2
    assert "to be signed" not in told, "whoever cannot sign is told so first"
    code, told = said(capsys, "approve", desk.identity, *here)
    assert code == 0, told
    document = desk.ok("status", desk.identity)["deployments"][0]
    shown, signed = told.index("to be signed as compliance"), told.index(" is approved")
    assert shown < signed
    assert f"manifest {document['manifest']}" in told
    assert "submitted/deployment_memo.pdf" in told
    assert "gate pbo:" in told
    assert "your condition, blocks limited: while limited: daily review" in told
    (approval,) = [s for s in document["approvals"] if s["role"] == "compliance"]
    assert approval["key_made_by"], "the test's keys are made by the one who enrols"


def test_the_json_of_an_approval_only_grew(desk):
    document = desk.ok("approve", desk.identity, "--role", "compliance", "--yes")
    assert document["to_sign"]["manifest"] == document["manifest"]
    assert {gate["gate"] for gate in document["to_sign"]["gates"]} >= {"spa", "dsr", "pbo", "walk_forward", "var"}
    assert document["state"] == "approved"


def test_who_starts_signs_section_12_and_the_living_memo_and_verify_say_so(desk, capsys, tmp_path):
    desk.ok("approve", desk.identity, "--role", "compliance")
    (tmp_path / "perez.pub").write_bytes(KeyFile.held(tmp_path / "perez.pem").public_pem)
    desk.ok("people", "add", "Q. Ferrari", "--public-key", tmp_path / "perez.pub")
    assert "Q. Ferrari holds" in desk.refused("rollout", "start", desk.identity, "--as", "Q. Ferrari")
    desk.ok("accounts", "grant", "Q. Ferrari", "--duty", "operator")
    key = ("--as", "Q. Ferrari", "--key", tmp_path / "perez.pem")
    started = desk.ok("rollout", "start", desk.identity, *key)
    assert (started["state"], started["deployed_by"]) == ("shadow", "Q. Ferrari")
    events = desk.ok("history", desk.identity)["history"]
    assert "deployer_signed" in [event["kind"] for event in events]
    signed = {path: path.read_bytes() for path in (desk.home / "releases").rglob("deployment_memo.pdf")}
    desk.ok("done", desk.identity, "Performance review meeting", "--as", "T. Haddad", "--note", "with the desk")
    living = desk.ok("memo", desk.identity, "--out", tmp_path / "living")
    assert living["signed_memo"].endswith("approved/deployment_memo.pdf")
    text = (tmp_path / "living" / "living_memo.pdf").read_text()
    for word in (
        "This edition is not signed",
        "Q. Ferrari",
        "written to notices.jsonl",
        "T. Haddad",
        "unauthenticated",
    ):
        assert word in text, word
    assert "sent by email" not in text
    assert {path: path.read_bytes() for path in signed} == signed
    assert "intact" in said(capsys, "verify", "--home", desk.home)[1]


def test_a_signed_memo_that_was_altered_or_is_gone_is_named_and_the_living_memo_is_written_all_the_same(
    desk, capsys, tmp_path
):
    desk.ok("approve", desk.identity, "--role", "compliance")
    line = ("memo", desk.identity, "--out", tmp_path / "living")
    code, told = said(capsys, *line, "--home", desk.home)
    assert code == 0, told
    assert "the signed memo, as signed: " in told
    assert desk.ok(*line)["altered"] == []
    approved = desk.home / "releases" / desk.identity / "approved"
    (approved / "deployment_memo.pdf").write_bytes(b"Asks for 100% of capital")
    (approved / "deployment_memo.md").unlink()
    shutil.rmtree(tmp_path / "living")
    code, told = said(capsys, *line, "--home", desk.home)
    assert code == 1, told
    assert "ALTERED since it was signed: approved/deployment_memo.pdf" in told
    assert "ALTERED since it was signed: approved/deployment_memo.md (missing)" in told
    assert "the signed memo, as signed" not in told
    assert (tmp_path / "living" / "living_memo.pdf").is_file()
    code, document, _ = desk(*line)
    assert (code, document["altered"]) == (
        1,
        ["approved/deployment_memo.md (missing)", "approved/deployment_memo.pdf"],
    )
    code, told = said(capsys, "verify", "--full", "--home", desk.home)
    assert code == 1, told
    assert "approved/deployment_memo.pdf" in told


def test_a_start_by_somebody_whose_key_is_elsewhere_says_that_nobody_signed(desk, capsys):
    desk.ok("approve", desk.identity, "--role", "compliance")
    (desk.home / "keys").rename(desk.home / "keys_elsewhere")
    code, told = said(capsys, "rollout", "start", desk.identity, "--home", desk.home, "--as", "T. Haddad")
    assert code == 0, told
    assert "nobody signed section 12" in told


@pytest.mark.parametrize("name", ["Nobody Known", "R. Moreau", "t. haddad", "root"])
def test_nobody_starts_here_who_is_not_enrolled_or_may_not(desk, name):
    desk.ok("approve", desk.identity, "--role", "compliance")
    told = " ".join(desk.refused("rollout", "start", desk.identity, "--as", name).split())
    assert f"{name} {'holds risk' if name == 'R. Moreau' else 'is not enrolled here'}" in told
    assert "to start takes one of: head_of_trading, operator" in told
    assert "T. Haddad" in told
    (release,) = desk.ok("status", desk.identity)["deployments"]
    assert release["state"] == "approved"
    assert desk.ok("kill", "momentum", "--reason", "an exit is open to any name", "--as", name)


def test_a_role_that_may_not_override_is_named_and_not_a_key_that_is_missing(desk):
    (desk.home / "keys").rename(desk.home / "keys_elsewhere")
    told = " ".join(desk.refused("override", desk.identity, "--role", "lead_quant", "--reason", "r").split())
    assert "role lead_quant may not override; the policy leaves it to" in told
    assert "cto" in told


def test_a_rejected_release_says_what_comes_next(desk, capsys):
    desk.ok("reject", desk.identity, "--role", "compliance", "--reason", "registration missing")
    told = " ".join(said(capsys, "submit", desk.folder, "--home", desk.home, "--as", "Q. Ferrari")[1].split())
    assert "these bytes stay rejected" in told
    assert f"signoff history {desk.identity}" in told


def test_a_proposal_that_is_open_stands_in_the_head_of_the_policy(desk, capsys, tmp_path):
    policy = tmp_path / "other.yaml"
    policy.write_text(firm_policy.FILE.read_text().replace("version:", 'version: "99" #', 1))
    proposed = desk.ok("policy", "propose", policy, "--as", "R. Moreau")
    told = said(capsys, "policy", "show", "--home", desk.home)[1]
    head = told.partition("name: ")[0]
    assert f"PENDING: proposal {proposed['proposal']} of R. Moreau waits for a second person" in head


def test_an_item_is_ticked_by_somebody_who_is_enrolled_alone(desk):
    assert "Nobody Known" in desk.refused("done", desk.identity, "Retrospective", "--as", "Nobody Known")
    refused = desk.refused("done", desk.identity, "a party", "--as", "T. Haddad")
    assert "Performance review meeting" in refused
