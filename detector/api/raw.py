"""Requests and answers as the bytes that they are, where nothing has parsed them or would spell them."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.responses import Response

from detector.api.problems import problem_response
from detector.settings import Settings

_PREDICTION = b"POST /predict HTTP/1.1\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d{1,6})\r\n")
#: What makes more of a request than its own bytes; such requests are parsed before they are refused.
_UNUSUAL = (b"\r\ntransfer-encoding", b"\r\nexpect", b"\r\nconnection", b"\r\nupgrade", b"\r\n ", b"\r\n\t")


def is_plain_prediction(data: bytes) -> bool:
    """Whether ``data`` is exactly one request to score a transaction, and says nothing unusual."""
    if not data.startswith(_PREDICTION):
        return False
    end = data.find(b"\r\n\r\n")
    head = data[: end + 2].lower()
    length = _LENGTH.search(head)
    return (
        length is not None
        and int(length[1]) == len(data) - end - 4
        and head.count(b"\r\ncontent-length:") == 1
        and head.count(b"\n") == head.count(b"\r\n")
        and not any(unusual in head for unusual in _UNUSUAL)
    )


def cut_answer(status: HTTPStatus, limits: Settings) -> Response:
    """Return what is said to a client whose request is cut off."""
    if status is HTTPStatus.REQUEST_TIMEOUT:
        detail = (
            f"The request did not arrive in time: its head has {limits.max_head_seconds:g} s, its body "
            f"{limits.max_body_seconds:g} s and at least {limits.min_body_bytes_per_second:,} bytes a second."
        )
        return problem_response(status, "request_timeout", detail)
    detail = f"The head of the request is longer than {limits.max_head_bytes:,} bytes."
    return problem_response(status, "head_too_large", detail)


def as_sent(response: Response, *, close: bool = False) -> bytes:
    """Return a whole answer as it is sent."""
    status = HTTPStatus(response.status_code)
    head = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    head += [name + b": " + value for name, value in response.raw_headers]
    head += [b"connection: close"] if close else []
    return b"\r\n".join(head) + b"\r\n\r\n" + bytes(response.body)
