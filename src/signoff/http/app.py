"""The server as one ASGI application over one installation."""

from fastapi import FastAPI

from signoff import __version__
from signoff.http.problems import answer_problems
from signoff.wiring import House


def create_app(house: House) -> FastAPI:
    """Every route over this installation. Nothing is opened before the first request or `lifespan` needs it."""
    app = FastAPI(
        title="Signoff",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.house = house
    answer_problems(app)
    return app
