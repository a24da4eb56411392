"""What somebody changes in the model registry by hand is noticed, named and told once, and never put back."""

import json
import shutil
import sqlite3
from datetime import timedelta

import pytest

pytest.importorskip("mlflow")

from mlflow import MlflowClient
from several_models import NOW, Several

from signoff.adapters.clocks import SimulatedClock
from signoff.adapters.mlflow_registry import MlflowRegistry
from signoff.cli.main import main
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.installation import Installation
from signoff.worker.work import Worker

MOVED = "alias champion of momentum names v7, the record says v2: moved outside Signoff"
MANY = 10_050


class Desk:
    """A release of `momentum` that holds full capital, and a registry that somebody else writes to."""

    def __init__(self, place, empty):
        self.uri = f"sqlite:///{place / 'mlflow.db'}"
        shutil.copy(empty, place / "mlflow.db")
        self.database = place / "mlflow.db"
        self.client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.experiment = self.client.create_experiment("m", artifact_location=(place / "artifacts").as_uri())
        self.client.create_registered_model("momentum")
        self.numbers = {version: self.register(version) for version in ("1", "2", "7")}
        self.several = Several(place / "home", registry=self.uri)
        self.minutes = 0

    def register(self, version, model="momentum"):
        run = self.client.create_run(self.experiment).info.run_id
        source = f"{self.client.get_run(run).info.artifact_uri}/model"
        return self.client.create_model_version(model, source, run, tags={"version": version}).version

    def release(self, state=State.FULL):
        self.several.release("momentum", state)
        if state is State.FULL:
            self.alias("2")

    def alias(self, version):
        self.client.set_registered_model_alias("momentum", "champion", self.numbers[version])

    def aliased(self):
        return self.client.get_model_version_by_alias("momentum", "champion").tags["version"]

    def work(self):
        """A pass of another worker, a minute later; what it found to differ."""
        self.minutes += 1
        house = Installation(self.several.settings, SimulatedClock(NOW + timedelta(minutes=self.minutes)))
        done = Worker(house).work()
        assert not [problem for problem in done.problems if problem.startswith("registry")], done.problems
        return done.differs.get("momentum", [])

    def told(self):
        """The notices about the registry that went out."""
        path = self.several.settings.home / "notices.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [said["text"] for said in map(json.loads, lines) if "registry differs" in said["subject"]]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A registry's database with nothing in it, which takes MLflow seconds to make."""
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    uri = f"sqlite:///{path}"
    MlflowClient(tracking_uri=uri, registry_uri=uri).search_registered_models()
    return path


@pytest.fixture
def desk(tmp_path, empty):
    made = Desk(tmp_path, empty)
    yield made
    made.several.stop()


def test_an_alias_that_names_what_the_record_says_is_no_news(desk):
    desk.release()
    assert (desk.work(), desk.told()) == ([], [])


def test_an_alias_moved_by_hand_is_told_once_a_change_and_stays_where_it_is(desk):
    desk.release()
    desk.work()
    desk.alias("7")
    assert desk.work() == desk.work() == [MOVED]
    assert [text.startswith(MOVED) for text in desk.told()] == [True]
    assert desk.aliased() == "7"

    desk.alias("1")
    (moved_again,) = desk.work()
    assert moved_again == MOVED.replace("v7", "v1")
    desk.alias("2")
    assert desk.work() == []
    desk.alias("7")
    assert desk.work() == [MOVED]
    assert len(desk.told()) == 3


def test_an_alias_removed_by_hand_is_told(desk):
    desk.release()
    desk.client.delete_registered_model_alias("momentum", "champion")
    assert desk.work() == ["alias champion of momentum names no version, the record says v2: removed outside Signoff"]


def test_an_alias_set_while_no_release_holds_full_capital_is_told(desk):
    desk.release(State.LIMITED)
    assert desk.work() == []
    desk.alias("2")
    (said,) = desk.work()
    assert said.startswith("alias champion of momentum names v2, the record says that no release holds full capital")


def test_an_alias_moved_to_another_number_of_the_same_version_is_told(desk):
    desk.release()
    desk.numbers["2 again"] = desk.register("2")
    (said,) = desk.work()
    assert said.startswith("alias champion of momentum names number 2, the record says v2, which number 4 is")
    desk.alias("2 again")
    assert desk.work() == []


def test_an_alias_of_a_version_without_a_tag_is_told_by_its_number(desk):
    desk.release()
    run = desk.client.create_run(desk.experiment).info.run_id
    desk.numbers["untagged"] = desk.client.create_model_version("momentum", f"runs:/{run}/model", run).version
    desk.alias("untagged")
    (said,) = desk.work()
    assert "names number 4, which has no tag version, the record says v2" in said


def test_a_deleted_version_is_named(desk):
    desk.release()
    desk.client.delete_model_version("momentum", desk.numbers["2"])
    assert desk.work() == [
        "momentum v2, on record as full, is not in the registry: no version of momentum has the tag version=2; "
        "deleted, or its tag was changed"
    ]
    assert len(desk.told()) == 1


def test_a_version_whose_tag_was_changed_is_named_and_so_is_what_the_alias_names_now(desk):
    desk.release()
    desk.client.set_model_version_tag("momentum", desk.numbers["2"], "version", "2-old")
    gone, moved = desk.work()
    assert gone.startswith("momentum v2, on record as full, is not in the registry")
    assert moved == "alias champion of momentum names v2-old, the record says v2: moved outside Signoff"


def test_a_deleted_model_is_named_with_its_versions(desk):
    desk.release()
    desk.client.delete_registered_model("momentum")
    (said,) = desk.work()
    assert said.startswith("registered model momentum is not in the registry, and v2 (full) of it on record: deleted")


def test_a_renamed_model_is_named_with_its_new_name(desk):
    desk.release()
    desk.client.rename_registered_model("momentum", "momentum-eu")
    (said,) = desk.work()
    assert said.startswith("registered model momentum is not in the registry, and v2 (full) of it on record")
    assert said.endswith("momentum-eu in the registry has every one of these versions: renamed to it?")


def test_a_change_that_signoff_itself_is_about_to_name_is_none(desk):
    from signoff.app.champion import naming
    from signoff.app.registered import discrepancies

    desk.release()
    desk.alias("7")
    house = desk.several.house
    house.record.commit(actor="t", key="promoted", effects=(naming("momentum", "promoted"),))
    assert discrepancies(house.record, house.registry, "momentum") == ()


def test_a_release_on_its_way_back_says_nothing_of_the_alias(desk):
    from signoff.app.registered import discrepancies

    desk.release()
    desk.alias("7")
    desk.several.house.rollback.start("momentum-2", e.RollbackCause.ERROR, "t", "r", actor="t")
    assert discrepancies(desk.several.house.record, desk.several.house.registry, "momentum") == ()


def test_what_differs_shows_in_status_until_it_is_put_right(desk, capsys):
    desk.release()
    desk.alias("7")
    desk.work()
    at = ["--home", str(desk.several.settings.home)]
    assert main([*at, "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["registry"] == {"momentum": [MOVED]}
    assert main([*at, "status", "momentum-2"]) == 0
    assert MOVED in " ".join(capsys.readouterr().out.split())
    desk.alias("2")
    desk.work()
    assert main([*at, "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["registry"] == {}


def test_a_worker_in_a_process_of_its_own_notices_and_tells(desk):
    desk.release()
    desk.alias("7")
    desk.several.start()
    desk.several.until(lambda: any(text.startswith(MOVED) for text in desk.told()))
    assert desk.aliased() == "7"


def test_the_oldest_of_many_thousand_versions_is_found(desk):
    """The registry answers with the newest ten thousand unless it is asked for more, or for one."""
    multiply(desk.database, MANY)
    registry = MlflowRegistry.open(desk.uri)
    seen = registry.registered("momentum", "champion", ("1", f"copy {MANY}", "none"))
    assert seen.numbers == {"1": 1, f"copy {MANY}": MANY}
    assert registry.version("momentum", "1").version == "1"


def test_every_page_is_read_where_many_have_one_version(desk, monkeypatch):
    monkeypatch.setattr("signoff.adapters.mlflow_registry.PAGE", 2)
    last = [desk.register("1") for _ in range(7)][-1]
    assert MlflowRegistry.open(desk.uri).registered("momentum", "champion", ("1",)).numbers == {"1": int(last)}


@pytest.mark.parametrize("version", ["1' OR name = 'x", '1"', "1%", "", "v1"])
def test_a_version_that_is_not_there_is_not_found_whatever_it_is_called(desk, version):
    assert MlflowRegistry.open(desk.uri).registered("momentum", "champion", (version,)).numbers == {}


def multiply(database, count):
    """Copy the newest version of the model until there are so many, as rows: through its API this takes an hour."""
    with sqlite3.connect(database) as connection:
        for table, tag in (("model_versions", None), ("model_version_tags", "value")):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            newest = connection.execute(f"SELECT * FROM {table} ORDER BY version DESC").fetchone()
            last = dict(zip(columns, newest, strict=True))
            rows = ({**last, "version": n, **({tag: f"copy {n}"} if tag else {})} for n in range(4, count + 1))
            marks = ", ".join("?" for _ in columns)
            connection.executemany(
                f"INSERT INTO {table} VALUES ({marks})", ([row[column] for column in columns] for row in rows)
            )
    connection.close()
