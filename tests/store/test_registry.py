from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from detector.errors import ConflictError, ModelFileError, ModelStoreError, NotFoundError
from detector.store import audit, tables
from detector.store.database import Database
from detector.store.identity import identity_of
from detector.store.model_cache import ModelCache
from detector.store.model_objects import ANNOUNCED, ObjectStore
from detector.store.model_store import ModelStore, open_model_store
from detector.store.registry import Registry
from detector.store.versions import NewVersion

MODEL = NewVersion(
    content=b"a model",
    origin="trained",
    rows=10,
    features=("amount",),
    contamination=0.1,
    cutoff=90.0,
    figures={"a": 1},
)


def damage(registry: Registry, file: str, content: bytes) -> None:
    """Change a file where it is kept, and forget what was kept nearby."""
    registry.models.delete(f"versions/{file}")
    registry.models.put(f"versions/{file}", content)
    for path in cache_of(registry).glob("*.model"):
        path.unlink()


def cache_of(registry: Registry) -> Path:
    return registry.models._cache.folder if isinstance(registry.models, ObjectStore) else Path("/nowhere")


def register_several(
    address: str,
    store: tuple[str | None, dict[str, str]],
    folder: Path,
    name: int,
    many: int,
    errors: multiprocessing.SimpleQueue[str],
) -> None:
    try:
        os.environ.update(store[1])
        database = Database(address)
        database.migrate()
        models = open_model_store(store[0], folder / "models", ModelCache(folder / "cache", 10_000_000))
        registry = Registry(models, database)
        for turn in range(many):
            registry.register(
                replace(MODEL, content=f"model {name} {turn}".encode()), actor=str(name), alias="champion"
            )
        database.close()
    except Exception as error:  # noqa: BLE001 - told to the test
        errors.put(repr(error))


def test_processes_that_register_at_once_get_numbers_without_gaps(
    address: str, models: ModelStore, tmp_path: Path, processes: ForkServerContext
) -> None:
    errors = processes.SimpleQueue()
    store, writing = (None, dict[str, str]()), 4
    if isinstance(models, ObjectStore):
        # Each of these loads the library, which costs more than all that it then does.
        store, writing = (models.place, {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}), 2
    writers = [
        processes.Process(target=register_several, args=(address, store, tmp_path, name, 20 // writing, errors))
        for name in range(writing)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors.empty(), errors.get()
    database = Database(address)
    registry = Registry(models, database)
    versions = registry.list()
    assert [version.number for version in versions] == list(range(20, 0, -1))
    assert len({registry.get(version.number) for version in versions}) == 20
    alias = registry.alias("champion")
    assert alias is not None
    assert (alias.version, alias.revision) == (20, 20)
    with database.read() as connection:
        assert len(audit.entries(connection, limit=100)) == 40
    database.close()


def test_a_version_keeps_its_bytes_and_what_is_known_of_it(registry: Registry) -> None:
    first = registry.register(MODEL, actor="ada")
    second = registry.register(replace(MODEL, content=b"another", parent=1, origin="updated"), actor="ada")
    assert registry.get(1) == b"a model"
    assert registry.info(1) == first
    assert first.sha256 == sha256(b"a model").hexdigest()
    assert (first.number, first.size, first.parent, first.features, first.figures) == (
        1,
        7,
        None,
        ("amount",),
        {"a": 1},
    )
    assert (second.number, second.parent, second.origin) == (2, 1, "updated")
    names = sorted(name.split("-")[0] for name in registry.models.names())
    assert names == sorted([f"versions/{first.sha256[:12]}", f"versions/{second.sha256[:12]}"])


def test_two_versions_of_one_content_have_a_file_each(registry: Registry) -> None:
    registry.register(MODEL, actor="ada")
    registry.register(MODEL, actor="ada")
    assert registry.get(1) == registry.get(2)
    assert len(registry.models.names()) == 2


def test_lanes_are_told_apart(registry: Registry) -> None:
    registry.register(MODEL, actor="ada")
    registry.register(replace(MODEL, lane="demo"), actor="ada")
    assert [version.number for version in registry.list(lane="main")] == [1]
    assert [version.number for version in registry.list(lane="demo")] == [2]


def test_a_changed_file_is_refused_before_it_is_parsed(registry: Registry) -> None:
    registry.register(MODEL, actor="ada")
    (name,) = registry.models.names()
    damage(registry, name.removeprefix("versions/"), b"b model")
    with pytest.raises(ModelFileError, match="version 1 is not the one that was registered"):
        registry.get(1)


def test_a_missing_file_names_what_to_restore(registry: Registry) -> None:
    registry.register(MODEL, actor="ada")
    (name,) = registry.models.names()
    registry.models.delete(name)
    for path in cache_of(registry).glob("*.model"):
        path.unlink()
    with pytest.raises(ModelFileError, match=f"Restore {registry.models.place}/{name} from a backup"):
        registry.get(1)


def test_an_unknown_version_is_not_found(registry: Registry) -> None:
    for ask in (registry.get, registry.info):
        with pytest.raises(NotFoundError, match="no version 3"):
            ask(3)
    with pytest.raises(NotFoundError, match="no version 3"):
        registry.move_alias("champion", 3, expected_revision=None, actor="ada")
    with pytest.raises(NotFoundError, match="no version 3"):
        registry.register(replace(MODEL, parent=3), actor="ada")
    assert registry.list() == ()
    assert registry.models.names() == ()


def test_an_alias_moves_only_from_the_revision_that_was_seen(registry: Registry) -> None:
    registry.register(MODEL, actor="ada", alias="champion", expected_revision=0)
    registry.register(MODEL, actor="ada")
    moved = registry.move_alias("champion", 2, expected_revision=1, actor="ada", reason="better")
    assert (moved.version, moved.revision, moved.moved_by) == (2, 2, "ada")
    with pytest.raises(ConflictError, match="it is version 2 now"):
        registry.move_alias("champion", 1, expected_revision=1, actor="eve")
    assert registry.alias("champion") == moved


def test_a_registration_that_comes_too_late_leaves_nothing(registry: Registry) -> None:
    registry.register(MODEL, actor="ada", alias="champion", expected_revision=0)
    with pytest.raises(ConflictError):
        registry.register(replace(MODEL, content=b"late"), actor="eve", alias="champion", expected_revision=0)
    assert [version.number for version in registry.list()] == [1]
    assert len(registry.models.names()) == 1


def test_what_goes_with_a_registration_falls_with_it(registry: Registry) -> None:
    def refuse(_connection: object, number: int) -> None:
        raise NotFoundError(f"not {number}")

    with pytest.raises(NotFoundError, match="not 1"):
        registry.register(MODEL, actor="ada", also=refuse)
    assert registry.list() == ()
    assert registry.models.names() == ()


def test_each_change_leaves_a_trace_with_its_actor(registry: Registry, database: Database) -> None:
    registry.register(MODEL, actor="ada", alias="champion")
    registry.register(MODEL, actor="bob")
    registry.move_alias("champion", 2, expected_revision=1, actor="cleo", reason="because")
    with database.read() as connection:
        entries = audit.entries(connection)
    assert [(entry.actor, entry.action, entry.subject) for entry in reversed(entries)] == [
        ("ada", "version trained", "version 1"),
        ("ada", "champion moved", "version 1"),
        ("bob", "version trained", "version 2"),
        ("cleo", "champion moved", "version 2"),
    ]
    assert entries[0].details == {"before": 1, "revision": 2, "reason": "because"}


@pytest.mark.parametrize("version", [0, -1, 2**31, 2**63, 10**40, -(10**40)])
def test_a_number_that_no_version_can_have_is_not_found(registry: Registry, version: int) -> None:
    with pytest.raises(NotFoundError, match="There is no version"):
        registry.get(version)


def test_bytes_are_a_version_once_they_are_registered(registry: Registry) -> None:
    digest = sha256(b"a model").hexdigest()
    assert not registry.holds(digest)
    registry.register(replace(MODEL, content=b"a model"), actor="ada")
    assert registry.holds(digest)
    assert not registry.holds(digest.upper())


def announced(registry: Registry) -> list[str]:
    return registry.models._listed(ANNOUNCED) if isinstance(registry.models, ObjectStore) else []


def test_nothing_stays_announced_whether_a_registration_came_to_be_or_not(registry: Registry) -> None:
    registry.register(MODEL, actor="ada", alias="champion")
    assert announced(registry) == []
    with pytest.raises(NotFoundError):
        registry.register(replace(MODEL, parent=9), actor="ada")
    assert announced(registry) == []


def test_who_comes_too_late_moves_no_file(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.register(MODEL, actor="ada", alias="champion", expected_revision=0)
    monkeypatch.setattr(registry.models, "put", lambda *_: pytest.fail("a file was moved"))
    with pytest.raises(ConflictError):
        registry.register(MODEL, actor="eve", alias="champion", expected_revision=0)


def test_a_store_that_refuses_costs_no_number_and_leaves_no_row(
    registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ModelStoreError("away")

    with monkeypatch.context() as away:
        away.setattr(registry.models, "put", refuse)
        with pytest.raises(ModelStoreError):
            registry.register(MODEL, actor="ada", alias="champion")
    assert registry.list() == ()
    assert registry.alias("champion") is None
    with database.read() as connection:
        assert audit.entries(connection) == ()
    assert registry.register(MODEL, actor="ada").number == 1


def test_a_file_stays_when_the_answer_to_its_commit_was_lost(
    registry: Registry, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = database.write

    @contextmanager
    def cut_off(**given: bool) -> Iterator[Connection]:
        with write(**given) as connection:
            yield connection
        raise OSError("the connection is gone")

    own = identity_of(database)
    with monkeypatch.context() as broken:
        broken.setattr(database, "write", cut_off)
        with pytest.raises(OSError, match="gone"):
            registry.register(MODEL, actor="ada")
    assert registry.get(1) == b"a model"
    registry.models.sweep(own, lambda: named(database), age=-60)
    assert registry.get(1) == b"a model"
    assert announced(registry) == []


def named(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.scalars(select(tables.versions.c.file)))
