"""A text file as UTF-8, whatever its encoding; what cannot be decoded is refused by line and byte."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path

from detector.errors import InputError, Problem, UnusableFileError, excerpt
from detector.files.detect import byte_order_mark
from detector.files.options import ReadOptions

CHUNK_BYTES = 1 << 21
_LINE_END = re.compile(rb"\r\n|\r|\n")
_SHOWN_BEFORE = 12


def count_lines(text: bytes) -> int:
    """Return the number of line ends in ``text``: line feeds, carriage returns, and pairs of them."""
    return len(_LINE_END.findall(text))


class EncodedText:
    """A text file, its encoding taken from the byte order mark, from what the user says, or else UTF-8.

    Attributes
    ----------
    encoding
        The encoding's usual name.
    notes
        A sentence on the encoding when it is not UTF-8.
    """

    def __init__(self, path: Path, name: str, options: ReadOptions) -> None:
        self._path, self._name = path, name
        with path.open("rb") as file:
            marked, self._mark = byte_order_mark(file.read(4))
        self._declared = options.encoding is not None or marked is not None
        self.encoding = marked or self._checked(options.encoding or "utf-8")
        self._is_utf8 = self.encoding == "utf-8"
        self.notes = [] if self._is_utf8 else [f"The text is encoded as {self.encoding.upper()}."]

    def chunks(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the text as UTF-8 without byte order mark, about 2 MB at a time, and whether it is the last piece.

        UTF-8 is handed on as it is: check it with :meth:`refuse_undecodable`.
        """
        decoder = None if self._is_utf8 else codecs.getincrementaldecoder(self.encoding)()
        with self._path.open("rb") as file:
            file.seek(self._mark)
            offset, ahead = self._mark, file.read(CHUNK_BYTES)
            while True:
                chunk, ahead = ahead, file.read(CHUNK_BYTES)
                if decoder is None:
                    yield chunk, not ahead
                else:
                    held = len(decoder.getstate()[0])
                    try:
                        text = decoder.decode(chunk, final=not ahead).encode()
                    except UnicodeError as error:
                        start = error.start if isinstance(error, UnicodeDecodeError) else 0
                        raise self._foreign_byte(offset - held + start) from None
                    yield text, not ahead
                offset += len(chunk)
                if not ahead:
                    return

    def head(self, size: int) -> tuple[bytes, bool]:
        """Return the first ``size`` bytes of the text, and whether that is all of it; checked."""
        text, last = b"", False
        for chunk, final in self.chunks():
            text, last = text + chunk, final
            if len(text) >= size:
                break
        whole = last and len(text) <= size
        head = text[:size]
        self.refuse_nul(head, 1, 0)
        # a character may be cut in two where the head ends
        self.refuse_undecodable(head if whole else head[: head.rfind(b"\n") + 1], 1, 0)
        return head, whole

    def refuse_nul(self, buffer: bytes, line: int, base: int) -> None:
        """Refuse a NUL byte in ``buffer``, which begins in line ``line``, ``base`` bytes into the text."""
        at = buffer.find(b"\0")
        if at < 0:
            return
        number = line + count_lines(buffer[:at])
        message = f"{self._byte(base + at)} is NUL, which no text file holds."
        advice = "If the file was saved as UTF-16, choose that encoding; otherwise it is damaged: export it again."
        self._refuse("nul_byte", number, message, advice)

    def refuse_undecodable(self, buffer: bytes, line: int, base: int) -> None:
        """Refuse bytes in ``buffer`` (whole lines) that are not UTF-8; the rest as for :meth:`refuse_nul`."""
        if not self._is_utf8 or buffer.isascii():
            return
        try:
            buffer.decode()
        except UnicodeDecodeError as error:
            at = error.start
        else:
            return
        number = line + count_lines(buffer[:at])
        begin = max(at - _SHOWN_BEFORE, buffer.rfind(b"\n", 0, at) + 1)
        shown = excerpt(buffer[begin : at + _SHOWN_BEFORE].split(b"\n")[0].decode("cp1252", "replace").rstrip("\r"))
        message = f"{self._byte(base + at)} is not valid UTF-8."
        if buffer[:at].isascii() and not self._declared:
            advice = (
                "If the file was saved as Western European text, choose the encoding Windows-1252 (cp1252); "
                f'the place then reads "{shown}". Otherwise export the file as UTF-8.'
            )
        else:
            advice = "The file is damaged there, or mixes encodings: export it again as UTF-8."
        self._refuse("not_utf8", number, message, advice, shown)

    def _foreign_byte(self, offset: int) -> UnusableFileError:
        message = f"Byte {offset:,} is not valid {self.encoding.upper()}."
        return UnusableFileError(
            f"{self._name}: {message} Choose another encoding, or export the file as UTF-8.",
            [Problem("not_decodable", message)],
            file=self._name,
        )

    def _refuse(self, code: str, line: int, message: str, advice: str, shown: str | None = None) -> None:
        problem = Problem(code, message, None, line, None, shown)
        raise UnusableFileError(f"{self._name}, line {line:,}: {message} {advice}", [problem], file=self._name)

    def _byte(self, position: int) -> str:
        """Name a position in the text; only in UTF-8 it is a position in the file."""
        return f"Byte {position + self._mark:,}" if self._is_utf8 else f"Character {position:,}"

    def _checked(self, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
            codecs.getincrementaldecoder(name)
            io.TextIOWrapper(io.BytesIO(), encoding=name)  # refuses what is no encoding of text, such as "zlib"
        except (LookupError, ValueError):
            raise InputError(
                f'{self._name} cannot be read as "{excerpt(encoding)}": there is no such encoding of text.',
                file=self._name,
            ) from None
        return "utf-8" if name == "utf-8-sig" else name
