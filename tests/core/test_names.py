"""What the words of a column's name say."""

from __future__ import annotations

import pytest

from detector.core.names import Name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TX_cardId", ("tx", "card", "id")), ("nameOrig", ("name", "orig")), ("IPAddress", ("ip", "address")),
        ("merch_lat", ("merch", "lat")), ("V17", ("v", "17")),
        ("Transaction Amount (EUR)", ("transaction", "amount", "eur")),
        ("", ()), ("???", ()),
    ],
)  # fmt: skip
def test_a_name_is_read_word_by_word(name: str, words: tuple[str, ...]) -> None:
    assert Name(name).words == words
