from __future__ import annotations

import importlib.util
import socket
import sys
import time
from hashlib import sha256
from itertools import count
from multiprocessing.context import ForkServerContext
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from detector.errors import ModelStoreError
from detector.settings import Settings
from detector.store import model_objects
from detector.store.addresses import without_secrets
from detector.store.model_cache import ModelCache
from detector.store.model_folder import FolderStore
from detector.store.model_objects import ANNOUNCED, ObjectStore
from detector.store.model_store import ModelStore, open_model_store
from tests.object_stores import CREDENTIALS, ObjectServer, object_store

DAY = 24 * 3600
NAME = "versions/a.joblib"
#: The identity of a database.
OURS, OTHERS = "0" * 32, "1" * 32


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path: Path) -> ModelCache:
    return ModelCache(tmp_path / "cache", 10_000_000)


@pytest.fixture
def objects(bucket: str, cache: ModelCache) -> ObjectStore:
    return object_store(f"{bucket}/models", cache)


def test_what_was_put_is_there_under_its_name(models: ModelStore) -> None:
    assert (models.exists(NAME), models.names()) == (False, ())
    models.put(NAME, b"a model")
    assert (models.exists(NAME), models.names(), models.get(NAME)) == (True, (NAME,), b"a model")
    assert models.get(NAME, digest(b"a model")) == b"a model"


def test_what_is_there_is_never_overwritten(models: ModelStore) -> None:
    models.put(NAME, b"a model")
    models.put(NAME, b"a model")
    with pytest.raises(ModelStoreError, match=r"versions/a\.joblib"):
        models.put(NAME, b"another")
    assert models.get(NAME) == b"a model"


def test_what_is_not_there_is_told_apart_from_a_store_that_is_away(models: ModelStore) -> None:
    for known in (None, digest(b"a model")):
        with pytest.raises(FileNotFoundError):
            models.get(NAME, known)
    models.delete(NAME)


def test_names_are_listed_by_how_they_begin(models: ModelStore) -> None:
    for name in ("histories/1-a.histories", "histories/1-b.histories", "histories/12-a.histories", "versions/1-x"):
        models.put(name, b"x")
    assert models.names("histories/1-") == ("histories/1-a.histories", "histories/1-b.histories")
    assert models.names("versions/") == ("versions/1-x",)
    assert models.names("nothing/") == ()
    assert len(models.names()) == 4


def test_a_store_says_whether_it_answers(models: ModelStore) -> None:
    assert models.answers()
    models.put(NAME, b"a model")
    assert models.answers()


def test_an_empty_and_a_large_model_are_kept_as_they_are(models: ModelStore) -> None:
    for name, content in (("versions/empty", b""), ("versions/large", bytes(range(256)) * 20_000)):
        models.put(name, content)
        assert models.get(name) == content


NAMES = st.sampled_from(["versions/a", "versions/b", "versions/ä b+c", "histories/a"])
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.binary(max_size=3)),
    st.tuples(st.sampled_from(["get", "exists", "delete"]), NAMES),
    st.tuples(st.just("names"), st.sampled_from(["", "versions/", "versions/a", "other/"])),
)


def done(models: ModelStore, step: tuple[object, ...]) -> object:
    """What a step gives, or the kind of its error."""
    call, *given_ = step
    try:
        return getattr(models, str(call))(*given_)
    except (FileNotFoundError, ModelStoreError) as error:
        return type(error)


def test_both_kinds_of_store_agree_on_any_sequence_of_steps(bucket: str, tmp_path: Path) -> None:
    numbers = count()

    @settings(max_examples=15, database=None)
    @given(steps=st.lists(STEPS, max_size=12))
    def agree(steps: list[tuple[object, ...]]) -> None:
        number = next(numbers)
        objects = object_store(f"{bucket}/{number}", ModelCache(tmp_path / "cache", 10_000_000))
        folder = FolderStore(tmp_path / str(number), "models")
        for step in steps:
            assert done(objects, step) == done(folder, step), step

    agree()


def test_a_version_is_fetched_once_a_machine(objects: ObjectStore, bucket: str, tmp_path: Path) -> None:
    objects.put(NAME, b"a model")
    other = object_store(f"{bucket}/models", ModelCache(tmp_path / "another machine", 10_000_000))
    assert other.get(NAME, digest(b"a model")) == b"a model"
    objects.delete(NAME)
    # Neither asks again: who put it kept it, and who fetched it too.
    for store in (objects, other):
        assert store.get(NAME, digest(b"a model")) == b"a model"


def test_what_comes_damaged_is_handed_out_for_the_caller_to_refuse_and_not_kept(
    objects: ObjectStore, bucket: str, cache: ModelCache
) -> None:
    object_store(f"{bucket}/models", ModelCache(cache.folder.with_name("another"), 10_000_000)).put(NAME, b"b model")
    assert objects.get(NAME, digest(b"a model")) == b"b model"
    assert list(cache.folder.glob("*.model")) == []


def test_an_announced_file_that_no_row_came_to_name_is_removed_after_a_day(objects: ObjectStore) -> None:
    for file in ("a.joblib", "b.joblib"):
        objects.announce(file, OURS)
        objects.put(f"versions/{file}", b"a model")
    objects.put("versions/c.joblib", b"of an unknown database")
    objects.sweep(OURS, set, DAY)
    assert len(objects.names()) == 3
    with time_machine.travel(time.time() + 2 * DAY):
        objects.sweep(OURS, lambda: {"b.joblib"}, DAY)
    assert objects.names() == ("versions/b.joblib", "versions/c.joblib")
    assert objects._listed(ANNOUNCED) == []


@pytest.fixture(params=["s3", "memory"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, cache: ModelCache) -> ObjectStore:
    """A store that two databases use with one prefix."""
    if request.param == "s3":
        return object_store(f"{request.getfixturevalue('bucket')}/models", cache)
    return ObjectStore(f"memory://{tmp_path.name}/models", cache)


@pytest.mark.parametrize("sweeper", [OURS, None])
def test_what_another_database_announced_and_could_not_settle_stays(shared: ObjectStore, sweeper: str | None) -> None:
    shared.announce("a.joblib", OTHERS)
    shared.put(NAME, b"a model that the other database names")
    shared.sweep(sweeper, set, -60)
    assert shared.get(NAME) == b"a model that the other database names"
    shared.sweep(OTHERS, lambda: {"a.joblib"}, -60)
    assert shared._listed(ANNOUNCED) == []
    assert shared.names() == (NAME,)


def test_an_announcement_is_settled_by_who_made_it(shared: ObjectStore) -> None:
    shared.announce("a.joblib", OTHERS)
    shared.settle("a.joblib", OURS)
    assert shared._listed(ANNOUNCED) == [f"announced/{OTHERS}/a.joblib"]
    shared.settle("a.joblib", OTHERS)
    assert shared._listed(ANNOUNCED) == []


def test_a_folder_loses_only_what_was_not_finished(tmp_path: Path) -> None:
    models = FolderStore(tmp_path, "models")
    models.announce("a.joblib", OURS)
    models.put(NAME, b"a model")
    (tmp_path / "versions" / ".b.part").write_bytes(b"half")
    assert models.names() == (NAME,)
    models.sweep(OURS, set, DAY)
    assert (tmp_path / "versions" / ".b.part").exists()
    models.sweep(None, set, -60)
    assert [path.name for path in (tmp_path / "versions").iterdir()] == ["a.joblib"]


@pytest.fixture
def away(bucket: str, cache: ModelCache, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A store that was there and is gone."""
    server = ObjectServer()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    models = ObjectStore(f"{bucket}/models", cache)
    assert models.answers()
    server.stop()
    return models


def test_a_store_that_is_away_is_told_in_a_sentence_without_any_secret(away: ObjectStore) -> None:
    for ask in (
        lambda: away.put(NAME, b"a model"),
        lambda: away.get(NAME),
        lambda: away.exists(NAME),
        away.names,
        lambda: away.delete(NAME),
        lambda: away.announce("a", OURS),
        lambda: away.sweep(OURS, set, DAY),
    ):
        with pytest.raises(ModelStoreError, match=r"The model store s3://test-\d+/models cannot be used \(") as told:
            ask()
        assert told.value.__cause__ is None
        assert told.value.__suppress_context__
        assert "Could not connect" in told.value.message
    assert not away.answers()


def test_what_a_library_says_is_told_without_secrets(
    bucket: str, cache: ModelCache, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://someone:letmein@127.0.0.1:{object_server.port}/{secret}")
    with pytest.raises(ModelStoreError) as told:
        ObjectStore(f"{bucket}/models", cache).names()
    assert "letmein" not in told.value.message
    assert secret not in told.value.message
    assert without_secrets(f"{secret} at ftp://a:letmein@b/c") == "[password] at ftp://a:[password]@b/c"


def test_settling_later_is_only_logged(away: ObjectStore) -> None:
    with capture_logs() as logs:
        away.settle("a.joblib", OURS)
    assert [entry["event"] for entry in logs] == ["an announced model is settled later"]


def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up(
    bucket: str, cache: ModelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_objects, "_S3", {"config_kwargs": {"read_timeout": 0.1, "retries": {"max_attempts": 0}}})
    monkeypatch.setattr(model_objects, "WRITE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        models = ObjectStore(f"{bucket}/models", cache)
        for ask in (lambda: models.put(NAME, b"a model"), lambda: models.announce("a", OURS), lambda: models.get(NAME)):
            with pytest.raises(ModelStoreError, match="cannot be used"):
                ask()
        assert not models.answers()


def test_a_bucket_that_is_not_there_does_not_answer(bucket: str, cache: ModelCache) -> None:
    models = object_store(f"{bucket}-else/models", cache)
    assert not models.answers()
    with pytest.raises(ModelStoreError, match="bucket does not exist"):
        models.put(NAME, b"a model")


@pytest.mark.parametrize("missing", ["fsspec", "s3fs"])
def test_a_missing_package_is_named(missing: str, cache: ModelCache, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(model_objects, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(ModelStoreError, match=f"needs the package {missing}: pip install -r requirements-s3.txt"):
        ObjectStore("s3://bucket/models", cache)


def test_an_address_of_no_known_kind_is_refused_when_it_is_used(cache: ModelCache) -> None:
    with pytest.raises(ModelStoreError, match="Protocol not known: nonsense"):
        ObjectStore("nonsense://bucket/models", cache).names()


def test_credentials_in_the_address_of_a_bucket_are_refused_and_not_repeated(cache: ModelCache) -> None:
    with pytest.raises(ModelStoreError, match="set AWS_ACCESS_KEY_ID") as told:
        ObjectStore("s3://someone:letmein@bucket/models", cache)
    assert "letmein" not in str(told.value)


def test_a_password_in_another_address_is_shown_to_nobody(cache: ModelCache) -> None:
    address = "ftp://someone:let@me/in@files.example/models"
    assert ObjectStore(address, cache).place == "ftp://someone:[password]@me/in@files.example/models"
    assert "let" not in repr(Settings(model_store="ftp://someone:letmein@files.example/models"))


@pytest.mark.parametrize("address", ["memory://store/models", "memory://store/"])
def test_any_store_that_fsspec_knows_will_do(address: str, cache: ModelCache) -> None:
    models = ObjectStore(address, cache)
    assert models.answers()
    models.put(NAME, b"a model")
    assert (models.names(), models.get(NAME), models.exists(NAME)) == ((NAME,), b"a model", True)
    with pytest.raises(ModelStoreError):
        models.put(NAME, b"another")
    models.announce("a.joblib", OURS)
    models.sweep(OURS, set, -60)
    assert models.names() == ()


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_named_by_its_path_or_as_a_url(form: str, tmp_path: Path, cache: ModelCache) -> None:
    models = open_model_store(form.format(tmp_path / "shared"), tmp_path / "models", cache)
    assert isinstance(models, FolderStore)
    assert (models.folder, models.place) == (tmp_path / "shared", str(tmp_path / "shared"))


def test_a_relative_folder_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings_ = Settings(home=tmp_path, model_store="shared")
    monkeypatch.chdir("/")
    assert settings_.open_models().place == str(tmp_path / "shared")


def loaded(told: SimpleQueue[list[str]]) -> None:
    open_model_store("s3://bucket/models", Path("models"), ModelCache(Path("cache"), 9))
    told.put([name for name in ("fsspec", "s3fs", "aiobotocore", "aiohttp") if name in sys.modules])


def test_nothing_of_an_object_store_is_loaded_before_it_is_asked(processes: ForkServerContext) -> None:
    told = processes.SimpleQueue()
    process = processes.Process(target=loaded, args=(told,))
    process.start()
    process.join()
    assert told.get() == []
