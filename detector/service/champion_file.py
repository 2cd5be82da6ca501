"""The champion's file at ``MODEL_PATH``: taken in where there is no champion yet, written again when another one is."""

from __future__ import annotations

from hashlib import sha256

import structlog

from detector.core.model import DynamicAnomalyDetector
from detector.durable import write_durably
from detector.errors import ConflictError, ModelFileError
from detector.service.champion import CHAMPION
from detector.service.versions.versioning import new_version
from detector.settings import Settings
from detector.store.locks import file_lock
from detector.store.observed import last_number
from detector.store.registry import Registry

_log = structlog.get_logger(__name__)


class ChampionFile:
    """A copy of the champion beside the registry, for whoever wants one model in one file.

    Attributes
    ----------
    notice : str or None
        A sentence for people when something is wrong with it.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.notice: str | None = None
        self._path = settings.champion_path
        self._lock = settings.data_folder / "champion.lock"
        self._registry = registry

    def take_in(self) -> None:
        """Make the model in the file champion when there is none yet."""
        path = self._path
        if self._registry.alias(CHAMPION) is not None or not path.is_file():
            return
        try:
            content = path.read_bytes()
            with self._registry.database.read() as connection:
                position = last_number(connection)
            detector = DynamicAnomalyDetector.from_bytes(content)
            new = new_version(detector, origin="imported", content=content, position=position)
            self._registry.register(new, actor="system", alias=CHAMPION, expected_revision=0, reason="MODEL_PATH")
        except ConflictError:
            # Another process opened the workspace at the same moment and has imported the same file.
            return
        except (ModelFileError, OSError) as error:
            self.notice = f"The model file {path.name} was not loaded: {error}"
            _log.error("the model file was refused", file=path.name, error=str(error))

    def renew(self) -> None:
        """Write the file where a process died between the promotion and the copy."""
        alias = self._registry.alias(CHAMPION)
        if alias is not None and self._is_behind(alias.version):
            self.write()

    def write(self) -> None:
        """Write the champion into the file; a promotion stands also where that fails."""
        # Two processes that promote at once must not leave the older champion in the file: each writes what it finds.
        with file_lock(self._lock):
            alias = self._registry.alias(CHAMPION)
            if alias is None:
                return
            path = self._path
            try:
                content = self._registry.get(alias.version)
                if not path.is_file() or path.read_bytes() != content:
                    self._keep_foreign()
                    write_durably(path, content)
            except (OSError, ModelFileError) as error:
                told = str((isinstance(error, OSError) and error.strerror) or error).rstrip(".")
                self.notice = f"Version {alias.version} is champion, but {path.name} could not be written: {told}."
                _log.error("the champion's file could not be written", file=path.name, error=told)

    def _keep_foreign(self) -> None:
        """Put a model that somebody saved there, and that is no version here, out of the champion's way."""
        path = self._path
        if not path.is_file():
            return
        found = sha256(path.read_bytes()).hexdigest()
        if not self._registry.holds(found):
            aside = path.with_name(f"{path.stem}.{found[:12]}{path.suffix}")
            path.replace(aside)
            self.notice = f"{path.name} held a model that is no version of this workspace; it is kept as {aside.name}."
            _log.warning("a model of unknown origin was put aside", file=path.name, kept_as=aside.name)

    def _is_behind(self, version: int) -> bool:
        """Whether the file is missing or holds another version; what is none is a person's and stays."""
        if not self._path.is_file():
            return True
        found = sha256(self._path.read_bytes()).hexdigest()
        return found != self._registry.info(version).sha256 and self._registry.holds(found)
