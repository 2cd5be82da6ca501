"""The documents that come in and go out, for the OpenAPI description; only trainings are checked by them.

A test holds every answer of the API against its model here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | float | int | bool | None
#: One transaction: no field is without a name.
Transaction = dict[Annotated[str, Field(min_length=1)], Scalar]

_EXAMPLE = {
    "amount": 129.9,
    "merchant": "m-0412",
    "country": "NL",
    "card_present": True,
    "time": "2026-03-01T22:14:05Z",
}


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class TrainOptions(_Document):
    """Parameters of a training, each in the query or in the body; what is left out has its default."""

    contamination: float | None = Field(
        None, gt=0, le=0.5, description="Share of rows to flag by default; 0.1 when left out."
    )
    n_estimators: int | None = Field(None, ge=1, le=10_000, description="Number of trees; 100 when left out.")
    max_samples: int | float | Literal["auto"] | None = Field(
        None, description="Rows a tree is grown from: a count, a share in (0, 1], or auto (256)."
    )
    scaler_type: str | None = Field(None, description="Scale in which deviations are reported; robust when left out.")
    random_state: int | None = Field(None, ge=0, lt=2**32, description="Seed; 42 when left out.")
    roles: dict[str, str] | None = Field(
        None,
        description="What fields are: input, amount, id, time, entity, label or ignored; else inferred. Body only.",
    )


class PredictBody(_Document):
    """One transaction."""

    data: Transaction = Field(description="Fields of one transaction.", examples=[_EXAMPLE])


class TransactionsBody(_Document):
    """Several transactions. A bare array of them is taken too."""

    transactions: list[Transaction] = Field(description="Transactions; their fields may differ.", examples=[[_EXAMPLE]])


class TrainBody(TransactionsBody, TrainOptions):
    """Transactions to train on, and the parameters of the training."""


class DecisionBody(_Document):
    """What a case is, and the revision of the case on which that was decided."""

    outcome: Literal["fraud", "legitimate", "unclear"]
    reason: str = Field(max_length=60, description="Why: a code such as stolen_card or customer_confirmed.")
    revision: int = Field(ge=0, description="As `GET /cases/{case}` told it; 409 when the case has moved on since.")
    note: str = Field("", max_length=4_000)


class ReasonDocument(_Document):
    """Why a transaction scores as it does: one field's part in it."""

    feature: str
    value: Scalar
    contribution: float = Field(description="What the field adds to log2 of the anomaly score.")
    usual: str = Field(description="What the field usually holds.")
    sentence: str


class PredictionDocument(_Document):
    """The verdict on one transaction."""

    is_anomaly: bool
    anomaly_score: float = Field(description="Isolation score in (0, 1); higher is more anomalous.")
    prediction: Literal[-1, 1] = Field(description="-1 anomaly, 1 normal.")
    severity: float = Field(description="Where the score falls among the model's own rows, 0-100.")
    cutoff: float = Field(description="Severity above which a transaction is flagged.")
    model_version: int
    new_features: list[str] = Field(
        description="Fields that the model has not learned; registered, learned by an update."
    )
    missing_features: list[str] = Field(description="Learned fields that the transaction lacks; scored without them.")
    timestamp: datetime
    renamed_features: dict[str, str] | None = Field(
        None, description="Learned fields that came under another name that an update has met, with that name."
    )
    rescaled_features: dict[str, float] | None = Field(
        None, description="Learned fields in another unit that an update has met: what their values were divided by."
    )
    reasons: list[ReasonDocument] | None = Field(None, description="Present when asked for with `explain=true`.")


class BatchDocument(_Document):
    """The verdicts on several transactions, in their order."""

    predictions: list[PredictionDocument]
    total_transactions: int
    anomalies_detected: int
    retyped_features: list[str] = Field(description="Fields that hold another type of value than learned.")
    renamed_features: dict[str, str] = Field(
        description="Learned fields that came under another name, with that name; their values were used."
    )
    rescaled_features: dict[str, float] = Field(
        description="Learned fields that came in another unit: what their values were divided by before scoring."
    )
    model_version: int
    timestamp: datetime


class TrainedDocument(_Document):
    """A finished training; the model answers from now on."""

    message: str
    parameters: dict[str, Any]
    num_samples: int
    num_features: int
    features: list[str]
    left_out: dict[str, str] = Field(description="Fields that were not learned, each with the reason.")
    notes: list[str]
    model_version: int
    timestamp: datetime


class UpdatedDocument(_Document):
    """A finished update; the new version answers from now on, unless it waits for a person."""

    message: str
    num_new_samples: int
    total_features: int
    features: list[str]
    model_version: int
    promoted: bool = Field(description="Whether it answers now. Else it is suspicious and waits for a person.")
    reasons: list[str] = Field(description="Why it was not promoted.")
    timestamp: datetime


class StandingDocument(_Document):
    """How a case stands."""

    case: str = Field(description="The run and the data row, such as 4-1523.")
    status: Literal["open", "escalated", "snoozed", "decided"]
    outcome: Literal["fraud", "legitimate", "unclear"] | None
    reason: str | None
    assignee: str | None
    revision: int = Field(description="Grows by one with each change; a decision names the one that it was made on.")
    changed_at: datetime | None
    changed_by: str | None
    timestamp: datetime


class CaseReasonDocument(_Document):
    """One column's part in the score of a case."""

    feature: str
    contribution: float
    sentence: str


class CaseDocument(StandingDocument):
    """A case: the row as it was scored, why it stands out, and how it stands."""

    file: str
    model_version: int
    cutoff: float
    severity: float = Field(description="When it was detected, 0-100.")
    anomaly_score: float
    priority: float = Field(description="Its severity now, with what was learned from decisions.")
    values: dict[str, Any]
    reasons: list[CaseReasonDocument]


class RootDocument(_Document):
    """What runs here."""

    message: str
    version: str
    status: str


class ReadyDocument(_Document):
    """Whether requests should be sent here, and the state of each part."""

    status: Literal["ready", "not ready"]
    not_ready: list[str] = Field(description="The parts that are in the way.")
    parts: dict[str, str] = Field(
        description="`startup`: done or under way. `database`: answers or does not answer. `model_store`: answers, "
        "does not answer (which is not in the way while a model is loaded) or not asked yet. `model`: loaded, behind "
        "(the champion cannot be read here, and the one before goes on), none yet, cannot be read or not looked up "
        "yet. `intake`: open or closing."
    )
    model_version: int | None = Field(description="The version that answers here.")
    champion_version: int | None = Field(description="The version that is champion; another one while this is behind.")
    timestamp: datetime


class HealthDocument(_Document):
    """Whether the process is alive, and whether it has a model."""

    status: str
    model_loaded: bool
    model_version: int | None
    timestamp: datetime


class ModelDocument(BaseModel):
    """The model that answers now; more fields than these may stand beside them."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    is_fitted: bool
    num_features: int
    features: list[str] = Field(description="Known fields: those learned, and new ones that wait for an update.")
    contamination: float | None
    learned_features: list[str]
    n_estimators: int | None
    feature_stats: dict[str, dict[str, Any]]
    model_version: int | None
    cutoff: float | None


class RequestDocument(_Document):
    """One request that was answered."""

    at: datetime
    method: str
    route: str
    status: int
    milliseconds: float
    request_id: str


class RecentDocument(_Document):
    """The latest requests, newest first."""

    requests: list[RequestDocument]
    total: int = Field(description="Requests answered since the process began.")


class ProblemEntry(_Document):
    """One thing that is wrong in a request."""

    row: int | None
    line: int | None
    column: str | None
    code: str
    message: str
    excerpt: str | None


class CurrentDocument(_Document):
    """Where a name points that has moved in the meantime."""

    alias: str
    version: int | None
    revision: int


class ProblemDocument(_Document):
    """Why a request was not answered (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemEntry]
    total: int
    current: CurrentDocument | None = Field(None, description="After a 409: the state that it has now.")
