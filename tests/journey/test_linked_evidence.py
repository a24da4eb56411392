"""A release whose trials stand in MLflow, from submission to the last signature."""

import json

import empty_registry
import polars as pl
import pytest
import yaml
from cast_of_six import PEOPLE

mlflow = pytest.importorskip("mlflow")


@pytest.fixture
def desk(own_desk):
    """MLflow remembers the place of a registry."""
    return own_desk


@pytest.fixture
def linked(desk, monkeypatch):
    """The folder's trials as child runs in the installation's own registry; the client and the runs' ids."""
    place = desk.home / "registry"
    place.mkdir(parents=True)
    uri = empty_registry.uri_in(place)
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("momentum", artifact_location=(place / "artifacts").as_uri())
    parent = client.create_run(experiment).info.run_id
    table = pl.read_parquet(desk.folder / "trials.parquet")
    (desk.folder / "trials.parquet").unlink()
    runs = []
    for name in table.columns[1:]:
        run = client.create_run(experiment, run_name=name, tags={"mlflow.parentRunId": parent}).info.run_id
        table.select("date", pl.col(name).alias("return")).write_parquet(place / "returns.parquet")
        client.log_artifact(run, str(place / "returns.parquet"))
        client.set_terminated(run)
        runs.append(run)
    (desk.folder / "trials.link").write_text(f"mlflow-children:{parent}\n")
    return client, runs


@pytest.mark.usefixtures("unprinted")
class TestLinkedTrials:
    def test_given_a_family_in_mlflow_when_a_run_is_deleted_after_submission_then_the_signatures_hold(
        self, desk, linked
    ):
        client, runs = linked
        identity = desk.with_people().submitted()
        client.delete_run(runs[3])
        for role in PEOPLE:
            document = desk.ok("approve", identity, "--role", role)
        assert document["state"] == "approved"
        kept = desk.home / "releases" / identity / "submitted" / "inputs" / "fetched"
        assert {path.name for path in kept.iterdir()} == {"trials.parquet", "trials.json"}

    def test_given_a_run_that_still_runs_then_nothing_is_submitted(self, desk, linked):
        client, runs = linked
        desk.with_people()
        client.update_run(runs[3], status="RUNNING")
        assert "still running" in desk.refused("submit", desk.folder, "--as", "Q. Ferrari", code=2)

    def test_given_a_fetched_table_that_was_altered_then_the_next_signature_is_refused(self, desk, linked):
        identity = desk.with_people().submitted()
        desk.ok("approve", identity, "--role", "model_owner")
        kept = desk.home / "releases" / identity / "submitted" / "inputs" / "fetched" / "trials.parquet"
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        assert "fetched/trials.parquet" in desk.refused("approve", identity, "--role", "cto")

    def test_given_a_person_who_ran_one_of_the_trials_then_they_sign_nothing(self, desk, linked):
        client, runs = linked
        client.set_tag(runs[3], "mlflow.user", "rmoreau")
        desk.with_people()
        desk.ok("people", "add", PEOPLE["risk_manager"], "--make-key", "--role", "risk_manager", "--login", "rmoreau")
        _, document, said = desk("submit", desk.folder, "--as", "Q. Ferrari")
        assert document is not None, said
        refusal = desk.refused("override", document["deployment"], "--role", "risk_manager", "--reason", "r")
        assert f"ran 1 of the {len(runs)} run(s) of trials" in refusal
        assert f"{len(runs) - 1} of the {len(runs)} run(s) of trials name no user" in document["unread"]

    def test_given_a_pointer_that_was_altered_then_every_signature_is_void(self, desk, linked):
        identity = desk.with_people().submitted()
        (desk.folder / "trials.link").write_text("mlflow-children:another")
        assert "trials.link" in desk.refused("approve", identity, "--role", "cto")


@pytest.mark.usefixtures("unprinted")
@pytest.mark.parametrize("has_own", [False, True])
def test_a_policy_from_elsewhere_voids_no_signature(desk, tmp_path, has_own):
    policy = tmp_path / "firm.yaml"
    (desk.folder / "policy.yaml").rename(policy)
    if has_own:
        (desk.folder / "policy.yaml").write_text(json.dumps(yaml.safe_load(policy.read_text())))
    desk.with_people()
    _, document, said = desk("submit", desk.folder, "--policy", policy, "--as", "Q. Ferrari")
    assert document is not None, said
    for role in ("risk_manager", "cto"):
        if document["state"] == "validated":
            document = desk.ok("override", document["deployment"], "--role", role, "--reason", "a test")
    (desk.folder / "policy.yaml").unlink(missing_ok=True)  # it was compared once, and counts for nothing since
    assert desk.ok("approve", document["deployment"], "--role", "model_owner")["state"] == "awaiting_approval"
