"""One family of errors. Each has a code (the same on HTTP, on the socket and in the log), an HTTP status,
and a sentence that is safe to show to whoever asked.
"""

from typing import Any


class StillhereError(Exception):
    """Base of all refusals. `detail` is shown to the caller; it never holds secrets or other people's data."""

    code: str = "internal"
    status: int = 500
    title: str = "Something went wrong on our side"
    retry: bool = False
    """Whether sending the very same thing again may succeed."""

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra
        """Further members of a nack or a problem document, such as `need` or `after_ms`."""


class Invalid(StillhereError):
    code, status, title = "invalid", 422, "The request is not valid"


class TooBig(StillhereError):
    code, status, title = "too_big", 413, "The content is too big"


class RateLimited(StillhereError):
    code, status, title, retry = "rate", 429, "Too many requests", True


class Busy(StillhereError):
    """The store cannot be reached or will not take more; nothing was changed."""

    code, status, title, retry = "busy", 503, "The service is busy", True


class PreviousMissing(StillhereError):
    """The message composed before this one (`need`) is not in the log yet."""

    code, status, title, retry = "prev_missing", 409, "An earlier message is missing", True


class IdConflict(StillhereError):
    code, status, title = "id_conflict", 409, "This id stands for other content"


class Closed(StillhereError):
    code, status, title = "closed", 409, "The chat is closed"


class Forbidden(StillhereError):
    code, status, title = "forbidden", 403, "This is not allowed"


class Erased(StillhereError):
    code, status, title = "erased", 410, "The chat was erased"


class Conflict(StillhereError):
    """Somebody else was first; `state` in the answer tells how things are now."""

    code, status, title = "conflict", 409, "The chat has changed meanwhile"


class NotFound(StillhereError):
    """Absent and forbidden look alike."""

    code, status, title = "not_found", 404, "There is no such thing"


class Unauthorized(StillhereError):
    code, status, title = "unauthorized", 401, "Please prove who you are"


class Revoked(Unauthorized):
    """The device's access was ended on purpose."""
