"""I2: whatever is sent, the API answers as its description says, and never with a fault of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from schemathesis.checks import not_a_server_error
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.python import asgi
from schemathesis.specs.openapi import checks
from starlette.responses import Response

from detector.api import create_app
from detector.api.routes import Endpoints
from detector.service.access import Role
from detector.service.versions.training import TrainParameters, train_rows
from detector.service.workspace import Workspace
from detector.settings import Settings
from trust.guarded import keys_of_all_roles
from trust.promise import Outcome, Promise, Size
from trust.quiet import quiet

#: Who calls: each role with a key, and a program on the same machine while there are no keys; full and short.
CALLERS: tuple[tuple[str, ...], tuple[str, ...]] = (("local", *get_args(Role)), ("local", "analyst"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
#: Requests that are drawn for a path, full and short; each is sent as every caller. A training takes as long as fifty
#: scores.
DRAWN = {"/predict": (900, 12), "/predict/batch": (600, 12), "/train": (80, 2), "/update": (80, 2)}
#: For other doors.
OTHERS = (130, 2)
HERE = "http://127.0.0.1"
#: Calls that are drawn together; what was drawn before is remembered, and more of it slows the drawing down.
AT_A_TIME = 500
#: Most trees that a training here is let to grow.
TREES = 20

_KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.floats(-1e6, 1e6) | st.integers(-5, 10**7) | st.none(),
        "visits": st.integers(0, 9) | st.sampled_from([True, "3", -1]),
        "country": st.sampled_from(["NL", "DE", "FR", "", "<script>", "=1+1", "\u202e"]) | st.none(),
        "card_present": st.booleans() | st.sampled_from(["yes", 0, None]),
    },
)


class Caller:
    """Calls an API of its own, counts the answers, and keeps what was wrong, each once."""

    def __init__(self, name: str, schema: Any, client: Any, headers: Mapping[str, str]) -> None:
        self.name, self.schema, self.client, self.headers = name, schema, client, dict(headers)
        self.answers: Counter[int] = Counter()
        self.faults: dict[str, str] = {}

    def call(self, case: Any) -> Any:
        """Send a case, and check what comes back."""
        try:
            response = case.call(HERE, session=self.client, headers=self.headers)
            self.answers[response.status_code] += 1
        except Exception as error:
            self.answers[0] += 1
            self.faults.setdefault(case.operation.label, f"{case.operation.label}: raised {type(error).__name__}")
            raise
        self.check(response, case)
        return response

    def check(self, response: Any, case: Any) -> None:
        """Hold an answer against the description."""
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseExceptionGroup as group:
            for error in group.exceptions:
                title = getattr(error, "title", type(error).__name__)
                what = f"{case.operation.label}: {response.status_code}: {title}"
                self.faults.setdefault(what, f"{what}: {str(error).strip()[:200]}")


def check(folder: Path, size: Size, broken: bool) -> Outcome:
    """Send random, valid and invalid requests, alone and in sequences, as each kind of caller."""
    quiet()
    breaking: AbstractContextManager[Any] = patch.object(Endpoints, "model_info", _raises) if broken else nullcontext()
    names = size.choose(*CALLERS)[: 1 if broken else None]
    with breaking, ExitStack() as stack:
        callers = [_caller(name, folder / name, stack) for name in names]
        _alone(callers, size)
        for caller in callers:
            _in_sequence(caller, size.times * size.choose(20, 1))
    answers = sum((caller.answers for caller in callers), Counter[int]())
    least = min(caller.answers.total() for caller in callers)
    told = ", ".join(f"{count:,} x {status}" for status, count in sorted(answers.items()))
    return Outcome(
        f"{answers.total():,} calls by {len(callers)} kind(s) of caller, {least:,} or more each: {told}",
        tuple(f"{caller.name}: {fault}" for caller in callers for fault in caller.faults.values()),
    )


def _caller(name: str, folder: Path, stack: ExitStack) -> Caller:
    """Open a workspace and return who calls its API."""
    ws = stack.enter_context(_workspace(folder))
    headers = {} if name == "local" else {"Authorization": f"Bearer {keys_of_all_roles(ws)[name]}"}
    app = create_app(ws)
    schema = schemathesis.openapi.from_dict(app.openapi())
    # A key that is made up is one that is guessed: after ten of them nobody is heard.
    schema.config.generation.update(with_security_parameters=False)
    schema.app = _from_here(app)
    return Caller(name, schema, stack.enter_context(asgi.get_client(schema.app)), headers)


def _from_here(app: Any) -> Any:
    """Let calls come from this machine."""

    async def called(scope: Any, receive: Any, send: Any) -> None:
        await app(scope | {"client": ("127.0.0.1", 4711)} if scope["type"] == "http" else scope, receive, send)

    return called


@contextmanager
def _workspace(folder: Path) -> Iterator[Workspace]:
    ws = Workspace.open(Settings(home=folder, model_path=None, database_url=None, log_level="ERROR"))
    try:
        train_rows(ws, _rows(60), TrainParameters(n_estimators=TREES), actor="trust")
        yield ws
    finally:
        ws.close()


def _rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "amount": 10.0 + (7 * n) % 31,
            "visits": n % 10,
            "country": ("NL", "DE", "FR")[n % 3],
            "card_present": n % 2 == 0,
        }
        for n in range(count)
    ]


def _alone(callers: Sequence[Caller], size: Size) -> None:
    """Draw random requests to each door, and send each as every caller: drawing takes longer than answering."""
    for found in callers[0].schema.get_all_operations():
        operation = found.ok()
        modes = [mode for mode in schemathesis.GenerationMode if len(operation.body) or not mode.is_negative]
        each = size.times * size.choose(*DRAWN.get(operation.path, OTHERS)) // len(modes)
        for mode in modes:
            for begun in range(0, each, AT_A_TIME):
                _many(operation, mode, callers, min(AT_A_TIME, each - begun), begun)


def _many(operation: Any, mode: Any, callers: Sequence[Caller], count: int, number: int) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(len(operation.label) + number)
    @given(operation.as_strategy(generation_mode=mode), st.lists(_KNOWN, max_size=3))
    def send(case: Any, known: list[dict[str, Any]]) -> None:
        if mode.is_positive:
            _with_known(case, known)
        _few_trees(case)
        for caller in callers:
            with suppress(Exception):  # noted by the call
                caller.call(case)

    send()


def _in_sequence(caller: Caller, sequences: int) -> None:
    """Follow the links of the description: what was trained or learned is scored, learned and looked at."""

    class Sequences(caller.schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: Any) -> None:
            _few_trees(case)
            if isinstance(case.body, dict) and isinstance(case.body.get("transactions"), list):
                case.body["transactions"] = [*_rows(12), *case.body["transactions"][:12]][:16]

        def get_call_kwargs(self, _case: Any) -> dict[str, Any]:
            return {"base_url": HERE, "session": caller.client, "headers": caller.headers}

        def after_call(self, response: Any, _case: Any) -> None:
            caller.answers[response.status_code] += 1

        def validate_response(self, response: Any, case: Any, **_options: Any) -> None:
            caller.check(response, case)

    for number in range(sequences):
        try:
            run_state_machine_as_test(
                seed(number)(Sequences),
                settings=settings(
                    max_examples=2, stateful_step_count=8, deadline=None, database=None, phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )  # fmt: skip
        except Flaky:
            # What can be done next depends on what the server holds by now, so a sequence cannot be drawn twice.
            continue
        except Exception as error:  # noqa: BLE001 - an error of the server that nobody answered
            caller.faults.setdefault("sequence", f"a sequence raised {type(error).__name__}")


def _with_known(case: Any, known: list[dict[str, Any]]) -> None:
    """Let rows carry fields that the model knows; without, scores would hardly be reached."""
    if not isinstance(case.body, dict) or not known:
        return
    if isinstance(case.body.get("data"), dict):
        case.body["data"] |= known[0]
    rows = case.body.get("transactions")
    if isinstance(rows, list):
        rows += known


def _few_trees(case: Any) -> None:
    for where in (case.query, case.body):
        if isinstance(where, dict) and isinstance(where.get("n_estimators"), int) and where["n_estimators"] > TREES:
            where["n_estimators"] = TREES


async def _raises(_self: Endpoints, _request: Any) -> Response:
    raise RuntimeError("on purpose")


PROMISE = Promise(
    name="I2",
    says="The API answers as its description says",
    asked="no 5xx and no undocumented answer in 20,000 calls, stateful, in each role",
    breaks="the endpoint that describes the model raises an error",
    check=check,
)
