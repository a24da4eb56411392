"""The differences between the registry and the record, as the last pass of a worker left them on the shelf."""

import json
from datetime import datetime
from typing import Final

from signoff.ports.ttl_store import TtlStore

KIND: Final = "registry"
NAME: Final = "findings"


def standing(shelf: TtlStore, now: datetime) -> dict[str, tuple[str, ...]]:
    """The last findings, by model; empty if no worker compared for a day."""
    content = shelf.get(KIND, NAME, now)
    return {} if content is None else {model: tuple(texts) for model, texts in json.loads(content).items()}
