"""One request to a room, over a connection of its own, with a short timeout and no proxy."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from constraintlab.room.kept import Place

TIMEOUT = 3.0


@dataclass(frozen=True)
class Reply:
    """status 0: nothing that speaks a room's language answered. wait: seconds asked for by 429."""

    status: int
    body: dict
    wait: float = 0.0

    @property
    def why(self) -> str:
        return str(self.body.get("error", f"HTTP status {self.status}"))


def post(place: Place, path: str, body: dict) -> Reply:
    """The room's reply; raises nothing for a room that can't be reached."""
    link = http.client.HTTPConnection(place.host, place.port, timeout=TIMEOUT)
    try:
        link.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        found = link.getresponse()
        told = json.loads(found.read(1 << 20))
        if not isinstance(told, dict):
            raise ValueError("no object")
        wait = found.headers.get("retry-after", "")
        return Reply(found.status, told, float(wait) if wait.isdigit() else 0.0)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Reply(0, {"error": str(error) or type(error).__name__})
    finally:
        link.close()
