import pytest
from starlette.requests import Request

from detector.api.parameters import read_flag, read_query, read_train_options
from detector.errors import InputError


def request(query):
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


def refused(read, *arguments):
    with pytest.raises(InputError) as caught:
        read(*arguments)
    return caught.value


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("False", False), ("no", False)])
def test_a_flag_says_yes_or_no(text, value):
    assert read_flag(read_query(request(f"explain={text}"), ("explain",)), "explain") is value


def test_a_flag_that_is_not_given_says_no():
    assert read_flag(read_query(request(""), ("explain",)), "explain") is False


def test_a_flag_that_says_neither_is_refused():
    assert refused(read_flag, {"explain": "maybe"}, "explain").problems[0].excerpt == "maybe"


def test_an_unknown_parameter_is_refused_with_the_nearest_known():
    assert "did you mean 'explain'" in str(refused(read_query, request("explian=true"), ("explain",)))


def test_a_parameter_given_twice_is_refused():
    assert "more than once" in str(refused(read_query, request("explain=1&explain=0"), ("explain",)))


def test_train_options_come_from_the_query_and_the_body():
    options = read_train_options({"contamination": "0.2"}, {"n_estimators": 50, "max_samples": "auto"})
    assert (options.contamination, options.n_estimators, options.max_samples) == (0.2, 50, "auto")
    assert read_train_options({"max_samples": "64"}, {}).max_samples == 64
    assert read_train_options({"max_samples": "0.5"}, {}).max_samples == 0.5


@pytest.mark.parametrize(
    ("query", "body", "name"),
    [
        ({"contamination": "much"}, {}, "contamination"),
        ({"contamination": "nan"}, {}, "contamination"),
        ({}, {"contamination": 0.9}, "contamination"),
        ({}, {"n_estimators": True}, "n_estimators"),
        ({}, {"n_estimators": "50"}, "n_estimators"),
        ({"random_state": "1"}, {"random_state": 1}, "random_state"),
        ({}, {"roles": {"a": 1}}, "roles"),
    ],
)
def test_a_bad_train_option_is_named(query, body, name):
    assert refused(read_train_options, query, body).problems[0].column == name
