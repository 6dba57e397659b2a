"""In which form an endpoint is asked for structured replies: what it honours, found out once, and believed as long as it holds."""

from __future__ import annotations

import json
import logging
from typing import Literal

from qagen.teacher.dialect import SIMPLER, Mode, json_object
from qagen.teacher.ledger import Reply, Request

logger = logging.getLogger(__name__)

_WITHOUT_IN_A_ROW = 8  # whole replies that are no JSON, after which an endpoint is not believed to hold them to a schema


class Forms:
    """What one endpoint and model honour. A lab that names a form (`wanted`) gets that form, whatever comes of it."""

    def __init__(self, wanted: Literal["auto", "schema", "json", "text"]) -> None:
        self._auto = wanted == "auto"
        self.known: Mode | None = None if wanted == "auto" else wanted
        self._simpler: dict[str, Mode] = {}
        self._without = 0

    def of(self, request: Request) -> Mode:
        """The form for a request."""
        if request.schema is None or not self.known:
            return "text"
        return self._simpler.get(_name(request), self.known) if self._simpler else self.known

    def step_down(self, request: Request, refused: Mode) -> bool:
        """Go on in a simpler form with the schema of a request that was refused in this one; False if there is none."""
        if not self._auto or request.schema is None:
            return False
        if self.of(request) == refused:
            if refused not in SIMPLER:
                return False
            self._simpler[_name(request)] = SIMPLER[refused]
            logger.info("a schema is refused as %s and asked for as %s from now on", refused, SIMPLER[refused])
        return True

    def saw(self, request: Request, mode: Mode, reply: Reply) -> None:
        """Look at a reply: an endpoint that holds replies to a schema says nothing but JSON, unless it is cut off."""
        if not self._auto or request.schema is None or mode != "schema" or reply.finish_reason != "stop":
            return
        self._without = 0 if json_object(reply.content) is not None else self._without + 1
        if self._without >= _WITHOUT_IN_A_ROW and self.known == "schema":
            self.known = "text"
            logger.warning("the teacher takes a schema and does not follow it: it is asked for JSON in words from now on")


def _name(request: Request) -> str:
    return json.dumps(request.schema, sort_keys=True, default=dict)
