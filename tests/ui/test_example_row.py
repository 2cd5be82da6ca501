from types import SimpleNamespace

from detector.ui.example_row import BEFORE_TRAINING, example_row


def champion(**figures):
    learned = tuple(SimpleNamespace(name=name, derived=False) for name in figures)
    return SimpleNamespace(detector=SimpleNamespace(schema_=SimpleNamespace(learned=learned), feature_stats=figures))


def test_without_a_model_the_example_is_a_made_up_transaction():
    assert example_row(None) == BEFORE_TRAINING


def test_each_column_holds_what_is_usual_in_it():
    row = example_row(
        champion(
            amount={"kind": "numeric", "median": 20.123456, "top": []},
            merchant={"kind": "categorical", "median": None, "top": [{"category": "m-1", "share": 0.2}]},
            present={"kind": "boolean", "median": None, "top": [{"category": "true", "share": 0.9}]},
            when={"kind": "datetime", "median": 1772366400.5, "top": []},
            hours={"kind": "numeric", "median": 2.0, "top": []},
            empty={"kind": "numeric", "median": None, "top": []},
        )
    )
    assert row == {
        "amount": 20.12,
        "merchant": "m-1",
        "present": True,
        "when": "2026-03-01T12:00:00+00:00",
        "hours": 2,
        "empty": None,
    }
