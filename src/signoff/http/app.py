"""The server as one ASGI application over one installation."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from signoff import __version__
from signoff.domain.errors import UnavailableError
from signoff.http import (
    flags,
    health,
    home,
    kill,
    releases,
    route_permissions,
    sessions,
    sign_in,
    streaming,
    webauthn,
)
from signoff.http.description import describe
from signoff.http.middleware import Edges
from signoff.http.problems import answer_problems
from signoff.http.routes import catalogued, router_of
from signoff.installation import Installation
from signoff.verbs.catalogue import CATALOGUE, Row


def create_app(house: Installation, rows: Iterable[Row] = CATALOGUE) -> FastAPI:
    """The application with every route; the flag cache is read when the server starts."""

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        hub = streaming.Hub(house.board, lambda: house.accounts.known.now()[0])
        app.state.hub = hub
        await hub.open()
        with suppress(UnavailableError):
            await run_in_threadpool(house.accounts.known.now)  # fill the cache of accounts before any outage
        try:
            yield
        finally:
            await hub.close()

    app = FastAPI(
        title="Signoff",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=living,
    )
    app.state.house = house
    app.state.seen = sessions.RecentSessions()
    app.state.trial = health.trial_of(house)
    app.state.undelivered = health.undelivered_of(house)
    app.state.ordered = kill.Ordered()
    answer_problems(app)
    # Routes match in this order: kills and flags come first.
    for part in (kill, flags, streaming, releases):
        app.include_router(part.router)
    app.include_router(catalogued() if rows is CATALOGUE else router_of(rows))
    for part in (health, route_permissions, sign_in, webauthn, home):
        app.include_router(part.router)
    app.include_router(webauthn.pages)
    describe(app, house)
    app.add_middleware(Edges)
    return app
