from __future__ import annotations

import multiprocessing
from dataclasses import replace
from hashlib import sha256
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from detector.errors import ConflictError, ModelFileError, NotFoundError
from detector.store import audit
from detector.store.database import Database
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


def register_several(address: str, folder: Path, name: int, errors: multiprocessing.SimpleQueue[str]) -> None:
    try:
        database = Database(address)
        database.migrate()
        registry = Registry(folder / "versions", database)
        for turn in range(5):
            registry.register(
                replace(MODEL, content=f"model {name} {turn}".encode()), actor=str(name), alias="champion"
            )
        database.close()
    except Exception as error:  # noqa: BLE001 - told to the test
        errors.put(repr(error))


def test_processes_that_register_at_once_get_numbers_without_gaps(
    address: str, tmp_path: Path, processes: ForkServerContext
) -> None:
    errors = processes.SimpleQueue()
    writers = [processes.Process(target=register_several, args=(address, tmp_path, name, errors)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors.empty(), errors.get()
    database = Database(address)
    registry = Registry(tmp_path / "versions", database)
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
    assert sorted(path.name for path in registry.folder.iterdir()) == [
        f"1-{first.sha256[:12]}.joblib",
        f"2-{second.sha256[:12]}.joblib",
    ]


def test_lanes_are_told_apart(registry: Registry) -> None:
    registry.register(MODEL, actor="ada")
    registry.register(replace(MODEL, lane="demo"), actor="ada")
    assert [version.number for version in registry.list(lane="main")] == [1]
    assert [version.number for version in registry.list(lane="demo")] == [2]


def test_a_changed_file_is_refused_before_it_is_parsed(registry: Registry) -> None:
    info = registry.register(MODEL, actor="ada")
    (registry.folder / f"1-{info.sha256[:12]}.joblib").write_bytes(b"b model")
    with pytest.raises(ModelFileError, match="version 1 is not the one that was registered"):
        registry.get(1)


def test_a_missing_file_names_what_to_restore(registry: Registry) -> None:
    info = registry.register(MODEL, actor="ada")
    name = f"1-{info.sha256[:12]}.joblib"
    (registry.folder / name).unlink()
    with pytest.raises(ModelFileError, match=name):
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
    assert list(registry.folder.iterdir()) == []


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
    assert len(list(registry.folder.iterdir())) == 1


def test_what_goes_with_a_registration_falls_with_it(registry: Registry) -> None:
    def refuse(_connection: object, number: int) -> None:
        raise NotFoundError(f"not {number}")

    with pytest.raises(NotFoundError, match="not 1"):
        registry.register(MODEL, actor="ada", also=refuse)
    assert registry.list() == ()
    assert list(registry.folder.iterdir()) == []


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
