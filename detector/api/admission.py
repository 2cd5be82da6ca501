"""Who comes in: every request is refused unless its door is open to all, or its caller may pass.

Nothing of a body is read before that. A request without a key is let in only where nobody has set one, and only from
the machine itself, judged by the other end of the socket. What a request says of itself cannot make it local:

- One with a header of a proxy (``X-Forwarded-For`` and its like) comes from somewhere else; that the proxy runs here
  says nothing of who stands before it.
- One in HTTP/1.0 is taken for a proxy's that adds no such header, as nginx does unless it is told otherwise: no program
  that is meant to ask here speaks it any more.
- One whose ``Host`` is another name than this machine's own came through a browser that was led here by a false answer
  of the name service.
"""

from __future__ import annotations

import re
from asyncio import Task, create_task, shield
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

import structlog
from anyio import CapacityLimiter, move_on_after
from anyio.to_thread import run_sync
from sqlalchemy.exc import SQLAlchemyError
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from detector.api.callers import CALLER
from detector.api.docs import is_docs
from detector.api.doors import Door
from detector.api.limiting import FailedKeys, RequestRate
from detector.api.problems import problem_response
from detector.service.access import LOCAL_API, RIGHT_WORDS, Caller, Right
from detector.service.key_form import ID_PLACE, well_formed
from detector.service.key_watch import Keys, KeyWatch
from detector.settings import Settings

#: Seconds that requests wait for the keys to be read again; then the ones known last go on.
PATIENCE = 0.2

_FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via"}
)
_HOST = re.compile(rb"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?", re.IGNORECASE)
_LOOPBACK = re.compile(r"127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3}")
_SCHEME = b"bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="detector"'}
_WRONG = {"WWW-Authenticate": 'Bearer realm="detector", error="invalid_token"'}
_FROM_HERE = "Make one on this machine: python -m detector keys create NAME --role service"

_log = structlog.get_logger(__name__)


class Refusal(NamedTuple):
    """Why a request does not come in, as its answer says it."""

    status: HTTPStatus
    code: str
    detail: str
    headers: Mapping[str, str] = {}


_NO_KEY = Refusal(
    HTTPStatus.UNAUTHORIZED,
    "no_key",
    "This needs a key, sent as 'Authorization: Bearer dak_...'. A lead makes keys on the dashboard's Access page.",
    _CHALLENGE,
)
_NOT_LOCAL = Refusal(
    HTTPStatus.FORBIDDEN,
    "no_key_has_been_set",
    f"No key has been set, so only programs on the same machine may ask, and directly. {_FROM_HERE}",
)
_UNKNOWN_PATH = Refusal(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this path; /docs describes what is.")
_NO_DATABASE = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "keys_unknown", "The keys cannot be read from the database. Try again later.",
    {"Retry-After": "5"},
)  # fmt: skip


class _Route(NamedTuple):
    """A door that stayed shut, as the log of requests names it."""

    path: str


class Rights:
    """Which right each door asks for; built from the table of doors, so that no other path leads to an endpoint."""

    def __init__(self, doors: tuple[Door, ...]) -> None:
        self._doors = [(compile_path(door.path)[0], door.method, door.right) for door in doors]
        self._plain = {door.path: self._first_that_fit(door.path) for door in doors if "{" not in door.path}
        self._all_plain = len(self._plain) == len({door.path for door in doors})

    def at(self, path: str) -> Mapping[str, Right | None] | None:
        """Return method to right at ``path``, or ``None`` where there is no door."""
        found = self._plain.get(path)
        return found if found is not None or self._all_plain else self._first_that_fit(path) or None

    def is_plain(self, path: str) -> bool:
        """Whether ``path`` is a door's own, with no part that a caller chose."""
        return path in self._plain

    def _first_that_fit(self, path: str) -> dict[str, Right | None]:
        """Return, for each method, the right of the first door that fits, which is the one that the router opens."""
        fitting = [(method, right) for pattern, method, right in self._doors if pattern.match(path)]
        return dict(reversed(fitting))


class AdmissionMiddleware:
    """Stands before the routes. ``keys`` gives the keys of the workspace, which is open by the first request."""

    def __init__(self, app: ASGIApp, doors: tuple[Door, ...], keys: Callable[[], KeyWatch], settings: Settings) -> None:
        self.app = app
        self._rights = Rights(doors)
        self._keys = keys
        self._failed = FailedKeys(settings.failed_keys_per_minute)
        self._rate = RequestRate(settings.requests_per_second, settings.burst_seconds)
        # Of its own, so that looking for keys does not queue behind trainings.
        self._one_at_a_time: CapacityLimiter | None = None
        self._refreshing: Task[Keys | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass or answer why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        rights = self._rights.at(scope["path"])
        if rights is None:
            if is_docs(scope["path"]):
                await self.app(scope, receive, send)
                return
        elif rights.get(scope["method"], "read") is None:
            await self.app(scope, receive, send)
            return
        watch = self._keys()
        keys = watch.fresh()
        if keys is None:
            keys = await shield(self._refresh(watch))
        elif watch.due:
            self._refresh(watch)
        if keys is None:
            await _refuse(_NO_DATABASE, scope, receive, send)
            return
        key, direct = _presented(scope, keys)
        if key is not None and not keys.knows(key) and not self._failed.wait(_peer(scope), ""):
            # It may have been made a moment ago. Wrong keys are few: their limit comes first.
            keys = await self._look(watch) or keys
        refusal = self._judge(scope, keys, key, direct, rights)
        if refusal is not None:
            if self._rights.is_plain(scope["path"]):
                # The router will not name it; the log of requests would call it unknown.
                scope["route"] = _Route(scope["path"])
            await _refuse(refusal, scope, receive, send)
            return
        if key is not None:
            watch.note_use(key)
        await self.app(scope, receive, send)

    def _judge(
        self, scope: Scope, keys: Keys, key: bytes | None, direct: bool, rights: Mapping[str, Right | None] | None
    ) -> Refusal | None:
        """Note the caller in ``scope``, or return why the request does not come in."""
        caller: Caller | None
        if key is not None:
            wait = self._failed.wait(_peer(scope), _public_id(key, keys)) if self._failed.watchful else 0
            caller = None if wait else keys.caller(key)
            if caller is None:
                return _too_many(wait, "wrong keys") if wait else self._wrong(key, _peer(scope), _public_id(key, keys))
        elif keys.required:
            return _NO_KEY
        elif direct and _LOOPBACK.fullmatch(_peer(scope)):
            caller = LOCAL_API
        else:
            return _NOT_LOCAL
        if rights is None:
            return _UNKNOWN_PATH
        right = rights.get(scope["method"])
        if right is not None and not caller.may(right):
            return _lacks(caller, right)
        if self._rate.limited and (wait := self._rate.wait(caller.name if caller.verified else _peer(scope))):
            return _too_many(wait, "requests")
        scope[CALLER] = caller
        return None

    def _wrong(self, key: bytes, peer: str, public: str) -> Refusal:
        self._failed.count(peer, public)
        if not key:
            return Refusal(HTTPStatus.UNAUTHORIZED, "no_key", _NO_KEY.detail, _CHALLENGE)
        typed = "" if well_formed(key.decode("latin-1")) else " It does not have the form of a key: was it cut short?"
        detail = f"This key is not known here, was revoked, or has expired.{typed}"
        return Refusal(HTTPStatus.UNAUTHORIZED, "wrong_key", detail, _WRONG)

    def _refresh(self, watch: KeyWatch) -> Task[Keys | None]:
        """Have the keys read, once for all requests that come meanwhile."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = create_task(self._look(watch))
        return self._refreshing

    async def _look(self, watch: KeyWatch) -> Keys | None:
        """Have the keys read in a thread, in bounded time; return what is known then."""
        if self._one_at_a_time is None:
            self._one_at_a_time = CapacityLimiter(1)
        try:
            with move_on_after(PATIENCE if watch.known is not None else None):
                await run_sync(watch.look, abandon_on_cancel=True, limiter=self._one_at_a_time)
        except SQLAlchemyError as error:
            _log.error("the keys cannot be read", exc_info=error)
        return watch.known


def _presented(scope: Scope, keys: Keys) -> tuple[bytes | None, bool]:
    """Return the key that a request presents, empty when it is no bearer's, and whether it came here directly."""
    key: bytes | None = None
    direct = scope.get("http_version") != "1.0"
    for name, value in scope["headers"]:
        if name == b"authorization":
            key = value[len(_SCHEME) :].strip() if value[: len(_SCHEME)].lower() == _SCHEME else b""
        elif name in _FORWARDED or (name == b"host" and not keys.required and _HOST.fullmatch(value) is None):
            direct = False
    return key, direct


def _public_id(key: bytes, keys: Keys) -> str:
    """Return the id of a key that is known, empty for all others."""
    return key[ID_PLACE].decode("ascii", "replace") if keys.knows(key) else ""


def _peer(scope: Scope) -> str:
    """Return the address at the other end of the socket; empty where there is none, which is nobody's machine."""
    client = scope.get("client")
    return client[0] if client else ""


def _lacks(caller: Caller, right: Right) -> Refusal:
    return Refusal(
        HTTPStatus.FORBIDDEN,
        "forbidden",
        f"This needs the right to {right} ({RIGHT_WORDS[right]}), which the role {caller.role} does not include.",
        {"WWW-Authenticate": f'Bearer realm="detector", error="insufficient_scope", scope="{right}"'},
    )


def _too_many(wait: int, what: str) -> Refusal:
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_requests",
        f"Too many {what}; try again in {wait} seconds.",
        {"Retry-After": str(wait)},
    )


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without reading the body; a connection on which one may still be coming is closed."""
    headers = dict(refusal.headers)
    if any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        headers["Connection"] = "close"
    answer = problem_response(refusal.status, refusal.code, refusal.detail, headers=headers)
    await answer(scope, receive, send)
