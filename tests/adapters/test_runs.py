"""Runs as evidence: one contract for every tracker, and the family of trials that is gathered from one."""

import io
import json
from datetime import date, timedelta

import empty_registry
import numpy as np
import polars as pl
import pytest
from fake_runs import FakeRuns

from signoff.adapters.evidence.family import family_of, leaves
from signoff.domain.errors import BadInputError, NotFoundError
from signoff.ports.runs import RunStatus, TrackedRun

DAYS = [date(2018, 1, 1) + timedelta(days=n) for n in range(60)]
RNG = np.random.default_rng(8)


def table(days=DAYS, seed=0, **columns):
    returns = np.random.default_rng(seed).normal(0, 0.01, len(days))
    return pl.DataFrame({"date": days, "return": returns} | columns)


def parquet(frame):
    frame.write_parquet(written := io.BytesIO())
    return written.getvalue()


class Fake:
    """Fills the tracker in memory."""

    def __init__(self):
        self.count, self.all, self.held, self.homes = 0, {}, {}, {}

    def start(self, experiment, name, *, parent="", parameters=None, tags=None):
        self.count += 1
        run = TrackedRun(
            id=f"run{self.count}", name=name, status=RunStatus.RUNNING, parent=parent, parameters=parameters or {},
            tags=tags or {}, users=tuple(user for user in [(tags or {}).get("mlflow.user")] if user),
        )  # fmt: skip
        self.all[run.id] = run
        self.homes.setdefault(experiment, []).append(run.id)
        return run.id

    def log(self, run, path, content):
        self.held.setdefault(run, {})[path] = content

    def end(self, run, status="FINISHED", *, delete=False):
        known = {"FINISHED": RunStatus.FINISHED, "FAILED": RunStatus.FAILED, "KILLED": RunStatus.FAILED}
        from dataclasses import replace

        self.all[run] = replace(self.all[run], status=known.get(status, RunStatus.RUNNING), is_deleted=delete)

    def runs(self):
        fake = FakeRuns(*self.all.values(), experiments=self.homes)
        for run, files in self.held.items():
            fake.holding(run, files)
        return fake


class Mlflow:
    """Fills a real MLflow in a real database."""

    def __init__(self, place):
        from mlflow import MlflowClient

        self.place, self.uri = place, empty_registry.uri_in(place)
        self.client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.homes = {}

    def start(self, experiment, name, *, parent="", parameters=None, tags=None):
        if experiment not in self.homes:
            where = (self.place / experiment).as_uri()
            self.homes[experiment] = self.client.create_experiment(experiment, artifact_location=where)
        own = {"mlflow.parentRunId": parent} if parent else {}
        run = self.client.create_run(self.homes[experiment], run_name=name, tags={**own, **(tags or {})}).info.run_id
        for key, value in (parameters or {}).items():
            self.client.log_param(run, key, value)
        return run

    def log(self, run, path, content):
        folder, _, name = path.rpartition("/")
        (self.place / name).write_bytes(content)
        self.client.log_artifact(run, str(self.place / name), folder or None)

    def end(self, run, status="FINISHED", *, delete=False):
        if status != "RUNNING":
            self.client.set_terminated(run, status)
        if delete:
            self.client.delete_run(run)

    def runs(self):
        from signoff.adapters.mlflow_runs import MlflowRuns

        return MlflowRuns.open(self.uri)


@pytest.fixture(params=["fake", "mlflow"])
def tracker(request, tmp_path):
    if request.param == "fake":
        return Fake()
    pytest.importorskip("mlflow")
    return Mlflow(tmp_path)


def test_children_are_told_with_how_they_ended_and_deleted_ones_too(tracker):
    parent = tracker.start("study", "grid")
    tracker.start("study", "stranger")
    expected = {}
    for name, status, delete in (
        ("a", "FINISHED", False), ("b", "FAILED", False), ("c", "KILLED", False), ("d", "RUNNING", False),
        ("e", "FINISHED", True),
    ):  # fmt: skip
        run = tracker.start("study", name, parent=parent, parameters={"window": "20"}, tags={"number": "3"})
        tracker.end(run, status, delete=delete)
        expected[name] = (run, delete)
    found = {run.name: run for run in tracker.runs().children(parent)}
    assert {name: (run.id, run.is_deleted) for name, run in found.items()} == expected
    assert [found[name].status for name in "abcde"] == [
        RunStatus.FINISHED, RunStatus.FAILED, RunStatus.FAILED, RunStatus.RUNNING, RunStatus.FINISHED
    ]  # fmt: skip
    assert found["a"].parent == parent
    assert found["a"].parameters == {"window": "20"}
    assert found["a"].tags["number"] == "3"


def test_a_run_names_its_user_and_nobody_where_nobody_is_named(tracker):
    kims = tracker.start("study", "a", tags={"mlflow.user": "kim"})
    nobodys = tracker.start("study", "b")
    runs = tracker.runs()
    assert [runs.run(run).users for run in (kims, nobodys)] == [("kim",), ()]
    with pytest.raises(NotFoundError):
        runs.run("none-of-this-id")


def test_children_in_another_experiment_are_children(tracker):
    parent = tracker.start("study", "grid")
    child = tracker.start("elsewhere", "a", parent=parent)
    assert [run.id for run in tracker.runs().children(parent)] == [child]


def test_an_experiment_is_all_its_runs(tracker):
    ids = {tracker.start("study", name) for name in "abc"}
    tracker.start("elsewhere", "d")
    assert {run.id for run in tracker.runs().of_experiment("study")} == ids


def test_files_are_given_as_they_were_logged(tracker):
    run = tracker.start("study", "a")
    tracker.log(run, "returns.parquet", b"content")
    tracker.log(run, "deep/er/t.csv", b"deeper")
    runs = tracker.runs()
    assert runs.files(run) == ("returns.parquet",)
    assert runs.content(run, "returns.parquet", limit=7) == b"content"
    assert runs.content(run, "deep/er/t.csv", limit=7) == b"deeper"


def test_nothing_is_printed_while_files_are_fetched(tracker, capfd):
    run = tracker.start("study", "a")
    tracker.log(run, "returns.parquet", b"content")
    runs = tracker.runs()
    capfd.readouterr()
    runs.content(run, "returns.parquet", limit=7)
    assert capfd.readouterr().err == ""


def test_what_is_not_there_is_not_found(tracker):
    run = tracker.start("study", "a")
    tracker.log(run, "returns.parquet", b"content")
    runs = tracker.runs()
    for ask in (
        lambda: runs.children("0" * 32),
        lambda: runs.of_experiment("nowhere"),
        lambda: runs.content(run, "other.parquet", limit=9),
        lambda: runs.content("0" * 32, "returns.parquet", limit=9),
    ):
        with pytest.raises(NotFoundError):
            ask()
    with pytest.raises(BadInputError, match="bytes"):
        runs.content(run, "returns.parquet", limit=6)


def study(tracker, count=4):
    """A parent with finished children, each with its returns and a parameter."""
    parent = tracker.start("study", "grid")
    ids = []
    for n in range(count):
        run = tracker.start("study", f"window-{n}", parent=parent, parameters={"window": str(n)})
        tracker.log(run, "returns.parquet", parquet(table(seed=n)))
        tracker.end(run)
        ids.append(run)
    tracker.end(parent)
    return parent, ids


def gathered(tracker, parent):
    runs = tracker.runs()
    return family_of(runs.children(parent), runs)


def refused(tracker, parent, *words):
    with pytest.raises(BadInputError) as caught:
        gathered(tracker, parent)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return str(caught.value)


def test_a_family_is_what_every_child_logged_with_nothing_typed_by_hand(tracker):
    parent, ids = study(tracker)
    family = gathered(tracker, parent)
    frame = pl.read_parquet(io.BytesIO(family.content))
    assert frame.columns == ["date", "window-0", "window-1", "window-2", "window-3"]
    assert frame["date"].to_list() == DAYS
    for n in range(4):
        np.testing.assert_array_equal(frame[f"window-{n}"], table(seed=n)["return"])
    assert {member.run.id for member in family.members} == set(ids)
    assert family.run_again == ()


def test_every_child_that_is_not_whole_is_listed(tracker):
    parent, _ = study(tracker)
    runs = {}
    for name, status, delete in (
        ("crashed", "FAILED", False), ("going", "RUNNING", False), ("gone", "FINISHED", True),
        ("silent", "FINISHED", False), ("twice", "FINISHED", False), ("broken", "FINISHED", False),
        ("late", "FAILED", False),
    ):  # fmt: skip
        runs[name] = tracker.start("study", name, parent=parent, parameters={"name": name})
        if name in {"gone", "twice", "late"}:
            tracker.log(runs[name], "returns.parquet", parquet(table()))
        if name in {"twice", "broken"}:
            tracker.log(runs[name], "returns.csv", b"date,return\n2018-01-01,abc\n")
        tracker.end(runs[name], status, delete=delete)
    said = refused(
        tracker, parent, "of 11 runs, 7 cannot be judged", "Every configuration tried counts",
        f"run crashed ({runs['crashed'][:8]}) failed", "run going", "is still running", "was deleted; restore it",
        "run silent", "found none", "returns.csv", "found abc", "failed after it logged returns.parquet",
    )  # fmt: skip
    assert "window-" not in said


def test_a_child_of_other_days_is_named_with_its_days(tracker):
    parent, _ = study(tracker)
    run = tracker.start("study", "short", parent=parent)
    tracker.log(run, "returns.csv", table(DAYS[3:], seed=9).write_csv().encode())
    tracker.end(run)
    refused(
        tracker, parent, f"run short ({run[:8]}) has 57 days from 2018-01-04 to 2018-03-01",
        "has 60 from 2018-01-01", "the first difference is 2018-01-01, which short lacks",
    )  # fmt: skip


def test_days_repeated_by_a_child_are_refused(tracker):
    parent, _ = study(tracker, 2)
    run = tracker.start("study", "again", parent=parent)
    tracker.log(run, "returns.parquet", parquet(table([*DAYS[:-1], DAYS[-2]])))
    tracker.end(run)
    refused(tracker, parent, "returns.parquet of run again", "row 60", "repeats")


def test_a_failure_that_was_run_again_with_the_same_parameters_is_made_good(tracker):
    parent, ids = study(tracker)
    failed = tracker.start("study", "window-2", parent=parent, parameters={"window": "2"})
    tracker.end(failed, "FAILED")
    family = gathered(tracker, parent)
    assert [(before.id, again.id) for before, again in family.run_again] == [(failed, ids[2])]
    assert len(family.members) == 4
    other = tracker.start("study", "window-9", parent=parent, parameters={"window": "9"})
    tracker.end(other, "FAILED")
    refused(tracker, parent, "run window-9", "1 cannot be judged")


def test_a_failure_without_parameters_is_never_taken_for_another(tracker):
    parent = tracker.start("study", "grid")
    for status in ("FINISHED", "FAILED"):
        run = tracker.start("study", status, parent=parent)
        if status == "FINISHED":
            tracker.log(run, "returns.parquet", parquet(table()))
        tracker.end(run, status)
    refused(tracker, parent, "run FAILED")


def test_runs_of_one_name_keep_columns_of_their_own(tracker):
    parent = tracker.start("study", "grid")
    ids = []
    for n, name in enumerate(("same", "same", "date")):
        ids.append(tracker.start("study", name, parent=parent))
        tracker.log(ids[-1], "returns.parquet", parquet(table(seed=n)))
        tracker.end(ids[-1])
    columns = pl.read_parquet(io.BytesIO(gathered(tracker, parent).content)).columns
    assert set(columns) == {"date", f"same-{ids[0][:8]}", f"same-{ids[1][:8]}", f"date-{ids[2][:8]}"} or isinstance(
        tracker, Fake
    )


def test_a_parent_without_children_is_no_family(tracker):
    refused(tracker, tracker.start("study", "grid"), "found no run")


def test_a_parent_of_an_experiment_is_no_configuration_of_it(tracker):
    _, ids = study(tracker)
    assert {run.id for run in leaves(tracker.runs().of_experiment("study"))} == set(ids)


def optuna_tags(number, state="COMPLETE"):
    return {"number": str(number), "state": state, "datetime_start": "2018-01-01"}


def test_a_trial_that_optuna_numbered_and_nobody_tracked_is_missed(tracker):
    parent = tracker.start("study", "grid")
    for number in (0, 1, 3):
        run = tracker.start("study", str(number), parent=parent, tags=optuna_tags(number))
        tracker.log(run, "returns.parquet", parquet(table(seed=number)))
        tracker.end(run)
    refused(tracker, parent, "trial 2 of the Optuna study has no run")


def test_a_pruned_trial_has_not_said_all(tracker):
    parent, _ = study(tracker)
    run = tracker.start("study", "9", parent=parent, tags=optuna_tags(9, "PRUNED"))
    tracker.end(run)
    refused(tracker, parent, "run 9", "Optuna calls PRUNED", "without pruning")


WINDOWS = (5, 20, 60, 120)


def by_callback(place, uri, returns_of):
    """Optuna's callback: every trial a run of one experiment; the objective logs its returns."""
    import mlflow
    import optuna
    from optuna_integration.mlflow import MLflowCallback

    tracked = MLflowCallback(tracking_uri=uri, metric_name="sharpe", create_experiment=False)
    mlflow.set_experiment("momentum")

    @tracked.track_in_mlflow()
    def objective(trial):
        path = returns_of(trial)
        mlflow.log_artifact(str(path))
        return float(trial.params["window"])

    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"window": WINDOWS}, seed=4))
    study.optimize(objective, callbacks=[tracked])
    return "mlflow-experiment:momentum\n"


def by_storage(place, uri, returns_of):
    """MLflow's storage for Optuna: every trial a child run of the study's run, and the trial's id is the run's."""
    import mlflow
    import optuna
    from mlflow.optuna.storage import MlflowStorage

    experiment = mlflow.set_experiment("momentum").experiment_id
    storage = MlflowStorage(experiment_id=experiment)
    study = optuna.create_study(
        storage=storage, study_name="windows", sampler=optuna.samplers.GridSampler({"window": WINDOWS}, seed=4)
    )

    def objective(trial):
        mlflow.MlflowClient().log_artifact(trial._trial_id, str(returns_of(trial)))
        return float(trial.params["window"])

    study.optimize(objective)
    storage.flush_all_batches()
    return f"mlflow-children:{study._study_id}\n"


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:.*is experimental", "ignore::ResourceWarning")
@pytest.mark.parametrize("track", [by_callback, by_storage])
@pytest.mark.parametrize("is_pruned", [False, True])
def test_a_real_study_of_optuna_becomes_the_trials_of_a_release(tmp_path, track, is_pruned):
    optuna = pytest.importorskip("optuna")
    pytest.importorskip("optuna_integration")
    mlflow = pytest.importorskip("mlflow")
    import release_folder

    from signoff.adapters.evidence.reader import FolderReader
    from signoff.adapters.mlflow_runs import MlflowRuns

    folder = release_folder.make(tmp_path / "dossier")
    (folder / "trials.parquet").unlink()
    days = pl.read_parquet(folder / "backtest.parquet")["date"].to_list()
    uri = empty_registry.uri_in(tmp_path)
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("momentum", artifact_location=(tmp_path / "artifacts").as_uri())
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def returns_of(trial):
        window = trial.suggest_categorical("window", WINDOWS)
        if is_pruned and window == 60:
            raise optuna.TrialPruned
        table(days, seed=window).write_parquet(tmp_path / "returns.parquet")
        return tmp_path / "returns.parquet"

    (folder / "trials.link").write_text(track(tmp_path, uri, returns_of))
    reader = FolderReader(MlflowRuns.open(uri))
    if is_pruned:
        with pytest.raises(BadInputError, match=r"trials\.link: .*of 4 runs, 1 cannot be judged"):
            reader.read(folder, None)
        return
    inputs = reader.read(folder, None)
    trials, runs = inputs.evidence.trials, json.loads(inputs.files["fetched/trials.json"])["runs"]
    assert [run["column"] for run in runs] == list(trials.names)
    assert sorted(int(run["parameters"]["window"]) for run in runs) == list(WINDOWS)
    for column, run in enumerate(runs):
        expected = table(days, seed=int(run["parameters"]["window"]))["return"]
        np.testing.assert_array_equal(trials.returns[:, column], expected)


def test_an_installation_fetches_from_its_registry_and_keeps_what_it_fetched(tmp_path):
    pytest.importorskip("mlflow")
    import release_folder

    from signoff.adapters.folders import write_folder
    from signoff.config.settings import settings
    from signoff.installation import Installation

    folder = release_folder.make(tmp_path / "dossier")
    given = pl.read_parquet(folder / "trials.parquet")
    (folder / "trials.parquet").unlink()
    tracker = Mlflow(tmp_path)
    parent = tracker.start("study", "grid")
    for name in given.columns[1:]:
        run = tracker.start("study", name, parent=parent)
        tracker.log(run, "returns.csv", given.select("date", pl.col(name).alias("return")).write_csv().encode())
        tracker.end(run)
    (folder / "trials.link").write_text(f"mlflow-children:{parent}")
    house = Installation(settings(home=str(tmp_path / "home"), registry=tracker.uri))
    inputs = house.reader.read(folder, None)
    np.testing.assert_array_equal(inputs.evidence.trials.returns, given.drop("date").to_numpy())
    kept = write_folder(house.settings.releases / "d" / "assessed" / "inputs", inputs.files)
    tracker.client.delete_run(run)
    with pytest.raises(BadInputError, match="was deleted"):
        house.reader.read(folder, None)
    assert house.reader.read(kept, None).files == inputs.files


def test_a_family_of_one_is_no_evidence_against_overfitting(tracker):
    from signoff import stats

    parent, _ = study(tracker, 1)
    frame = pl.read_parquet(io.BytesIO(gathered(tracker, parent).content))
    with pytest.raises(stats.InsufficientData, match=r"at least two\. Add every configuration tried"):
        stats.probability_of_backtest_overfitting(frame.drop("date"))
