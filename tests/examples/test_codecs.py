"""The codecs of the example, and the story it plays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from actorflow.api.common.v1 import Payload
from actorflow.converter import WorkflowSerializationContext
from examples.codecs.__main__ import play
from examples.codecs.compression import Chain, CompressionCodec, TooLargeError
from examples.codecs.encryption import ENCODING, EncryptionCodec, WrongKeyError
from examples.codecs.keys import KeyFile, MissingKeyError

SECRET = Payload(metadata={"encoding": b"json/plain"}, data=b'"secret"')
LONG = Payload(metadata={"encoding": b"json/plain"}, data=b"a" * 5000)
ADA = WorkflowSerializationContext("default", "ada")


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    ring = KeyFile(tmp_path / "keys")
    ring.rotate("one")
    return ring


async def test_a_payload_comes_back_and_shows_nothing(keys: KeyFile) -> None:
    codec = EncryptionCodec(keys).with_context(ADA)
    (encrypted,) = await codec.encode([SECRET])
    assert b"secret" not in encrypted.SerializeToString()
    assert encrypted.metadata == {"encoding": ENCODING, "encryption-key-id": b"one"}
    assert await codec.decode([encrypted]) == [SECRET]
    assert (await codec.encode([SECRET])) != [encrypted]


async def test_after_a_rotation_both_keys_are_read_and_the_new_one_is_used(keys: KeyFile) -> None:
    codec = EncryptionCodec(keys).with_context(ADA)
    (old,) = await codec.encode([SECRET])
    keys.rotate("two")
    (new,) = await codec.encode([SECRET])
    assert new.metadata["encryption-key-id"] == b"two"
    assert await EncryptionCodec(KeyFile(keys.path)).with_context(ADA).decode([old, new]) == [SECRET, SECRET]


@pytest.mark.parametrize(
    "elsewhere", [WorkflowSerializationContext("default", "bob"), WorkflowSerializationContext("defaultada", "")]
)
async def test_a_ciphertext_is_good_for_its_own_workflow_only(
    keys: KeyFile, elsewhere: WorkflowSerializationContext
) -> None:
    encrypted = await EncryptionCodec(keys).with_context(ADA).encode([SECRET])
    with pytest.raises(WrongKeyError):
        await EncryptionCodec(keys).with_context(elsewhere).decode(encrypted)


@pytest.mark.parametrize("place", [0, 12, -1])
async def test_a_ciphertext_that_was_changed_is_refused(keys: KeyFile, place: int) -> None:
    codec = EncryptionCodec(keys).with_context(ADA)
    (encrypted,) = await codec.encode([SECRET])
    changed = bytearray(encrypted.data)
    changed[place] ^= 1
    encrypted.data = bytes(changed)
    with pytest.raises(WrongKeyError):
        await codec.decode([encrypted])


async def test_a_ciphertext_that_was_cut_off_is_refused(keys: KeyFile) -> None:
    codec = EncryptionCodec(keys)
    with pytest.raises(WrongKeyError):
        await codec.decode([Payload(metadata={"encoding": ENCODING, "encryption-key-id": b"one"}, data=b"short")])


async def test_a_key_that_is_missing_is_named_and_read_again_once_it_is_back(keys: KeyFile) -> None:
    encrypted = await EncryptionCodec(keys).encode([SECRET])
    key = keys.remove("one")
    codec = EncryptionCodec(KeyFile(keys.path))
    keys.rotate("two")
    with pytest.raises(MissingKeyError, match="the key 'one' is not in"):
        await codec.decode(encrypted)
    keys.put_back("one", key)
    assert await codec.decode(encrypted) == [SECRET]


async def test_what_was_not_encrypted_is_left_as_it_is(keys: KeyFile) -> None:
    assert await EncryptionCodec(keys).decode([SECRET]) == [SECRET]


def test_keys_are_readable_for_their_owner_only(keys: KeyFile) -> None:
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


async def test_only_what_becomes_smaller_is_compressed() -> None:
    codec = CompressionCodec()
    noise = Payload(data=os.urandom(5000))
    encoded = await codec.encode([LONG, SECRET, noise])
    assert encoded[1:] == [SECRET, noise]
    assert len(encoded[0].data) < 200
    assert await codec.decode(encoded) == [LONG, SECRET, noise]


async def test_a_compressed_payload_can_not_fill_the_memory() -> None:
    (bomb,) = await CompressionCodec().encode([Payload(data=bytes(20_000_000))])
    with pytest.raises(TooLargeError, match="cut off, or larger than"):
        await CompressionCodec().decode([bomb])


async def test_codecs_behind_each_other_are_undone_in_reverse(keys: KeyFile) -> None:
    codec = Chain(CompressionCodec(), EncryptionCodec(keys)).with_context(ADA)
    encoded = await codec.encode([LONG, SECRET])
    assert [payload.metadata["encoding"] for payload in encoded] == [ENCODING, ENCODING]
    assert len(encoded[0].data) < 200
    assert await codec.decode(encoded) == [LONG, SECRET]


async def test_the_story_ends_well_and_leaves_nothing_to_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await play(tmp_path / "payroll.db", KeyFile(tmp_path / "payroll.keys")) == 0
    told = capsys.readouterr().out
    assert "finds 9100.50: False" in told
    assert "payment to Grace, confirmed by Howard" in told
    assert "parked" not in told
    assert "without the key of january: codec: the codec Chain can't decode" in told
    assert "payment to Ada, confirmed by Charles" in told
