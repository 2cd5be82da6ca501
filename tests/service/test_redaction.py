from __future__ import annotations

import json
import logging
from io import StringIO

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from detector.service import logs
from detector.service.key_form import id_of, new_key
from detector.service.redaction import HIDDEN_CARD, RedactingFilter, is_card_like, redact, redacted_text

CARDS = ("4111111111111111", "5500005555555559", "378282246310005", "4222222222222", "6304000000000000000")


def with_check_digit(digits: str) -> str:
    return next(digits + last for last in "0123456789" if is_card_like(digits + last))


cards = st.text("0123456789", min_size=12, max_size=18).map(with_check_digit)
words = st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=20)
nested = st.recursive(
    st.one_of(words, cards, cards.map(int)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "card={}", "paid with {}.", "[{}]", "a{}b", "no. 1234 {} 5678", "{} {}"])
def test_a_card_number_is_hidden_wherever_it_stands(card: str, around: str) -> None:
    for written in (card, f"{card[:4]} {card[4:8]} {card[8:]}", f"{card[:4]}-{card[4:10]}-{card[10:]}"):
        hidden = redacted_text(around.replace("{}", written))
        assert HIDDEN_CARD in hidden
        assert written not in hidden


@given(card=cards, before=words, after=words)
def test_no_card_number_gets_through(card: str, before: str, after: str) -> None:
    assert card not in redacted_text(before + card + after)


@given(before=words, after=words)
def test_no_secret_of_a_key_gets_through(before: str, after: str) -> None:
    key = new_key()
    hidden = redacted_text(f"{before}{key}{after}")
    assert key[17:] not in hidden
    assert f"dak_{id_of(key)}_[secret]" in hidden


@given(cut=st.integers(20, 65))
def test_a_piece_of_a_key_is_hidden_too(cut: int) -> None:
    key = new_key()
    assert key[17:cut] not in redacted_text(f"Authorization: Bearer {key[:cut]}")


@given(event=st.dictionaries(words, nested, max_size=3), card=cards)
def test_nothing_gets_through_however_deep(event: dict[str, object], card: str) -> None:
    key = new_key()
    event |= {"row": [{"pan": card, card: {"n": int(card), "f": (card,)}}], "key": key}
    told = json.dumps(redact(None, "", event), ensure_ascii=False)
    assert card not in told
    assert key not in told


@pytest.mark.parametrize(
    "text",
    ["", "version 12", "2026-11-29T20:06:36.123456Z", "1234567890123", "4111111111111112", "127.0.0.1:8000", "dak_",
     "dak_abc", "key 0b4d2f9a1c3e", "12 34 56 78 90 12 34"],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted_text(text) == text


def test_objects_are_told_as_text_without_secrets() -> None:
    class Row:
        def __str__(self) -> str:
            return f"<row {CARDS[0]}>"

    told = redact(
        None, "", {"row": Row(), "raw": CARDS[0].encode(), "amount": 4111111111111111.0, "ok": True, "n": None}
    )
    assert told == {
        "row": f"<row {HIDDEN_CARD}>", "raw": f"b'{HIDDEN_CARD}'", "amount": HIDDEN_CARD, "ok": True, "n": None
    }  # fmt: skip


def test_logs_of_this_package_are_redacted_with_their_errors(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logs("INFO")
    key = new_key()
    try:
        raise ValueError(f"bad row {CARDS[0]} sent with {key}")
    except ValueError:
        structlog.get_logger().exception("failed", row={"card": CARDS[1]})
    told = capsys.readouterr().err
    assert "bad row" in told
    assert not any(secret in told for secret in (*CARDS[:2], key))


def test_logs_of_the_server_are_redacted_with_their_errors() -> None:
    key, out = new_key(), StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(RedactingFilter())
    log = logging.Logger("server")
    log.addHandler(handler)
    try:
        raise ValueError(f"bad row {CARDS[0]}")
    except ValueError:
        log.exception("request with %s failed", key)
    log.error("does not fit %d", CARDS[0])
    assert "bad row" in out.getvalue()
    assert CARDS[0] not in out.getvalue()
    assert key not in out.getvalue()


def test_handlers_that_stand_already_get_the_filter_once() -> None:
    handler = logging.StreamHandler(StringIO())
    log = logging.getLogger("detector.test_redaction")
    log.addHandler(handler)
    logs.configure_logs("INFO")
    logs.configure_logs("INFO")
    assert [type(one) for one in handler.filters] == [RedactingFilter]
    log.removeHandler(handler)


def test_a_password_in_an_address_is_hidden_and_the_address_stays() -> None:
    told = redacted_text("cannot reach postgresql://detector:let@me:in@db.example/detector or s3://bucket/models")
    assert told == "cannot reach postgresql://detector:[password]@db.example/detector or s3://bucket/models"
