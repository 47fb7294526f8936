"""Values to payloads and back, by type hints; exceptions to failures and back. Names follow the Temporal Python SDK."""

from actorflow.converter.carriers import payloads_of, with_payloads
from actorflow.converter.codec import (
    Coder,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)
from actorflow.converter.data_converter import DataConverter, default
from actorflow.converter.encodings import (
    AdvancedJSONEncoder,
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from actorflow.converter.failure import ActivityRef, ChildRef, Failure, text_of
from actorflow.converter.failure_converter import (
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    FailureConverter,
)
from actorflow.converter.failure_size import FAILURE_BYTES_MAX, fitting
from actorflow.converter.headers import NO_HEADERS, Headers, public_headers, stored_headers
from actorflow.converter.json_values import PAYLOAD_BYTES_MAX
from actorflow.converter.payload import Payload, public_payload, stored_payload
from actorflow.converter.payload_converter import (
    CompositePayloadConverter,
    EncodingPayloadConverter,
    PayloadConverter,
)
from actorflow.converter.protobuf import BinaryProtoPayloadConverter, JSONProtoPayloadConverter
from actorflow.converter.typed import JSONTypeConverter, JSONTypeConverterUnhandled, value_to_type
from actorflow.converter.values import ValueConverter

__all__ = [
    "FAILURE_BYTES_MAX",
    "NO_HEADERS",
    "PAYLOAD_BYTES_MAX",
    "ActivityRef",
    "AdvancedJSONEncoder",
    "BinaryNullPayloadConverter",
    "BinaryPlainPayloadConverter",
    "BinaryProtoPayloadConverter",
    "ChildRef",
    "Coder",
    "CompositePayloadConverter",
    "DataConverter",
    "DefaultFailureConverter",
    "DefaultFailureConverterWithEncodedAttributes",
    "DefaultPayloadConverter",
    "EncodingPayloadConverter",
    "Failure",
    "FailureConverter",
    "Headers",
    "JSONPlainPayloadConverter",
    "JSONProtoPayloadConverter",
    "JSONTypeConverter",
    "JSONTypeConverterUnhandled",
    "Payload",
    "PayloadCodec",
    "PayloadConverter",
    "SerializationContext",
    "ValueConverter",
    "WithSerializationContext",
    "WorkflowSerializationContext",
    "default",
    "fitting",
    "payloads_of",
    "public_headers",
    "public_payload",
    "stored_headers",
    "stored_payload",
    "text_of",
    "value_to_type",
    "with_payloads",
]
