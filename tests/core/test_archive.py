"""Model files: bit for bit there and back, and nothing else gets in."""

from __future__ import annotations

import builtins
import hashlib
import io
import os
import pickle
import pickletools
import struct
from functools import cache
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from detector.core import archive
from detector.core.model import DynamicAnomalyDetector
from detector.errors import ModelFileError
from tests import tables


@cache
def model_file() -> bytes:
    return DynamicAnomalyDetector(n_estimators=3).fit(tables.payments(60)).to_bytes()


def wrapped(payload: bytes, **changed: Any) -> bytes:
    """Return an envelope around ``payload`` that is right in all but what is changed."""
    envelope = {
        "format": archive.FORMAT, "version": archive.FORMAT_VERSION,
        "sha256": hashlib.sha256(payload).hexdigest(), "payload": payload,
    }  # fmt: skip
    return plainly(envelope | changed)


def plainly(value: Any) -> bytes:
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=4)
    pickler.fast = True
    pickler.dump(value)
    return stream.getvalue()


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
some_array = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint32, np.uint64, np.uint8, np.bool_]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(st.dictionaries(st.text(max_size=5), plain, max_size=4), some_array)
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_read_bit_for_bit(content: dict[str, Any], array: np.ndarray) -> None:
    data = archive.to_bytes(content | {"array": array})
    read = archive.from_bytes(data)
    found = read.pop("array")
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert found.flags.writeable
    content.pop("array", None)
    assert read == content
    assert archive.to_bytes(read | {"array": found}) == data


def test_equal_content_gives_equal_bytes_whichever_values_are_one_object() -> None:
    text = "".join(["a", "bc"])
    assert archive.to_bytes({"x": [text, text]}) == archive.to_bytes({"x": ["abc", "".join(["ab", "c"])]})
    turned = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    assert archive.to_bytes({"x": turned}) == archive.to_bytes({"x": np.ascontiguousarray(turned)})


def test_only_plain_values_can_be_written() -> None:
    for value in (object(), {1, 2}, np.float64(1.0), 1j, len):
        with pytest.raises(TypeError, match="a model file holds plain values only"):
            archive.to_bytes({"x": value})


def test_equal_models_give_equal_bytes() -> None:
    again = DynamicAnomalyDetector(n_estimators=3).fit(tables.payments(60)).to_bytes()
    assert again == model_file()
    assert DynamicAnomalyDetector.from_bytes(again).to_bytes() == again


def test_joblib_and_pickle_read_the_same_plain_values() -> None:
    assert joblib.load(io.BytesIO(model_file()))["format"] == "dynamic-anomaly-detector"
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(model_file())}
    assert not opcodes & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "EXT1", "PERSID"}


def refused(data: bytes) -> str:
    with pytest.raises(ModelFileError) as error:
        archive.from_bytes(data)
    return error.value.message


def test_hundreds_of_single_bit_flips_are_all_refused() -> None:
    data = model_file()
    places = np.random.default_rng(0).integers(0, 8 * len(data), 400).tolist()
    for place in [*range(400), *places, *range(8 * len(data) - 400, 8 * len(data))]:
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        refused(bytes(flipped))


def test_truncated_and_lengthened_files_are_refused() -> None:
    data = model_file()
    cuts = np.random.default_rng(1).integers(0, len(data), 200).tolist()
    for cut in [*range(60), *cuts, len(data) - 1]:
        refused(data[:cut])
    assert "damaged" in refused(data + b"\x00")
    assert "damaged" in refused(data + data)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_is_refused(data: bytes) -> None:
    refused(data)
    refused(b"\x80\x04" + data)


class Runs:
    """Pickles to a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def dumped_by_joblib(value: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(value, stream)
    return stream.getvalue()


def laughs() -> bytes:
    """Return a list of ten lists of ten lists and so on, each of them written once."""
    return (
        b"\x80\x04]\x94"
        + b"".join(b"](" + b"h" + bytes([i]) * 1 + (b"h" + bytes([i])) * 9 + b"e\x94" for i in range(30))
        + b"."
    )


def deep(levels: int) -> bytes:
    return b"\x80\x04" + b"]" * levels + b"a" * (levels - 1) + b"."


def hostile() -> dict[str, bytes]:
    huge = struct.pack("<Q", 2**62)
    return {
        "a command": pickle.dumps(Runs(os.system, "exit 1")),
        "eval": pickle.dumps(Runs(builtins.eval, "1/0")),
        "exec in protocol 0": pickle.dumps(Runs(builtins.exec, "1/0"), protocol=0),
        "an attribute chain": pickle.dumps(Runs(getattr, "x", "upper")),
        "a numpy array": pickle.dumps(np.arange(3)),
        "a numpy scalar": pickle.dumps(np.float64(1.0)),
        "a numpy object array": pickle.dumps(np.array([Runs(os.system, "exit 1")], object)),
        "a joblib array": dumped_by_joblib({"format": archive.FORMAT, "rows": np.arange(10.0)}),
        "a whole estimator": pickle.dumps(DynamicAnomalyDetector()),
        "a persistent object": b"\x80\x04Pabc\n.",
        "an extension": b"\x80\x04\x82\x01.",
        "an instance of protocol 0": b"(ios\nsystem\nS'exit 1'\no.",
        "a set": pickle.dumps({1, 2}, protocol=4),
        "a bytearray": pickle.dumps(bytearray(b"abc"), protocol=5),
        "a buffer from elsewhere": b"\x80\x05\x97.",
        "bytes of a huge length": b"\x80\x04\x8e" + huge + b"abc.",
        "a text of a huge length": b"\x80\x04\x8d" + huge + b"abc.",
        "a number of a huge length": b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
        "a number of a negative length": b"\x80\x04\x8b" + struct.pack("<i", -5) + b"abc.",
        "a frame of a huge length": b"\x80\x04\x95" + huge + b"K\x01.",
        "a memo of a huge number": b"\x80\x04K\x01r\xff\xff\xff\xff.",
        "deep nesting": deep(20_000),
        "a billion laughs": laughs(),
        "a long number": b"\x80\x04\x8b" + struct.pack("<i", 5_000) + b"\x01" * 5_000 + b".",
        "a list that holds itself": b"\x80\x04]\x94h\x00a.",
        "a key that has no hash": b"\x80\x04}](K\x01es.",
        "a newer pickle": b"\x80\x63.",
        "nothing": b"",
        "a number": pickle.dumps(7),
        "a list": pickle.dumps([1, 2]),
    }


HOSTILE = hostile()


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        pytest.fail("something was run")

    monkeypatch.setattr(os, "system", stop)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_file_constructs_nothing(title: str) -> None:
    data = HOSTILE[title]
    refused(data)
    refused(wrapped(data))
    with pytest.raises(ModelFileError):
        DynamicAnomalyDetector.from_bytes(wrapped(data))


def test_a_file_that_asks_for_objects_is_told_apart_from_a_damaged_one() -> None:
    with pytest.raises(ModelFileError, match="it asks to construct objects") as error:
        archive.from_bytes(pickle.dumps(Runs(os.system, "exit 1")))
    assert error.value.details["asked_for"].endswith(".system")
    assert refused(b"PK\x03\x04") == "The model file is damaged. Restore it from a backup or train again."
    assert refused(pickle.dumps({"format": "other"})) == "This file is not a model of this program."


def test_a_newer_format_says_so() -> None:
    message = refused(wrapped(b"whatever the future holds", version=archive.FORMAT_VERSION + 1))
    assert message == "The model file has format 3, and this program reads up to 2. Update the program."


def test_a_format_that_is_no_longer_read_says_what_to_do() -> None:
    assert "of an earlier program, which is no longer read. Train again." in refused(wrapped(b"", version=1))


@pytest.mark.parametrize("version", [None, 0, -1, True, 1.0, "1"])
def test_a_format_that_is_no_number_is_refused(version: Any) -> None:
    assert "does not say which format" in refused(wrapped(b"", version=version))


def test_an_envelope_with_anything_more_or_less_is_refused() -> None:
    payload = plainly({"x": 1})
    assert archive.from_bytes(wrapped(payload)) == {"x": 1}
    refused(wrapped(payload, sha256="0" * 64))
    refused(plainly({"format": archive.FORMAT, "version": archive.FORMAT_VERSION, "sha256": "", "payload": "text"}))
    refused(wrapped(plainly([1])))
    refused(wrapped(payload, more=1))
    refused(wrapped(payload + b"."))


@pytest.mark.parametrize(
    "packed",
    [
        ("|O", [1], b"12345678"),
        ("<f8", [2], b"12345678"),
        ("<f8", [-1], b"12345678"),
        ("<f8", [2**62, 2**62, 0], b"12345678"),
        ("<f8", [2**70, 0], b""),
        ("<f8", [1] * 100, b"12345678"),
        ("<f8", [1.0], b"12345678"),
        ("<f8", 1, b"12345678"),
        ("<f8", [1], "12345678"),
        (["<f8"], [1], b"12345678"),
        ("U4000000000", [0], b""),
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused(packed: tuple[Any, ...]) -> None:
    refused(wrapped(plainly({"x": packed})))


def test_no_name_that_a_user_gives_is_taken_for_an_array() -> None:
    content = {"dtype": "<f8", "shape": [1], "bytes": b"12345678"}
    assert archive.from_bytes(archive.to_bytes(content)) == content
