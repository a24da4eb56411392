from xml.etree import ElementTree as ET

import pytest

from momentum import checks


@pytest.fixture(autouse=True)
def fresh(small):
    for remembered in (checks.recent, checks.recent_panel):
        remembered.cache_clear()
    yield
    for remembered in (checks.recent, checks.recent_panel):
        remembered.cache_clear()


def test_every_suite_passes_and_its_report_says_how_many(tmp_path):
    counted = checks.run(tmp_path)
    assert set(counted) == {"unit", "integration", "pit", "performance"}
    for name, (passed, total) in counted.items():
        assert passed == total > 0
        suite = ET.parse(tmp_path / f"{name}.xml").getroot()
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == (str(total), "0", "0")
        assert len(suite.findall("testcase")) == total


def test_a_failure_is_reported_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(
        checks.Unit, "test_long_short_weights_are_dollar_neutral", lambda self: self.fail("not neutral")
    )
    passed, total = checks.run(tmp_path)["unit"]
    assert passed == total - 1
    failed = ET.parse(tmp_path / "unit.xml").getroot().findall("testcase/failure")
    assert [failure.get("message") for failure in failed] == ["AssertionError: not neutral"]
