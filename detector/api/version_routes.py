"""The endpoints of versions: what there is, where champion and challenger point, and the trial on live traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from detector.api.answers import json_response
from detector.api.callers import caller_of
from detector.api.idempotency import Also, Effect
from detector.api.parameters import read_query, read_whole
from detector.api.payloads import read_body
from detector.api.preconditions import document_of, etag, expected_revision
from detector.api.version_documents import AliasBody, TrialBody
from detector.errors import NotFoundError, excerpt
from detector.service.versions import challenging, held, trying
from detector.service.versions.agreement import CHALLENGER
from detector.service.versions.trying import FlaggedShare, TrialState
from detector.service.workspace import CHAMPION, Workspace
from detector.store.versions import Alias, VersionInfo

if TYPE_CHECKING:
    from detector.api.routes import Endpoints

#: Versions on a page, when nothing is said and at most.
PAGE, MOST_ON_PAGE = 50, 200
#: The names that are offered; the drift demo has one of its own.
ALIASES = (CHAMPION, CHALLENGER)


class VersionEndpoints:
    """The endpoints over the workspace of ``endpoints``, which is there from startup to shutdown."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    @property
    def _ws(self) -> Workspace:
        return self._endpoints.workspace

    async def versions(self, request: Request) -> Response:
        """List the versions, newest first, page by page."""
        query = read_query(request, ("limit", "before"))
        limit = read_whole(query, "limit", 1, MOST_ON_PAGE)
        before = read_whole(query, "before", 1)
        return await run_sync(self._versions, PAGE if limit is None else limit, before)

    async def version(self, request: Request) -> Response:
        """Describe a version."""
        read_query(request, ())
        return await run_sync(self._version, _number(request.path_params["version"]))

    async def aliases(self, request: Request) -> Response:
        """Tell where champion and challenger point."""
        read_query(request, ())
        return await run_sync(self._aliases)

    async def alias(self, request: Request) -> Response:
        """Tell where one of them points."""
        read_query(request, ())
        return await run_sync(self._alias, _known(request.path_params["alias"]))

    async def move_alias(self, request: Request) -> Response:
        """Let a name point at another version: promote, roll back, or name a challenger."""
        name, actor = _known(request.path_params["alias"]), caller_of(request).name
        read_query(request, ())
        content = await self._body(request)
        body = document_of(content, AliasBody)
        expected = expected_revision(request, body.expected_revision)

        def work(effect: Effect) -> None:
            self._move(name, body, expected, actor, effect.also(lambda moved: _with_etag(_alias_document(moved))))

        return await self._endpoints.repeats.once(request, content, work)

    async def drop_challenger(self, request: Request) -> Response:
        """Let nothing challenge the champion; a trial ends with that. `If-Match` says what was seen."""
        read_query(request, ())
        expected, actor = expected_revision(request, None), caller_of(request).name
        return await run_sync(self._drop, "challenge stopped", expected, actor)

    async def trial(self, request: Request) -> Response:
        """Tell how the trial on live traffic goes."""
        read_query(request, ())
        return await run_sync(self._trial)

    async def start_trial(self, request: Request) -> Response:
        """Let a challenger see live requests."""
        read_query(request, ())
        body = document_of(await self._body(request), TrialBody)
        expected = expected_revision(request, body.expected_revision)
        return await run_sync(self._start_trial, body, expected, caller_of(request).name)

    async def stop_trial(self, request: Request) -> Response:
        """End the trial; the champion answers all. `If-Match` says what was seen."""
        read_query(request, ())
        expected, actor = expected_revision(request, None), caller_of(request).name
        return await run_sync(self._stop_trial, expected, actor)

    async def waiting(self, request: Request) -> Response:
        """List the updates that were held back and wait for a person."""
        read_query(request, ())
        return await run_sync(self._waiting)

    async def dismiss(self, request: Request) -> Response:
        """Decide that an update that was held back is not wanted."""
        read_query(request, ())
        version = _number(request.path_params["version"])
        return await run_sync(self._dismiss, version, caller_of(request).name)

    async def _body(self, request: Request) -> bytes:
        return await read_body(request, self._ws.settings.max_request_bytes)

    def _versions(self, limit: int, before: int | None) -> Response:
        found = self._ws.registry.list(lane="main", before=before, limit=limit + 1)
        told = self._telling()
        return json_response(
            {
                "versions": [told(info) for info in found[:limit]],
                "next": found[limit - 1].number if len(found) > limit else None,
            }
        )

    def _version(self, number: int) -> Response:
        return json_response(self._telling()(challenging.of_main_lane(self._ws, number)))

    def _waiting(self) -> Response:
        told = self._telling()
        numbers = [one.version for one in held.waiting_versions(self._ws)]
        return json_response({"versions": [told(self._ws.registry.info(number)) for number in numbers], "next": None})

    def _telling(self) -> Callable[[VersionInfo], dict[str, Any]]:
        pointing = {name: found.version for name in ALIASES if (found := self._ws.registry.alias(name)) is not None}
        reasons = {one.version: one.reasons for one in held.waiting_versions(self._ws)}
        return lambda info: _version_document(info, pointing, reasons.get(info.number))

    def _aliases(self) -> Response:
        found = [self._ws.registry.alias(name) for name in ALIASES]
        return json_response({"aliases": [_alias_document(alias) for alias in found if alias is not None]})

    def _alias(self, name: str) -> Response:
        found = self._ws.registry.alias(name)
        if found is None:
            raise NotFoundError(f"The {name} points nowhere: {_unset(name)}.", alias=name, revision=0)
        return _with_etag(_alias_document(found))

    def _move(self, name: str, body: AliasBody, expected: int, actor: str, also: Also) -> None:
        champion = name == CHAMPION
        move = challenging.move_champion if champion else challenging.move_challenger
        reason = body.reason or ("" if champion else "challenge")
        move(self._ws, body.version, expected_revision=expected, actor=actor, reason=reason, also=also)

    def _drop(self, reason: str, expected: int, actor: str) -> Response:
        self._ws.registry.drop_alias(CHALLENGER, expected_revision=expected, actor=actor, reason=reason)
        return json_response({"alias": CHALLENGER, "version": None, "revision": 0})

    def _trial(self) -> Response:
        state = trying.trial_state(self._ws)
        if state is None:
            raise NotFoundError("No challenger is on live traffic.")
        return _with_etag(_trial_document(state))

    def _start_trial(self, body: TrialBody, expected: int, actor: str) -> Response:
        trying.start_trial(
            self._ws,
            body.version,
            mode=body.mode,
            share=trying.SHARE if body.share is None else body.share,
            field=body.field,
            expected_revision=expected,
            actor=actor,
            reason=body.reason,
        )
        return self._trial()

    def _stop_trial(self, expected: int, actor: str) -> Response:
        trying.stop_trial(self._ws, expected_revision=expected, actor=actor)
        return json_response({"alias": CHALLENGER, "version": None, "revision": 0})

    def _dismiss(self, version: int, actor: str) -> Response:
        held.dismiss(self._ws, version, actor=actor)
        return self._version(version)


def _number(text: str) -> int:
    # What is no number names no version; so does a number that no database holds.
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise NotFoundError(f"There is no version {excerpt(text)}; versions are numbers from 1.")
    return int(text)


def _known(name: str) -> str:
    if name not in ALIASES:
        raise NotFoundError(f"There is no alias {excerpt(name)!r}; there are {' and '.join(ALIASES)}.")
    return name


def _unset(name: str) -> str:
    return "nothing is trained yet" if name == CHAMPION else "nothing challenges the champion"


def _with_etag(document: Mapping[str, Any]) -> Response:
    response = json_response(document)
    response.headers.update(etag(document["revision"]))
    return response


def _alias_document(alias: Alias) -> dict[str, Any]:
    return {
        "alias": alias.name,
        "version": alias.version,
        "revision": alias.revision,
        "moved_at": alias.moved_at,
        "moved_by": alias.moved_by,
    }


def _version_document(
    info: VersionInfo, pointing: Mapping[str, int], reasons: tuple[str, ...] | None
) -> dict[str, Any]:
    return {
        "version": info.number,
        "created_at": info.created_at,
        "created_by": info.created_by,
        "origin": info.origin,
        "parent": info.parent,
        "rows": info.rows,
        "features": info.features,
        "contamination": info.contamination,
        "cutoff": info.cutoff,
        "size": info.size,
        "sha256": info.sha256,
        "aliases": [name for name, version in pointing.items() if version == info.number],
        "waiting": reasons is not None,
        "reasons": reasons or (),
    }


def _trial_document(state: TrialState) -> dict[str, Any]:
    trial, counts = state.trial, state.counts
    return {
        "version": trial.challenger,
        "revision": trial.revision,
        "mode": trial.mode,
        "share": trial.share,
        "field": trial.field,
        "started_at": trial.started_at,
        "started_by": trial.started_by,
        "rows": counts.agreement.rows,
        "answered": counts.answered,
        "champion": _flagged(state.champion, state.flagged_by_champion, counts.champion.counts),
        "challenger": _flagged(trial.challenger, state.flagged_by_challenger, counts.challenger.counts),
        "both": counts.agreement.both,
        "only_champion": counts.agreement.only_champion,
        "only_challenger": counts.agreement.only_challenger,
        "neither": counts.agreement.neither,
        "mean_shift": state.mean_shift,
        "dropped": counts.dropped,
        "failed": counts.failed,
    }


def _flagged(version: int, found: FlaggedShare, severities: tuple[int, ...]) -> dict[str, Any]:
    return {
        "version": version,
        "flagged": found.flagged,
        "share": found.share,
        "low": found.low,
        "high": found.high,
        "severities": severities,
    }
