"""The registered bytes that people signed are the ones that every start, advance, revert and load insists upon."""

import gc
import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from itertools import cycle
from types import SimpleNamespace

import empty_registry
import firm_policy
import pytest
import release_folder
import small_models
from cast_of_six import PEOPLE

pytest.importorskip("mlflow")

from signoff.app import package, rollback
from signoff.app.record import deployment_stream
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.errors import GuardError, UnavailableError
from signoff.domain.events import FilesChanged, RegisteredAgain, RollbackCause, RolledBack, Step, StepDone
from signoff.installation import Installation
from signoff.ledger.manifest import parse
from signoff.worker.work import Worker

pytestmark = pytest.mark.slow


def plain(memo):
    return {"deployment_memo.md": memo.tldr.encode(), "deployment_memo.pdf": repr(memo.decision).encode()}


def said(world, *words):
    out, err = io.StringIO(), io.StringIO()
    line = [*map(str, words), "--home", str(world.home), "--venue", "simulated", "--registry", world.uri, "--json"]
    with redirect_stdout(out), redirect_stderr(err):
        code = main(line)
    assert code in {0, 1}, err.getvalue()
    text = out.getvalue().strip()
    assert text.startswith("{"), err.getvalue()
    return json.loads(text)


@pytest.fixture(scope="module")
def printing():
    """Memos as a line of text: typesetting takes seconds, and nothing is really killed by a rehearsal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "rendered", plain)
        patch.setattr(rollback, "rendered", plain)
        reports = ("backtest_report", "validation_results")
        patch.setattr(package, "attachments", lambda *_: {f"attachments/{name}.pdf": b"" for name in reports})
        yield


@pytest.fixture(scope="module")
def pristine(tmp_path_factory, printing):
    """A registry with two versions, and a home in which the second is approved."""
    place = tmp_path_factory.mktemp("approved")
    world = SimpleNamespace(place=place, home=place / "home", uri=empty_registry.uri_in(place))
    world.versions = {v: small_models.registered(place, world.uri, v, f) for v, f in (("1.1.0", 2), ("2.0.0", 3))}
    world.folders = {v: small_models.folder_of(place, made) for v, made in world.versions.items()}
    folder = release_folder.make(place / "dossier")
    for role, name in PEOPLE.items():
        said(world, "people", "add", name, "--role", role, "--make-key")
    said(world, "policy", "propose", firm_policy.FILE, "--as", PEOPLE["risk_manager"])
    said(world, "policy", "confirm", "--as", PEOPLE["cto"])
    said(
        world, "grandfather", "momentum", "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live before"
    )
    said(world, "rehearse", "momentum", "--dossier", folder)
    document = said(world, "submit", folder, "--as", "Q. Ferrari")
    world.identity = document["deployment"]
    for role in ("risk_manager", "cto"):
        if document["state"] == "validated":
            document = said(world, "override", world.identity, "--role", role, "--reason", "a test of the procedure")
    for role in PEOPLE:
        document = said(world, "approve", world.identity, "--role", role)
    assert document["state"] == "approved", document
    return world


def copied(pristine, tmp_path):
    found = SimpleNamespace(**vars(pristine))
    found.home = shutil.copytree(pristine.home, tmp_path / "home", symlinks=True)
    found.house = Installation(settings(home=str(found.home), venue="simulated", registry=found.uri))
    return found


@pytest.fixture
def world(pristine, tmp_path):
    """A copy of the home; the registry is shared, and put back by whoever attacks it."""
    return copied(pristine, tmp_path)


@pytest.fixture(scope="module")
def begun(pristine, tmp_path_factory):
    """The home in which the second version trades and a worker has looked."""
    home = copied(pristine, tmp_path_factory.mktemp("begun"))
    started(home)
    Worker(home.house).work()
    gc.collect()  # a database that is closed in the middle of a copy is written into
    return home


@pytest.fixture
def traded(begun, tmp_path):
    return copied(begun, tmp_path)


def events(world, kind):
    history = world.house.record.history(deployment_stream(world.identity))
    return [r.event for r in history if isinstance(r.event, kind)]


def champion(world):
    return next(d for d in world.house.record.deployments("momentum") if d.version == "1.1.0")


def test_the_manifest_names_every_file_of_the_version_the_feature_code_and_the_environment(world):
    state = world.house.record.deployment(world.identity)
    entries = {entry.path: entry for entry in parse(world.house.store.blob(state.manifest)).entries}
    for file in world.versions["2.0.0"].pin.files:
        named = entries[f"artifacts/{file.path}"]
        assert (named.size, named.sha256) == (file.size, file.sha256)
    assert {path.removeprefix("artifacts/") for path in entries if path.startswith("artifacts/")} == set(
        small_models.FILES
    )
    assert "inputs/example_features.py" in entries
    said = json.loads(world.house.store.blob(entries["environment.json"].sha256))
    hashes = {one["name"]: one["sha256"] for one in said["captured"]["distributions"]}
    assert len(hashes["polars"]) == 64
    assert said["captured"]["python"].startswith("CPython 3.")


def test_a_release_is_bound_to_number_and_digest_on_every_face(world):
    made = world.versions["2.0.0"]
    state = world.house.record.deployment(world.identity)
    assert state.bound == made.pin
    assert state.bound_previous == world.versions["1.1.0"].pin == champion(world).bound
    (document,) = said(world, "status", world.identity)["deployments"]
    assert document["artifacts"]["digest"] == made.digest
    assert document["artifacts"]["number"] == made.number
    assert [file["path"] for file in document["artifacts"]["files"]] == list(small_models.FILES)


# Each attack on two files, and each file under attack: how it is attacked and which file it is do not hang together.
ATTACKED = [
    (attack, small_models.FILES[(number + beside) % len(small_models.FILES)])
    for number, attack in enumerate(small_models.ATTACKS)
    for beside in (0, 1)
]


def test_every_file_is_attacked():
    assert {name for _, name in ATTACKED} == set(small_models.FILES)


@pytest.mark.parametrize(("attack", "name"), ATTACKED)
def test_a_start_refuses_other_bytes_and_names_the_file(world, attack, name):
    attacked, refusal = small_models.attacked(world.folders["2.0.0"], attack, name), pytest.raises(GuardError)
    with attacked, refusal as refused:
        world.house.rollout.start(world.identity, actor="t")
    assert name in str(refused.value)
    assert "expected" in str(refused.value)
    assert world.house.record.deployment(world.identity).state is State.APPROVED


@pytest.mark.parametrize("attack", small_models.ATTACKS)
def test_verify_finds_other_bytes_and_names_the_file(world, attack):
    with small_models.attacked(world.folders["2.0.0"], attack, "times_model.py"):
        result = world.house.ledger.verify(is_full=True)
    named = [what for where, what in (*result.findings, *result.inconclusive) if "momentum v2.0.0" in where]
    assert any("times_model.py" in what for what in named), result
    assert result.exit_code == 1
    assert world.house.ledger.verify(is_full=True).findings == ()


def test_a_registry_that_is_gone_is_no_tick(world):
    away = Installation(settings(home=str(world.home), venue="simulated", registry=f"sqlite:///{world.home}/none.db"))
    result = away.ledger.verify()
    assert [what for _, what in result.inconclusive if "not compared" in what]
    with pytest.raises(GuardError, match="no model registry is connected"):
        away.rollout.start(world.identity, actor="t")


def test_a_living_memo_is_written_from_what_is_kept_where_the_registry_cannot_be_asked(world, monkeypatch):
    monkeypatch.setattr(package, "rendered", lambda memo: {"deployment_memo.md": repr(memo).encode()})
    here = world.house.approvals
    state = world.house.record.deployment(world.identity)
    assert b"registry not" not in here.living_memo(state)["living_memo.md"]
    away = Installation(settings(home=str(world.home), venue="simulated", registry=f"sqlite:///{world.home}/none.db"))
    told = away.approvals.living_memo(state)["living_memo.md"].decode()
    assert "registry not reachable: " in told
    kept = here._repeated(state, replace(here._fixed(state), kept=here._versions(state)))
    assert kept.package.digest == state.package, "what was kept gives every figure that was validated"

    def broken(*_, **__):
        raise UnavailableError("Expected an answer of the registry, found none")

    monkeypatch.setattr("signoff.app.approvals.refuse_other_bytes", broken)
    told = here.living_memo(state)["living_memo.md"].decode()
    assert "registry not reachable: Expected an answer of the registry, found none. The registry's facts" in told


def test_the_memo_of_a_release_on_its_way_back_is_written_where_the_files_of_its_version_are_gone(
    world, monkeypatch, tmp_path
):
    monkeypatch.setattr(package, "rendered", lambda memo: {"deployment_memo.md": repr(memo).encode()})
    world.house.rollback.start(world.identity, RollbackCause.ERROR, "person", "a test", actor="t")
    folder = world.folders["2.0.0"]
    away = folder.rename(folder.with_name("away"))
    try:
        answer = said(world, "memo", world.identity, "--out", tmp_path / "living")
    finally:
        away.rename(folder)
    told = (tmp_path / "living" / "living_memo.md").read_text()
    assert answer["altered"] == []
    assert "registry not reachable, or not as validated: " in told
    assert "found no such file" in told
    assert "ROLLING BACK: the rollback began" in told


def test_a_second_registration_is_an_alarm_and_the_first_one_trades(world, pristine):
    from mlflow import MlflowClient

    number = small_models.registered_again(world.uri, world.versions["2.0.0"])
    try:
        found = world.house.ledger.verify().findings
        assert any(f"was registered again, as number {number}" in what for _, what in found), found
        done = Worker(world.house).work()
        assert any(f"as number {number}" in text for text in done.differs["momentum"]), done.differs
        assert [event.number for event in events(world, RegisteredAgain)] == [number]
        Worker(world.house).work()
        assert len(events(world, RegisteredAgain)) == 1
        told = [json.loads(line) for line in (world.home / "notices.jsonl").read_text().splitlines()]
        assert [one for one in told if one["subject"] == "ALARM: momentum v2.0.0 was registered again"]
        started = world.house.rollout.start(world.identity, actor="t")
        assert started.state is State.SHADOW
        assert started.bound.number == world.versions["2.0.0"].number
    finally:
        MlflowClient(tracking_uri=world.uri, registry_uri=world.uri).delete_model_version("momentum", str(number))


def started(world):
    assert world.house.rollout.start(world.identity, actor="t").state is State.SHADOW
    return world.house


@pytest.mark.parametrize("name", ["times_model.py", "known_output.parquet"])
def test_an_advance_refuses_other_bytes(world, name):
    house = started(world)
    attacked = small_models.attacked(world.folders["2.0.0"], small_models.altered, name)
    with attacked, pytest.raises(GuardError, match=rf"{name}: expected sha256 .* found sha256"):
        house.rollout.advance(world.identity, actor="t")


@pytest.mark.parametrize(
    "attack", [small_models.altered, small_models.removed, small_models.added, small_models.linked]
)
def test_a_rollback_to_other_bytes_fences_and_cancels_then_is_stuck_and_pages(world, attack):
    house = started(world)
    with small_models.attacked(world.folders["1.1.0"], attack, "times_model.py"):
        state = house.rollback.begin(world.identity, RollbackCause.ERROR, "t", "r", actor="t")
        assert state.state is State.ROLLBACK_STUCK
        assert [step for step, _ in state.rollback.done] == [Step.FENCE, Step.CANCEL, Step.VERIFY_FLAT]
        assert "times_model.py" in state.rollback.stuck_because
        assert not house.record.flags("momentum").enabled
        house.deliver_notices()
        told = [json.loads(line) for line in (world.home / "notices.jsonl").read_text().splitlines()]
        assert [one for one in told if one["severity"] == "page" and "times_model.py" in one["text"]]
        house.kill_switch.kill("momentum", reason="an exit is never blocked", actor="t")
        assert house.record.latch("momentum").is_latched
    assert house.rollback.begin(world.identity, RollbackCause.ERROR, "t", "r", actor="t").state is State.ROLLED_BACK


def test_a_revert_says_which_digest_it_restored(world):
    house, digest = started(world), world.versions["1.1.0"].digest
    state = house.rollback.begin(world.identity, RollbackCause.ERROR, "t", "r", actor="t")
    assert state.state is State.ROLLED_BACK
    (revert,) = [done for done in events(world, StepDone) if done.step is Step.REVERT]
    assert revert.restored_digest == digest
    assert f"restored digest sha256:{digest}" in revert.detail
    assert events(world, RolledBack)[0].restored_digest == digest
    (document,) = said(world, "status", world.identity)["deployments"]
    assert document["restored_digest"] == digest


def test_an_export_carries_the_bytes_and_says_to_what_releases_are_bound(world):
    from signoff.app.audit import verify

    files = world.house.ledger.export()
    for file in world.versions["2.0.0"].pin.files:
        assert len(files[f"blobs/{file.sha256}"]) == file.size
    result = verify(files)
    assert result.findings == ()
    assert any(fact.startswith(f"{world.identity}: bound to momentum number 2") for fact in result.facts), result.facts
    wanted = world.versions["2.0.0"].pin.files[0].sha256
    assert verify({name: c for name, c in files.items() if name != f"blobs/{wanted}"}).findings


def test_approval_by_the_last_signatory_is_refused_over_other_bytes(world):
    state = world.house.record.deployment(world.identity)
    attacked = small_models.attacked(world.folders["2.0.0"], small_models.altered, "inference.json")
    with attacked, pytest.raises(GuardError, match=r"inference\.json"):
        world.house.approvals.reassessed(state)
    assert world.house.approvals.reassessed(state).package.digest == state.package


def changed(world):
    return [event.found for event in events(world, FilesChanged)]


@pytest.mark.parametrize(
    ("attack", "version"), list(zip(small_models.ATTACKS, cycle(["2.0.0", "1.1.0"]), strict=False))
)
def test_a_worker_tells_once_that_files_changed_while_a_release_trades(traded, version, attack, monkeypatch):
    monkeypatch.setattr(Worker, "_governance", lambda *_: None)  # half of a pass, and no part of what is asked here
    world = traded
    worker, name = Worker(world.house), "times_model.py"
    worker.work()
    with small_models.attacked(world.folders[version], attack, name):
        for each in (worker, worker, Worker(world.house)):
            done = each.work()
            assert any(name in text for text in done.differs["momentum"]), done
    of = world.identity if version == "2.0.0" else champion(world).id
    history = world.house.record.history(deployment_stream(of))
    (event,) = [r.event for r in history if isinstance(r.event, FilesChanged)]
    assert name in event.found
    told = [json.loads(line) for line in (world.home / "notices.jsonl").read_text().splitlines()]
    alarms = [
        one for one in told if one["subject"] == f"ALARM: the files of momentum v{version} changed after approval"
    ]
    assert len(alarms) == 1
    assert name in alarms[0]["text"]
    assert "momentum" not in worker.work().differs
    assert world.house.kill_switch.kill("momentum", reason="an exit is never blocked", actor="t")


def test_unchanged_files_are_not_read_again_within_the_hour(world, monkeypatch):
    read = []
    monkeypatch.setattr("signoff.app.changed_files.otherwise", lambda _, version, pin: read.append(version))
    started(world)
    worker = Worker(world.house)
    worker.work()
    worker.work()
    assert sorted(read) == ["1.1.0", "2.0.0"]
    times_model = world.folders["2.0.0"] / "times_model.py"
    kept = times_model.stat()
    os.utime(times_model, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    worker.work()
    assert sorted(read) == ["1.1.0", "2.0.0", "2.0.0"], "a time set back leaves the time of the inode"


def test_a_registry_that_hides_the_files_of_a_version_blocks_nothing_and_is_told(world, monkeypatch):
    def away(*_, **__):
        raise UnavailableError("Expected an answer of the registry, found none")

    house = started(world)
    monkeypatch.setattr("signoff.app.changed_files.otherwise", away)
    done = Worker(house).work()
    assert any(problem.startswith("artefacts of") for problem in done.problems), done
    assert not [problem for problem in done.problems if not problem.startswith("artefacts of")]
    assert changed(world) == []


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_second_registration_of_a_release_that_was_rolled_back_is_an_alarm(world, is_killed):
    from mlflow import MlflowClient

    house = started(world)
    if is_killed:
        house.kill_switch.kill("momentum", reason="a test", actor="t")
    state = house.rollback.begin(world.identity, RollbackCause.ERROR, "t", "r", actor="t")
    assert state.state is State.ROLLED_BACK
    number = small_models.registered_again(world.uri, world.versions["2.0.0"])
    try:
        for _ in range(2):
            done = Worker(house).work()
            assert any(f"v2.0.0 was registered again, as number {number}" in text for text in done.differs["momentum"])
        assert [event.number for event in events(world, RegisteredAgain)] == [number]
        assert any(f"was registered again, as number {number}" in what for _, what in house.ledger.verify().findings)
        told = [json.loads(line) for line in (world.home / "notices.jsonl").read_text().splitlines()]
        assert len([one for one in told if one["subject"] == "ALARM: momentum v2.0.0 was registered again"]) == 1
    finally:
        MlflowClient(tracking_uri=world.uri, registry_uri=world.uri).delete_model_version("momentum", str(number))
