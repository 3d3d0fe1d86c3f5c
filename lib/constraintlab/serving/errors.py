"""Errors in the shape that OpenAI's clients know: {"error": {message, type, param, code}}."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error",
    405: "invalid_request_error", 408: "timeout_error", 413: "invalid_request_error",
    429: "rate_limit_error", 431: "invalid_request_error", 503: "service_unavailable",
}  # fmt: skip


class ApiError(Exception):
    """An answer that is an error. param: the field of the body that is wrong; code: for programs;
    retry: seconds after which to try again."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry = retry

    @property
    def headers(self) -> Mapping[str, str]:
        """Beside the body."""
        if self.status == 401:
            return {"www-authenticate": "Bearer"}
        if self.status in (408, 413):
            # What is still to come of the request is not worth reading.
            return {"connection": "close"}
        return {} if self.retry is None else {"retry-after": str(max(1, math.ceil(self.retry)))}

    @property
    def body(self) -> bytes:
        """JSON."""
        return error_body(self.message, kind(self.status), self.param, self.code or self.status)


def kind(status: int) -> str:
    """OpenAI's name for a status."""
    return TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def error_body(
    message: str, type_: str, param: str | None = None, code: str | int | None = None
) -> bytes:
    """The JSON of an error, for a body or an event."""
    error = {"message": message, "type": type_, "param": param, "code": code}
    return json.dumps({"error": error}).encode()


def no_model(name: str, ours: str) -> ApiError:
    """Of a model that isn't served here."""
    why = f"there is no model {name!r} here, only {ours!r}"
    return ApiError(404, why, param="model", code="model_not_found")
