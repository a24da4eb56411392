"""Many kills at once, each in force at once, whatever those before it wait for."""

import asyncio
from threading import Event
from types import SimpleNamespace

from signoff.app.kill import Begun
from signoff.http.stopping import stop


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
