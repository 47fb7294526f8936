"""What interceptors pass on beside arguments: payloads by name, public for them and stored in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actorflow.api.common import v1 as public
from actorflow.converter.json_values import PAYLOAD_BYTES_MAX
from actorflow.converter.payload import Payload, public_payload, stored_payload
from actorflow.exceptions import PayloadTooLargeError

Headers = Mapping[str, public.Payload]
"""As interceptors see them."""

NO_HEADERS: Final[dict[str, Payload]] = {}
"""Said by whoever has asked the interceptors, if they pass nothing on; None says that nobody was asked."""


def stored_headers(headers: Mapping[str, Any] | None) -> dict[str, Payload] | None:
    """Headers as they are journaled; None for none.

    Raises:
        TypeError: they are no mapping of texts to `actorflow.api.common.v1.Payload`.
        PayloadTooLargeError: together they take more bytes than one payload may.
    """
    if not headers:
        return None
    for name, payload in headers.items():
        if not isinstance(name, str) or not isinstance(payload, public.Payload):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"header {name!r} must be a payload under a text, not {type(payload).__name__}; "
                "make one with PayloadConverter.to_payload"
            )
    size = sum(len(name.encode()) + len(payload.data) for name, payload in headers.items())
    if size > PAYLOAD_BYTES_MAX:
        raise PayloadTooLargeError(f"headers {', '.join(headers)}", size=size, limit=PAYLOAD_BYTES_MAX)
    return {name: stored_payload(payload) for name, payload in headers.items()}


def public_headers(headers: Mapping[str, Payload] | None) -> dict[str, public.Payload]:
    """Journaled headers as interceptors see them."""
    return {name: public_payload(payload) for name, payload in (headers or {}).items()}
