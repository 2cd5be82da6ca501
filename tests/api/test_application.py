import pytest
from jsonschema import Draft202012Validator

TABLE = {
    ("GET", "/"): {"message", "version", "status"},
    ("GET", "/health"): {"status", "model_loaded", "timestamp"},
    ("GET", "/model/info"): {
        "is_fitted", "num_features", "features", "contamination", "n_estimators", "feature_stats", "model_version"
    },
    ("POST", "/train"): {"message", "num_samples", "num_features", "features", "timestamp", "model_version"},
    ("POST", "/predict"): {
        "is_anomaly", "anomaly_score", "prediction", "timestamp", "severity", "cutoff", "model_version",
        "new_features", "missing_features", "reasons",
    },
    ("POST", "/predict/batch"): {"predictions", "total_transactions", "anomalies_detected", "timestamp"},
    ("POST", "/update"): {"message", "num_new_samples", "total_features", "timestamp", "model_version"},
}  # fmt: skip


@pytest.fixture(scope="module")
def description(client):
    return client.get("/openapi.json").json()


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_the_description_names_every_field_of_every_answer(description, method, path):
    answer = description["paths"][path][method.lower()]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = description["components"]["schemas"][answer["$ref"].rsplit("/", 1)[1]]
    assert set(schema["properties"]) >= TABLE[method, path]


def test_the_description_holds_everything_that_it_refers_to(description):
    schemas = description["components"]["schemas"]

    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            value = list(value.values())
        if isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(description))
    assert "#/components/schemas/ProblemDocument" in found
    assert {reference.rsplit("/", 1)[1] for reference in found} <= set(schemas)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/train", "/update"])
def test_bodies_queries_and_problems_are_described(description, path):
    operation = description["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator.check_schema(schema)
    assert {"400", "413", "415", "422"} <= set(operation["responses"])
    assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert ("No model" in operation["responses"]["503"]["description"]) == (path != "/train")
    names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
    assert names == {
        "/train": ["contamination", "n_estimators", "max_samples", "scaler_type", "random_state"],
        "/update": [],
        "/predict/batch": ["explain", "observe", "version"],
    }.get(path, ["explain", "observe"])


def test_what_stands_before_a_door_is_described_where_a_right_is_needed(description):
    for path, operations in description["paths"].items():
        for operation in operations.values():
            open_to_all = path in {"/", "/health", "/ready"}
            assert ({"401", "403", "429"} <= set(operation["responses"])) is not open_to_all, path
            assert "503" in operation["responses"], path


def test_what_was_trained_or_learned_links_to_what_can_be_done_with_it(description):
    for path in ("/train", "/update"):
        links = description["paths"][path]["post"]["responses"]["200"]["links"]
        for link in links.values():
            target = link["operationRef"].removeprefix("#/paths/").rsplit("/", 1)
            assert target[1] in description["paths"][target[0].replace("~1", "/")]


def test_no_field_is_without_a_name_in_the_description_either(description):
    schema = description["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert not Draft202012Validator(schema).is_valid({"data": {"": 1}})


def test_the_described_example_can_be_sent(description, client):
    schema = description["paths"]["/predict/batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    example = schema["properties"]["transactions"]["examples"][0]
    Draft202012Validator(schema).validate({"transactions": example})
    assert client.post("/predict/batch", json={"transactions": example}).status_code == 200


def test_the_pages_of_the_description_are_served(client):
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 200
