"""The audits of a dossier: each file that it names is held against what the release used, and none is passed over."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from signoff.adapters.feature_replay import FeatureReplays, FullReplay
from signoff.adapters.feature_replay import replay_folders as replayed_folders
from signoff.adapters.sandbox.child import Sandbox
from signoff.domain.dossier import PitAudits, PitDeclaration
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Predictions, Source
from signoff.domain.isolation import Isolation
from signoff.pit.replay import ReplayPlan

replay_features = FeatureReplays(Sandbox())
# Without the two children of each replay, where a test asks nothing of them.
replay_in_place = FeatureReplays(Sandbox(isolation=Isolation.TRUSTED))
START, DAY, DAYS = datetime(2018, 1, 1, 21, tzinfo=UTC), timedelta(days=1), 60
FEATURES = """import polars as pl

def compute(inputs):
    return inputs["bars"].select("timestamp", "symbol", pl.col("close").rolling_mean(5).over("symbol").alias("mean_5"))
"""


@pytest.fixture
def folder(tmp_path):
    days = [START + n * DAY for n in range(DAYS)]
    bars = pl.DataFrame({"timestamp": days, "symbol": "AAA", "close": [100.0 + n % 7 for n in range(DAYS)]})
    bars.write_parquet(tmp_path / "bars.parquet")
    (tmp_path / "audited_features.py").write_text(FEATURES)
    return tmp_path


def replay_folders(folders, how, progress):
    return replayed_folders(folders, how, progress, Sandbox())


def replayed(folder, predictions=None, *, how=replay_features, **audits):
    declaration = PitDeclaration(
        compute="audited_features:compute",
        inputs={"bars": "bars.parquet"},
        sample_dates=12,
        audits=PitAudits(**audits),
    )
    return how(folder, declaration, predictions)


def predictions(symbols):
    days = np.array([np.datetime64("2018-01-01T21") + np.timedelta64(n, "D") for n in range(DAYS)])
    rows = DAYS * len(symbols)
    return Predictions(
        source=Source(name="predictions.parquet", sha256="0" * 64, size=1, rows=rows),
        timestamps=np.repeat(days, len(symbols)).astype("datetime64[us]"),
        symbols=np.array(list(symbols) * DAYS),
        prediction=np.ones(rows),
        realized=np.ones(rows),
    )


BEHAVES = """import polars as pl

LEAKS_ON = {days}

def compute(inputs):
    bars = inputs["bars"].sort("symbol", "timestamp")
    leaks = pl.col("timestamp").dt.ordinal_day().is_in(LEAKS_ON)
    tomorrow = pl.col("close").shift(-1, fill_value=0.0).over("symbol")
    return bars.select("timestamp", "symbol", pl.when(leaks).then(tomorrow).otherwise(pl.col("close")).alias("close"))
"""
DECLARED_CLOSE = PitDeclaration(
    compute="audited_features:compute", inputs={"bars": "bars.parquet"}, sample_dates=12, audits=PitAudits()
)


def behaving_under(folder, seed):
    """Code that leaks on every date but those that this seed draws; the folder's days are those of one year."""
    (folder / "audited_features.py").write_text(BEHAVES.format(days=[]))
    bars = {"bars": pl.read_parquet(folder / "bars.parquet")}

    def compute(inputs):
        return inputs["bars"].select("timestamp", "symbol", "close")

    shown = ReplayPlan.of(compute, bars, sample=12, seed=seed, tolerance=1e-9).dates.dt.ordinal_day().to_list()
    (folder / "audited_features.py").write_text(BEHAVES.format(days=sorted(set(range(1, DAYS + 1)) - set(shown))))


@pytest.mark.parametrize("known", [0, 1, 2**31])
def test_code_that_behaves_on_the_dates_of_a_known_seed_is_found_on_others(folder, known):
    behaving_under(folder, known)
    assert replay_in_place(folder, DECLARED_CLOSE, None, seed=known).findings == ()
    found = replay_in_place(folder, DECLARED_CLOSE, None)
    assert [finding.feature for finding in found.findings] == ["close"]
    assert found.seed != known


def test_the_recorded_seed_repeats_exactly_the_same_replay(folder):
    behaving_under(folder, 0)
    found = replay_features(folder, DECLARED_CLOSE, None)
    assert replay_features(folder, DECLARED_CLOSE, None, seed=found.seed) == found


def test_no_two_replays_are_drawn_alike(folder):
    assert len({replay_in_place(folder, DECLARED_CLOSE, None).seed for _ in range(3)}) == 3


def test_a_replay_that_could_not_run_says_its_seed_too(folder):
    (folder / "audited_features.py").write_text("raise ValueError('no')")
    assert replay_features(folder, DECLARED_CLOSE, None, seed=7).seed == 7


def test_without_audits_there_is_the_replay_alone(folder):
    found = replayed(folder)

    assert (found.error, found.findings, found.audits) == (None, (), ())


def test_a_name_that_died_and_is_missing_is_found(folder):
    members = pl.DataFrame(
        {"symbol": ["AAA", "GONE"], "listed_from": [START] * 2, "listed_until": [None, START + 9 * DAY]}
    )
    members.write_parquet(folder / "members.parquet")

    found = replayed(folder, predictions(["AAA"]), how=replay_in_place, membership="members.parquet")

    (finding,), (audit,) = found.findings, found.audits
    assert (finding.kind, finding.n, finding.of) == ("survivorship", 1, 2)
    assert (audit.name, audit.findings, audit.has_looked) == ("survivorship", 1, True)


def test_a_universe_that_kept_its_dead_is_clean(folder):
    members = pl.DataFrame({"symbol": ["AAA", "BBB"], "listed_from": [START] * 2, "listed_until": [None, None]})
    members.write_parquet(folder / "members.parquet")

    found = replayed(folder, predictions(["AAA", "BBB"]), how=replay_in_place, membership="members.parquet")

    assert found.findings == ()
    assert found.audits[0].has_looked


def test_a_restated_input_is_found_with_the_feature_that_used_it(folder):
    first = pl.read_parquet(folder / "bars.parquet").with_columns(
        close=pl.when(pl.col("timestamp") == START + 20 * DAY).then(90.0).otherwise("close"),
        available_at="timestamp",
    )
    first.write_parquet(folder / "first.parquet")

    found = replayed(folder, first_prints={"bars": "first.parquet"})

    assert {"bars.close", "mean_5"} <= {finding.feature for finding in found.findings}
    assert {finding.kind for finding in found.findings} == {"restatement"}


def test_labels_that_reach_into_the_test_are_found(folder):
    days = [START + n * DAY for n in range(30)]
    pl.DataFrame({"timestamp": days, "label_end": [day + 5 * DAY for day in days]}).write_parquet(folder / "l.parquet")
    pl.DataFrame({"start": [START + 32 * DAY], "end": [START + 59 * DAY]}).write_parquet(folder / "t.parquet")

    found = replayed(folder, how=replay_in_place, training_labels="l.parquet", test_windows="t.parquet")

    assert [finding.kind for finding in found.findings] == ["purge"]


def test_a_live_feature_that_differs_is_found_and_only_its_period_is_compared(folder):
    bars = pl.read_parquet(folder / "bars.parquet")
    live = bars.select("timestamp", "symbol", pl.col("close").rolling_mean(5).over("symbol").alias("mean_5"))[30:40]
    live.write_parquet(folder / "live.parquet")
    assert replayed(folder, live_features="live.parquet").findings == ()

    live.with_columns(mean_5=pl.col("mean_5") + 0.5).write_parquet(folder / "live.parquet")
    found = replayed(folder, live_features="live.parquet")

    assert [(finding.feature, finding.kind, finding.n) for finding in found.findings] == [("mean_5", "skew", 10)]


@pytest.mark.parametrize(
    ("audits", "said"),
    [
        ({"membership": "nowhere.parquet"}, "nowhere.parquet"),
        ({"live_features": "nowhere.csv"}, "nowhere.csv"),
        ({"first_prints": {"unknown": "bars.parquet"}}, "unknown"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_and_no_pass(audits, said, folder):
    found = replayed(folder, predictions(["AAA"]), how=replay_in_place, **audits)

    assert found.dates_checked == 0
    assert said in found.error


def test_a_membership_without_predictions_is_an_error(folder):
    pl.DataFrame({"symbol": ["AAA"], "listed_from": [START], "listed_until": [None]}).write_parquet(
        folder / "m.parquet"
    )

    assert "predictions" in replayed(folder, how=replay_in_place, membership="m.parquet").error


def test_labels_without_windows_are_refused():
    with pytest.raises(ValueError, match="name both, or neither"):
        PitAudits(training_labels="labels.parquet")


LEAKY = FEATURES.replace('pl.col("close").rolling_mean(5).over("symbol")', 'pl.col("close") - pl.col("close").mean()')
DECLARED = PitDeclaration(compute="audited_features:compute", inputs={"bars": "bars.parquet"})


def test_two_folders_with_one_module_name_are_two_functions(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "audited_features.py").write_text(LEAKY)
    (other / "bars.parquet").write_bytes((folder / "bars.parquet").read_bytes())

    assert replayed(folder).findings == ()
    assert [f.feature for f in replay_features(other, DECLARED, None).findings] == ["close"]
    assert replayed(folder).findings == ()


class TestFullReplay:
    def test_every_version_has_its_report_and_progress_counts_all_dates(self, folder, tmp_path):
        other = tmp_path / "leaky"
        other.mkdir()
        (other / "audited_features.py").write_text(LEAKY)
        (other / "bars.parquet").write_bytes((folder / "bars.parquet").read_bytes())
        seen = []

        found = replay_folders(
            {"clean": (folder, DECLARED), "leaky": (other, DECLARED)},
            FullReplay(dates=30),
            lambda done, total: seen.append((done, total)),
        )

        assert not found["clean"]
        assert [f.kind for f in found["leaky"]] == ["truncation"]
        assert seen[-1] == (60, 60)

    def test_a_second_run_takes_what_the_journal_remembers(self, folder, tmp_path):
        how, seen = FullReplay(dates=30, journal=tmp_path / "replay.journal"), []
        first = replay_folders({"v": (folder, DECLARED)}, how, lambda *_: None)

        again = replay_folders({"v": (folder, DECLARED)}, how, lambda *counts: seen.append(counts))

        assert again == first
        assert seen == [(30, 30)]

    def test_other_inputs_are_refused(self, folder, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        (other / "audited_features.py").write_text(FEATURES)
        pl.read_parquet(folder / "bars.parquet")[:50].write_parquet(other / "bars.parquet")

        with pytest.raises(BadInputError, match="different inputs"):
            replay_folders({"a": (folder, DECLARED), "b": (other, DECLARED)}, FullReplay(dates=9), lambda *_: None)

    def test_a_function_that_breaks_is_bad_input_here(self, folder):
        (folder / "audited_features.py").write_text("def compute(inputs):\n    raise KeyError('close')\n")

        with pytest.raises(BadInputError, match="could not be replayed"):
            replay_folders({"v": (folder, DECLARED)}, FullReplay(dates=9), lambda *_: None)


def test_a_replay_tells_the_code_that_ran_and_every_distribution_with_its_hash(folder):
    told = replayed(folder)
    assert dict(told.code) == {"audited_features.py": FEATURES.encode()}
    known = {one.name: one for one in told.environment.distributions}
    assert len(known["polars"].sha256) == len(known["numpy"].sha256) == 64
    assert known["polars"].version == pl.__version__


def test_code_that_is_installed_elsewhere_is_told_too(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("installed")
    package = elsewhere / "installed_features"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "made.py").write_text(FEATURES)
    declaration = PitDeclaration(compute="installed_features.made:compute", inputs={"bars": "bars.parquet"})
    told = FeatureReplays(Sandbox(packages=(elsewhere,)))(folder, declaration, None)
    assert told.error is None
    assert dict(told.code) == {"installed_features/__init__.py": b"", "installed_features/made.py": FEATURES.encode()}


def test_code_in_place_tells_what_else_it_imported(folder):
    (folder / "beside.py").write_text("WINDOW = 5\n")
    (folder / "audited_features.py").write_text("import beside\n" + FEATURES)
    declaration = PitDeclaration(compute="audited_features:compute", inputs={"bars": "bars.parquet"})
    told = FeatureReplays(Sandbox(isolation=Isolation.TRUSTED))(folder, declaration, None)
    assert told.error is None
    assert set(told.code) == {"audited_features.py", "beside.py"}
    assert len({one.name for one in told.environment.distributions}) > 10


def test_other_code_leaves_another_record(folder):
    before = replayed(folder, how=replay_in_place).code
    (folder / "audited_features.py").write_text(FEATURES + "\n")
    assert replayed(folder).code != before


STRATEGY = """import polars as pl

def decide(inputs):
    ret = pl.col("close").pct_change().over("symbol")
    made = inputs["bars"].sort("timestamp").with_columns(signal=ret{shift}.sign())
    return made.select("timestamp", "symbol", "signal", trade=pl.col("signal").diff())
"""
REMEMBERED = """import polars as pl

KEPT = [(n * 37 % 11) / 100 for n in range(10_000)]

def compute(inputs):
    bars = inputs["bars"]
    return bars.select("timestamp", "symbol", kept=pl.Series(KEPT[: bars.height]))
"""


def decided(folder, shift):
    (folder / "audited_strategy.py").write_text(STRATEGY.format(shift=shift))
    declaration = PitDeclaration(
        compute="audited_features:compute",
        strategy="audited_strategy:decide",
        inputs={"bars": "bars.parquet"},
        sample_dates=12,
    )
    return replay_features(folder, declaration, None)


def test_what_a_strategy_decides_is_replayed_in_a_child_of_its_own(folder):
    found = decided(folder, "")
    assert found.error is None
    assert found.findings == ()
    assert [(audit.name, audit.features_checked) for audit in found.audits] == [("strategy replay", 2)]
    assert {"audited_features.py", "audited_strategy.py"} <= set(found.code)

    ahead = decided(folder, ".shift(-1).over('symbol')")
    assert {(one.feature, one.kind) for one in ahead.findings} == {
        ("strategy: signal", "truncation"),
        ("strategy: trade", "truncation"),
    }


def test_a_feature_that_its_module_keeps_is_found_in_the_child(folder):
    (folder / "audited_features.py").write_text(REMEMBERED)
    found = replayed(folder)
    assert [(one.feature, one.kind) for one in found.findings] == [("kept", "unmoved")]


def test_a_missing_input_is_named_with_its_key_and_nothing_claims_to_have_run(tmp_path):
    declared = PitDeclaration(
        compute="features:compute", inputs={"prices": "inputs/prices.parquet"}, code_review_by="G"
    )
    found = FeatureReplays(Sandbox())(tmp_path, declared, None)
    assert "validation.pit.inputs.prices" in found.error
    assert found.error.startswith("inputs/prices.parquet: expected")
    assert found.protection is None
