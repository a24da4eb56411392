"""A venue is one file of another package: it is chosen by name, passes the contract suite, and is stopped by a kill."""

import json
import os
import subprocess
import sys

import pytest
import toy_package

from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder, OpenPosition

ORDER = OpenOrder(client_order_id="momentum:1", symbol="A", side="buy", quantity=1.0)
POINTS = {
    "toy": ("venues", "toy"),
    "mute": ("venues", "mute"),
    "played": ("venues", "played"),
    "leaving": ("venues", "leaving"),
}
GONE = {"gone": ("venues", "nothing_of_this_name")}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return toy_package.installed(tmp_path_factory.mktemp("site"), "toy_venue", **POINTS, **GONE)


@pytest.fixture
def found(package, monkeypatch):
    toy_package.on_path(monkeypatch, package, "toy_venue")


@pytest.fixture
def book(found, tmp_path):
    import toy_venue

    return toy_venue.Book(tmp_path / "home" / "venues" / "toy")


def house(tmp_path, name):
    return Installation(settings(home=str(tmp_path / "home"), actor="t", venue=name))


def suite(site):
    """How the contract suite of venues ends where this package is installed."""
    names = ("-k", "toy or played", "-rs", "-p", "no:cacheprovider")
    line = [sys.executable, "-m", "pytest", "-q", "--pyargs", "signoff.contracts.test_venues", *names]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=site)
    return ran.returncode, ran.stdout + ran.stderr


def test_the_contract_suite_tries_it_and_says_that_nothing_was_tried_without_a_rig(tmp_path):
    code, said = suite(toy_package.installed(tmp_path / "site", "toy_venue", **POINTS))
    assert code == 0, said
    assert "9 passed, 9 skipped" in said
    assert "the package of the venue played brings no rig: nothing of it was tried" in said


def test_the_contract_suite_fails_where_a_venue_cannot_be_loaded(package):
    code, said = suite(package)
    assert code != 0
    assert "nothing_of_this_name" in said


def test_a_kill_stops_its_orders_and_says_what_it_holds(book, tmp_path, capsys):
    book.place(ORDER, FlagsRevision(1))
    book.hold(OpenPosition(scope="momentum:", symbol="A", quantity=3.0))
    line = ["kill", "momentum", "--reason", "smoke", "--home", str(tmp_path / "home"), "--venue", "toy", "--json"]
    assert main(line) == 1  # not flat: a position is open
    said = json.loads(capsys.readouterr().out)
    assert book.open_orders("momentum:") == ()
    assert "simulated" not in json.dumps(said)
    assert "1 position" in json.dumps(said)


def test_a_venue_that_ends_the_process_at_a_fence_keeps_nothing_from_being_cancelled_and_recorded(
    found, tmp_path, capsys
):
    import toy_venue

    book = toy_venue.Book(tmp_path / "home" / "venues" / "leaving")
    book.place(ORDER, FlagsRevision(1))
    line = ["kill", "momentum", "--reason", "smoke", "--home", str(tmp_path / "home"), "--venue", "leaving", "--json"]
    assert main(line) == 1  # no release has this name
    said = json.loads(capsys.readouterr().out)
    assert (said["recorded"], said["open_orders"], book.open_orders("momentum:")) == (True, 0, ())


ENDINGS = ("interrupts", "exits", "interrupting", "exiting")


@pytest.mark.parametrize("name", ENDINGS)
def test_a_venue_that_interrupts_or_ends_the_process_takes_no_word_from_a_kill(name, tmp_path):
    site = toy_package.installed(tmp_path / "site", "toy_venue", **{name: ("venues", name) for name in ENDINGS})
    line = [sys.executable, "-m", "signoff", "kill", "momentum", "--reason", "smoke", "--home", str(tmp_path / "home")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    ran = subprocess.run(
        [*line, "--venue", name], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 1, ran.stderr
    assert "momentum is killed" in ran.stdout
    assert "Nothing was recorded" not in ran.stdout + ran.stderr


def test_its_options_are_the_settings_with_its_prefix(found, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_VENUE_BROKEN", "no line to the exchange")
    with pytest.raises(UnavailableError, match="no line to the exchange"):
        house(tmp_path, "toy").broker.open_orders("momentum:")


def test_a_venue_that_fails_leaves_orders_unknown_and_keeps_no_kill_from_turning_the_flags_off(
    found, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SIGNOFF_VENUE_BROKEN", "no line to the exchange")
    line = ["kill", "momentum", "--reason", "smoke", "--home", str(tmp_path / "home"), "--venue", "toy", "--json"]
    assert main(line) == 1
    said = json.loads(capsys.readouterr().out)
    assert set(said["flags"].values()) == {False}
    assert (said["flat"], said["left"][:37]) == (False, "open orders and positions are unknown")


@pytest.mark.parametrize("question", ["open_orders", "cancel"])
def test_an_answer_of_another_kind_is_unknown_never_none(found, tmp_path, question):
    venue = house(tmp_path, "mute").broker
    ask = {"open_orders": lambda: venue.open_orders("m:"), "cancel": lambda: venue.cancel("m:", FlagsRevision(1))}
    with pytest.raises(UnavailableError, match="What it did is unknown"):
        ask[question]()


def test_a_package_says_whether_its_venue_is_simulated(found, tmp_path):
    assert house(tmp_path, "toy").broker.kind is VenueKind.CONNECTED
    assert house(tmp_path, "played").broker.kind is VenueKind.SIMULATED


def test_a_venue_that_cannot_be_loaded_is_named_with_its_package_and_cause(found, tmp_path):
    with pytest.raises(UnavailableError, match=r"'gone' \(SIGNOFF_VENUE\) of toy_venue 1.0: .*AttributeError"):
        house(tmp_path, "gone").broker.open_orders("m:")


def test_a_name_that_no_package_brings_is_refused_with_those_that_are_there(found, tmp_path):
    with pytest.raises(BadInputError, match="simulated or gone or leaving or mute or played or toy, found 'ibkr'"):
        house(tmp_path, "ibkr")


def test_a_name_that_two_packages_bring_is_refused(found, package, tmp_path, monkeypatch):
    twin = tmp_path / "twin"
    toy_package.installed(twin, "toy_parts", toy=("venues", "wall"))
    toy_package.on_path(monkeypatch, twin, "toy_parts")
    with pytest.raises(BadInputError, match="Expected one package to provide 'toy'"):
        house(tmp_path, "toy")
