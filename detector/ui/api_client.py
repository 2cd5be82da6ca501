"""What the API page needs: a request and its answer, an example for each endpoint, the same as curl and as Python."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pprint import pformat
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30.0
#: The environment variable that holds a program's key, in what is offered to copy.
KEY_VARIABLE = "DETECTOR_API_KEY"


@dataclass(frozen=True)
class Endpoint:
    """One documented endpoint: what it does, an example body where it takes one, its parameters in the query.

    ``example_path``: the path with an example in place of each part that varies.
    """

    method: str
    path: str
    summary: str
    example: Mapping[str, Any] | None
    query: tuple[str, ...] = ()
    example_path: str = ""

    @property
    def name(self) -> str:
        """Method and path, as they stand in the documentation."""
        return f"{self.method} {self.path}"

    @property
    def changes_the_model(self) -> bool:
        """Whether sending it makes a new version that answers from then on."""
        return self.path in {"/train", "/update"}

    @property
    def warning(self) -> str:
        """What sending it changes, in words; nothing where it only tells."""
        if self.changes_the_model:
            return "Make a new version from this; it answers from then on"
        return "Change which version answers, or what waits" if self.method in {"PUT", "DELETE"} else ""


@dataclass(frozen=True)
class Answer:
    """What came back: the status (0 when nothing answered), how long it took, and the body as text."""

    status: int
    seconds: float
    text: str

    @property
    def answered(self) -> bool:
        """Whether a server answered at all."""
        return self.status > 0

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body as plain values, or ``None`` when it is not JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def send(
    root: str,
    method: str,
    path: str,
    body: str | None = None,
    *,
    key: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send one request to the API at ``root``; a server that cannot be reached is an answer with status 0."""
    address = urlsplit(root)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.hostname or "127.0.0.1", address.port, timeout=timeout)
    begun = perf_counter()
    try:
        connection.request(
            method,
            address.path + path,
            body=None if body is None else body.encode(),
            headers=({} if body is None else {"Content-Type": "application/json"})
            | ({} if key is None else {"Authorization": f"Bearer {key}"}),
        )
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        return Answer(response.status, perf_counter() - begun, text)
    except (OSError, HTTPException) as error:
        return Answer(0, perf_counter() - begun, str(error) or type(error).__name__)
    finally:
        connection.close()


def endpoints(document: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[Endpoint, ...]:
    """Return the endpoints of an OpenAPI document, each with an example body around ``row``."""
    found = []
    for path, methods in document.get("paths", {}).items():
        for method, told in methods.items():
            if method not in {"get", "post", "put", "delete", "patch"}:
                continue
            parameters = list(told.get("parameters", ()))
            takes_body = "requestBody" in told
            # What only a header can say cannot be sent from a form.
            by_header = not takes_body and any(one.get("name") == "If-Match" for one in parameters)
            if not by_header:
                summary = str(told.get("description") or told.get("summary") or "")
                query = tuple(str(one["name"]) for one in parameters if one.get("in") == "query")
                example = _described_body(told) or example_body(path, row) if takes_body else None
                filled = path
                for one in parameters:
                    if one.get("in") == "path":
                        filled = filled.replace(f"{{{one['name']}}}", str(one["schema"].get("enum", [1])[0]))
                found.append(Endpoint(method.upper(), path, summary, example, query, filled))
    return tuple(found)


def _described_body(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body of the examples that stand in the documentation of a PUT; nothing for rows of the user's own."""
    content = (told.get("requestBody") or {}).get("content") or {}
    schema = (content.get("application/json") or {}).get("schema") or {}
    properties = schema.get("properties") or {}
    if not {"version", "expected_revision"} <= set(properties):
        return {}
    required = set(schema.get("required", ()))
    found = {}
    for name, one in properties.items():
        if one.get("examples") or name in required or name == "expected_revision":
            found[name] = (one.get("examples") or one.get("enum") or [0])[0]
    return found


def example_body(path: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body for ``path`` made from one row: training takes many rows, one prediction takes one."""
    if path == "/predict":
        return {"data": dict(row)}
    if path == "/train":
        return {"transactions": [_varied(row, step) for step in range(20)]}
    return {"transactions": [_varied(row, step) for step in range(2)]}


def as_curl(root: str, endpoint: Endpoint, path: str, body: str | None, *, with_key: bool = False) -> str:
    """Return the request as a command for a shell; ``with_key``: with the key that ``DETECTOR_API_KEY`` holds."""
    words = ["curl", "-sS"]
    if endpoint.method != "GET":
        words += ["-X", endpoint.method]
    lines = [shlex.join([*words, root + path])]
    if with_key:
        lines.append(f'-H "Authorization: Bearer ${KEY_VARIABLE}"')
    if body is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def as_python(root: str, endpoint: Endpoint, path: str, body: str | None, *, with_key: bool = False) -> str:
    """Return the request as a Python script that needs only ``requests``; ``with_key`` as in :func:`as_curl`."""
    arguments = f'"{root}{path}"' + (", json=body" if body is not None else "") + ", timeout=30"
    script = "import requests\n\n"
    if with_key:
        script = f'import os\n\n{script}key = {{"Authorization": f"Bearer {{os.environ[\'{KEY_VARIABLE}\']}}"}}\n'
        arguments += ", headers=key"
    if body is not None:
        script += f"body = {_literal(body)}\n"
    return script + (
        f"answer = requests.{endpoint.method.lower()}({arguments})\nanswer.raise_for_status()\nprint(answer.json())\n"
    )


def _varied(row: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Return the row with its numbers moved a little, so that an example of many rows is not one row repeated."""
    return {
        name: round(value * (1 + 0.05 * step), 4) if isinstance(value, float) else value for name, value in row.items()
    }


def _literal(body: str) -> str:
    try:
        return pformat(json.loads(body), width=88, sort_dicts=False)
    except ValueError:
        return repr(body)
