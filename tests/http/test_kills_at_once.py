"""Many kills at once, each in force at once, whatever those before it wait for."""

import asyncio
from inspect import iscoroutinefunction
from threading import Event
from types import SimpleNamespace

from signoff.app.kill import Begun
from signoff.config.settings import settings
from signoff.domain.permissions import Permission
from signoff.http.access import verb_of
from signoff.http.app import create_app
from signoff.http.description import routes_of
from signoff.http.kill import stop
from signoff.installation import Installation


def test_kills_whose_orders_hang_keep_no_later_kill_from_being_in_force():
    hang, in_force = Event(), []

    def begin(model, *, reason, actor):
        return Begun(kill=SimpleNamespace(model=model, reason=reason, actor=actor), is_journaled=True)

    def finish(_begun):
        hang.wait(20)
        raise TimeoutError

    board = SimpleNamespace(flags=lambda _: None, kill=lambda kill: in_force.append(kill.model) or (kill.model,))
    hub = SimpleNamespace(board=board, publish=lambda _: None)
    house = SimpleNamespace(kill_switch=SimpleNamespace(begin=begin, finish=finish))

    async def ordered():
        asked = [asyncio.create_task(stop(house, hub, f"m-{n}", reason="r", actor="Rae")) for n in range(20)]
        await asyncio.sleep(0.5)
        told = len(in_force)
        hang.set()
        await asyncio.gather(*asked, return_exceptions=True)
        return told

    assert asyncio.run(ordered()) == 20


def depended_on(route):
    """The route's own function, and every dependency below it."""
    waiting = [route.dependant]
    while waiting:
        dependant = waiting.pop()
        yield dependant.call
        waiting += dependant.dependencies


def is_coroutine(call):
    return iscoroutinefunction(call) or iscoroutinefunction(type(call).__call__)


def is_way_out(route):
    return verb_of(route) in {Permission.KILL, Permission.ROLLBACK, Permission.ATTEST_FLAT} or route.path.startswith(
        ("/ofrep/", "/api/v1/stream")
    )


def test_nothing_that_stops_or_tells_waits_for_a_thread_that_other_requests_hold(tmp_path):
    app = create_app(Installation(settings(home=str(tmp_path))))
    ways_out = [route for route in routes_of(app.routes) if is_way_out(route)]
    assert len(ways_out) == 10
    waits = {(route.path, call) for route in ways_out for call in depended_on(route) if not is_coroutine(call)}
    assert waits == set()
