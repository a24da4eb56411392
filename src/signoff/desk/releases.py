"""The releases of a model as a server tells them, and the pin of each version: what a desk loads.

The parts of an HTTP client are imported once a server is asked.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from signoff.domain.artifacts import Pin, pin_of
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, UnavailableError

SILENCE_S: Final = 10.0
MOST_PAGE: Final = 64 << 20
MOST_PAGES: Final = 1000
ENDED: Final = ("superseded", "rolled_back", "rejected")


def told(urls: Sequence[str], token: str, model: str) -> list[Mapping[str, Any]]:
    """The releases of a model, from the first of these servers that answers."""
    import http.client  # noqa: PLC0415 - see above

    problems = []
    for url in urls:
        try:
            return list(_pages(url, token, model))
        except (OSError, http.client.HTTPException, ValueError) as error:
            problems.append(f"{url}: {str(error) or type(error).__name__}")
    raise UnavailableError(
        f"Expected the releases of {model} from a server, found none that answers: {'; '.join(problems)}. The desk "
        "starts once one of them does."
    )


def pinned(releases: Sequence[Mapping[str, Any]], model: str, version: str) -> tuple[str, Pin]:
    """The release of this version and the pin of its files. Of several, the one that has not ended, else the last."""
    mine = [one for one in releases if one.get("model", model) == model and one.get("version") == version]
    if not mine:
        raise NotFoundError(
            f"Expected a release of {model} v{version} on record, found {_named(releases)}. Name the version that was "
            "approved."
        )
    standing = [one for one in mine if one.get("state") not in ENDED]
    release = (standing or mine)[-1]
    artifacts = release.get("artifacts")
    if not isinstance(artifacts, Mapping) or not artifacts.get("bound", True):
        why = artifacts.get("words", "no artefacts") if isinstance(artifacts, Mapping) else "no artefacts"
        raise RefusedError(
            f"{model} v{version} cannot be loaded: {why}. A desk loads bound versions alone, since only these have "
            "approved digests. Register it with signoff.registry.register and release it."
        )
    return str(release.get("deployment", "")), pin_of(artifacts)


def _named(releases: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"v{one.get('version')} ({one.get('state')})" for one in releases[:8]) or "none"


def _pages(url: str, token: str, model: str) -> Iterator[Mapping[str, Any]]:
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = _page(url, token, {"model": model, **({} if after is None else {"after": after})})
        listed = page.get("deployments")
        if not isinstance(listed, list):
            raise ValueError("an answer without releases: is it the address of the server?")  # noqa: TRY004 - of a peer
        yield from listed
        after = page.get("next")
        if after is None:
            return


def _page(url: str, token: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
    import http.client  # noqa: PLC0415 - see above

    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(kind(parts.netloc, timeout=SILENCE_S)) as connection:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        connection.request("GET", f"{parts.path.rstrip('/')}/api/v1/deployments?{urlencode(asked)}", headers=headers)
        answer = connection.getresponse()
        content = answer.read(MOST_PAGE)
        if answer.status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
            raise RefusedError(
                f"Expected a token that may read releases at {url}, found one that is refused ({answer.status}). Issue "
                "one with the permission `read`."
            )
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"the server answered {answer.status}")
    document = json.loads(content)
    if not isinstance(document, dict):
        raise BadInputError(f"Expected an object from {url}, found {type(document).__name__}.")
    return document
