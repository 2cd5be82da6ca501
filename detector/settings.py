"""Settings, read once from the environment.

====================  =============================================================  ==================================
variable              meaning                                                        default
====================  =============================================================  ==================================
DETECTOR_HOME         folder of the workspace: ``models/`` and ``data/`` lie in it   the working directory
MODEL_PATH            where the champion is kept as a file of its own                models/anomaly_detector.joblib
DATABASE_URL          SQLAlchemy address of the database                             SQLite in data/detector.db
DETECTOR_MODEL_STORE  where models are: a folder, file://, s3://bucket/prefix, ...   models/
DETECTOR_<FIELD>      every other field below, in capitals                           see the field
====================  =============================================================  ==================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from detector.store.limits import Limits
from detector.store.model_cache import ModelCache
from detector.store.model_store import ModelStore, open_model_store

#: What a person may be in the dashboard; ``none`` keeps people out whom the provider knows.
PersonRole = Literal["viewer", "analyst", "lead", "none"]


class Settings(BaseSettings):
    """What a process of this package needs to know about its surroundings.

    Fields can be given by name (``Settings(home=folder)``) or through the environment. Values that cannot be read raise
    pydantic's ``ValidationError``, which names the field.
    """

    model_config = SettingsConfigDict(
        env_prefix="DETECTOR_",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        protected_namespaces=(),
        env_ignore_empty=True,
    )

    home: Path = Field(default_factory=Path.cwd, description="Folder of the workspace.")
    model_path: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("MODEL_PATH", "DETECTOR_MODEL_PATH"),
        description="File that holds the champion; models/anomaly_detector.joblib in the workspace when unset.",
    )
    database_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL", "DETECTOR_DATABASE_URL"),
        description="SQLAlchemy address; SQLite in the workspace when unset.",
    )
    model_store: str | None = Field(
        default=None,
        repr=False,
        description="Where the versions are: a folder, or an object store by URL, such as s3://bucket/prefix; models/ "
        "in the workspace when unset.",
    )
    model_cache: Path | None = Field(
        default=None,
        description="Folder in which this machine keeps what it fetched from an object store; data/model-cache in the "
        "workspace when unset.",
    )
    model_cache_bytes: int = Field(default=2 * 1024**3, ge=0, description="Most that is kept there.")
    database_connections: int = Field(
        default=15, ge=1, le=1000, description="Most connections of a process to a PostgreSQL server."
    )
    database_connect_seconds: int = Field(default=10, ge=1, description="Time for reaching a PostgreSQL server.")
    database_statement_seconds: int = Field(
        default=60, ge=0, description="Time for one statement on PostgreSQL; 0 sets no limit."
    )
    database_lock_seconds: int = Field(
        default=30, ge=0, description="Time for waiting until others have written, on PostgreSQL; 0 sets no limit."
    )
    api_host: str = Field(default="127.0.0.1", description="Address on which the API listens.")
    api_port: int = Field(default=8000, ge=1, le=65535, description="Port of the API.")
    dashboard_host: str = Field(default="127.0.0.1", description="Address on which the dashboard listens.")
    dashboard_port: int = Field(default=8501, ge=1, le=65535, description="Port of the dashboard.")
    api_address: str | None = Field(
        default=None, description="Where the dashboard finds the API, when not on api_host and api_port."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    min_importance: float = Field(
        default=0.02, ge=0, le=1, description="Rows that carry less of the model's importance than this are not scored."
    )
    update_max_flagged: float = Field(
        default=0.5, ge=0, le=1, description="An update of which the champion flags more than this waits for a person."
    )
    update_min_correlation: float = Field(
        default=0.5,
        ge=-1,
        le=1,
        description="So does one that leaves less rank correlation on its own rows.",
    )
    update_max_shift: float = Field(
        default=0.1, ge=0, le=1, description="So does one that moves the flagged share of these rows by more than this."
    )
    max_upload_bytes: int = Field(default=200 * 1024**2, ge=1, description="Largest file the workspace takes.")
    max_request_rows: int = Field(default=10_000, ge=1, description="Most rows in one request to the API.")
    max_request_bytes: int = Field(default=10 * 1024**2, ge=1, description="Largest body of a request to the API.")
    max_training_rows: int = Field(
        default=2_000_000, ge=1, description="Rows of a file that training holds in memory; beyond, an even sample."
    )
    trusted_network: bool = Field(
        default=False,
        description="Something in front of the ports lets only trusted people in, as a published container port "
        "on loopback does: the dashboard may listen beyond this machine without sign-in.",
    )
    sign_in_file: Path | None = Field(
        default=None,
        description="TOML file whose [auth] names the OpenID Connect provider of the dashboard; "
        ".streamlit/secrets.toml beside app.py when unset.",
    )
    roles: Annotated[Mapping[str, PersonRole], NoDecode] = Field(
        default_factory=dict,
        description="Who is what in the dashboard: e-mail address, group:NAME, sub:ID or * to a role; as JSON, or the "
        "path of a JSON file.",
    )
    sign_in_hours: int = Field(
        default=12, ge=1, le=720, description="So long after signing in a person is asked to do so again."
    )
    requests_per_second: int = Field(
        default=0, ge=0, description="Most requests a second of one key, or of one address without; 0: no limit."
    )
    burst_seconds: int = Field(
        default=10, ge=1, le=60, description="So many seconds' worth of requests may come at once."
    )
    failed_keys_per_minute: int = Field(
        default=10, ge=1, description="Wrong keys that one address may present in a minute."
    )
    webhook_private_hosts: str = Field(
        default="",
        description="Hosts of the own network that webhooks may reach, with commas: alerts.internal, 10.0.0.7:8080.",
    )
    batch_rows: int = Field(default=65_536, ge=1, description="Rows that long work reads, scores and writes at a time.")
    parser_bytes: int = Field(
        default=2 * 1024**3, ge=64 * 1024**2, description="Memory of the process that parses Parquet and Excel."
    )
    parser_seconds: float = Field(default=60, gt=0, description="Time of one step of that process.")

    # What the API takes on at once; docs/limits.md tells what happens at each of these bounds.
    max_connections: int = Field(default=512, ge=1, description="Connections to the API at once.")
    backlog: int = Field(default=1024, ge=1, description="Connections that the system holds until they are accepted.")
    max_predictions_waiting: int = Field(
        default=48, ge=1, description="Single transactions that have arrived and wait to be scored."
    )
    # Two at once take turns on the interpreter's lock so often that both together end later than one after the other.
    max_batches: int = Field(default=1, ge=1, description="Batches and explanations at work at once.")
    max_batches_waiting: int = Field(default=4, ge=0, description="Batches and explanations that wait for their turn.")
    max_trainings: int = Field(default=1, ge=1, description="Trainings and updates at work at once.")
    max_trainings_waiting: int = Field(default=2, ge=0, description="Trainings and updates that wait for their turn.")
    max_others: int = Field(default=8, ge=1, description="Other requests at work at once.")
    max_others_waiting: int = Field(default=32, ge=0, description="Other requests that wait for their turn.")
    max_wait_seconds: float = Field(default=10, gt=0, description="Longest wait for a turn.")
    max_held_bytes: int = Field(
        default=128 * 1024**2, ge=1, description="Bodies in memory at once, over all requests of the API."
    )
    max_head_bytes: int = Field(default=32 * 1024, ge=1024, description="Largest head of a request.")
    max_head_seconds: float = Field(default=10, gt=0, description="Time in which the head of a request must arrive.")
    max_body_seconds: float = Field(default=60, gt=0, description="Time in which a body must arrive.")
    min_body_bytes_per_second: int = Field(
        default=1024, ge=0, description="Least rate of a body, on average, from its fifth second on."
    )
    max_answer_seconds: float = Field(
        default=30, gt=0, description="Time for which a client may leave an answer unread before it is cut off."
    )
    keep_alive_seconds: int = Field(default=30, ge=1, description="Time for which an idle connection is kept.")
    stop_delay_seconds: float = Field(
        default=0.5, ge=0, le=10, description="Time for which requests are still taken after the order to stop."
    )
    stop_seconds: int = Field(default=15, ge=1, le=15, description="Time that accepted requests have at the end.")

    @field_validator("roles", mode="before")
    @classmethod
    def _roles(cls, given: Any) -> Any:
        """Read roles from JSON, or from the file that holds it."""
        if not isinstance(given, str):
            return given
        return json.loads(given if given.lstrip().startswith("{") else Path(given).expanduser().read_text("utf-8"))

    @field_validator("model_store")
    @classmethod
    def _absolute_folder(cls, address: str | None) -> str | None:
        """Keep meaning the same folder when the program changes its working directory."""
        return address if address is None or "://" in address else str(Path(address).expanduser().absolute())

    @field_validator("home", "model_path", "model_cache", "sign_in_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        """Keep meaning the same place when the program changes its working directory."""
        return None if path is None else path.expanduser().absolute()

    @property
    def data_folder(self) -> Path:
        """Folder of the database, the uploads and the runs."""
        return self.home / "data"

    @property
    def webhook_hosts(self) -> tuple[str, ...]:
        """Hosts of the own network that webhooks may reach."""
        return tuple(host.strip().lower() for host in self.webhook_private_hosts.split(",") if host.strip())

    @property
    def models_folder(self) -> Path:
        """Folder of the models, where no other store is named."""
        return self.home / "models"

    @property
    def model_cache_folder(self) -> Path:
        """Folder of what was fetched from an object store."""
        return self.model_cache or self.data_folder / "model-cache"

    def open_models(self) -> ModelStore:
        """Return the model store; raises ``ModelStoreError`` where its address cannot be used here."""
        cache = ModelCache(self.model_cache_folder, self.model_cache_bytes)
        return open_model_store(self.model_store, self.models_folder, cache)

    @property
    def champion_path(self) -> Path:
        """File that the champion is also written to, and imported from when no version exists."""
        return self.model_path or self.models_folder / "anomaly_detector.joblib"

    @property
    def database_address(self) -> str:
        """SQLAlchemy address of the database."""
        return self.database_url or f"sqlite:///{self.data_folder / 'detector.db'}"

    @property
    def database_limits(self) -> Limits:
        """What this process takes of a PostgreSQL server."""
        return Limits(
            connections=self.database_connections,
            connect_seconds=self.database_connect_seconds,
            statement_seconds=self.database_statement_seconds,
            lock_seconds=self.database_lock_seconds,
        )

    @property
    def api_url(self) -> str:
        """Root address of the API, as seen from the dashboard."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - an address to listen on is none to ask
        host = everywhere.get(self.api_host, self.api_host)
        return (self.api_address or f"http://{host}:{self.api_port}").rstrip("/")
