"""Values to payloads and back, by type hints."""

from actorflow.converter.failure import ActivityRef, ChildRef, Failure, text_of
from actorflow.converter.payload import Payload
from actorflow.converter.values import PAYLOAD_BYTES_MAX, DataConverter, PayloadConverter, default

__all__ = [
    "PAYLOAD_BYTES_MAX",
    "ActivityRef",
    "ChildRef",
    "DataConverter",
    "Failure",
    "Payload",
    "PayloadConverter",
    "default",
    "text_of",
]
