"""Runs the application: open files for a thousand desks, logs as JSON lines, and a stop that ends streams."""

import asyncio
import gc
import logging
import resource
import socket
from types import FrameType

import uvicorn

from signoff.adapters import child_processes
from signoff.adapters.sandbox.child import detected
from signoff.config.logs import about, log_lines
from signoff.domain.errors import SignoffError
from signoff.domain.isolation import Isolation
from signoff.http.app import create_app
from signoff.http.connections import connections_of
from signoff.http.crowd import Crowd
from signoff.installation import Installation

log = logging.getLogger("signoff.http")
GRACE_S = 5
BACKLOG = 4096
TICKS_PER_S = 10
SWEEP_TICKS = 5
COLLECT_S = 600
NEVER = 1_000_000


class Server(uvicorn.Server):
    """Uvicorn, which otherwise waits for streams that never end by themselves.

    With a thousand streams, a full garbage collection takes as long as pushing a kill, and the push itself would
    trigger it. So a full collection runs only every ten minutes, and skips objects that existed at the start.
    """

    def __init__(self, config: uvicorn.Config, crowd: Crowd) -> None:
        super().__init__(config)
        self._crowd = crowd

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, and schedule the garbage collector."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn's tick, ten times a second."""
        if counter % SWEEP_TICKS == 0:
            self._crowd.sweep(asyncio.get_running_loop().time())
        if counter % (TICKS_PER_S * COLLECT_S) == 0:
            gc.collect()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams and the assessments under way, then stop as uvicorn does."""
        child_processes.end_all()
        if (hub := getattr(self.config.app.state, "hub", None)) is not None:  # type: ignore[union-attr]  # our own app
            hub.end_streams()
        super().handle_exit(sig, frame)


def serve(house: Installation, host: str, port: int) -> None:
    """Answer until stopped by a signal."""
    log_lines()
    crowd = Crowd(house.settings.peers, proxies=house.settings.trusted_proxies, most_open=_open_files())
    config = uvicorn.Config(
        create_app(house),
        host=host,
        port=port,
        http=connections_of(crowd),
        # Refuse protocol upgrades: they would escape these limits, and nothing here uses one.
        ws="none",
        log_config=None,
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
        # Trust forwarded addresses only from named proxies; uvicorn by default trusts this host.
        proxy_headers=bool(house.settings.trusted_proxies),
        forwarded_allow_ips=list(house.settings.trusted_proxies),
    )
    _tell_protection(house)
    log.info("serving", extra=about(address=f"http://{host}:{port}", home=str(house.settings.home)))
    Server(config, crowd).run()


def _tell_protection(house: Installation) -> None:
    """Log once how submitted code is isolated, or that it is not run."""
    try:
        protection = detected(house.sandbox)
    except (SignoffError, OSError) as error:
        log.warning("foreign code is not run: what it could reach is unknown", extra=about(because=str(error)))
        return
    is_run = protection.is_full or house.sandbox.isolation is Isolation.WEAK
    level = logging.INFO if protection.is_full else logging.WARNING
    log.log(level, "foreign code", extra=about(runs=f"{'' if is_run else 'not at all; it would '}{protection.words}"))


def _open_files() -> int:
    """Raise the limit of open files to the machine's maximum; each desk uses one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
