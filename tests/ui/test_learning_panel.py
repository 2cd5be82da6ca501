from detector.service.review.case_ids import CaseId
from detector.service.review.reranking import Kin, Moved
from detector.ui.learning_panel import moved_text, pulled_text

AGAINST = Kin(CaseId(1, 7), fraud=False, likeness=0.4, pull=-0.3)
FOR = Kin(CaseId(1, 9), fraud=True, likeness=0.3, pull=0.2)


def test_a_move_is_put_down_to_the_strongest_pull_that_way():
    assert moved_text(Moved(CaseId(1, 5), 898, 1, (AGAINST, FOR))) == (
        "**1-5** from place 898 to 1, up by case 1-9, decided as fraud (30% alike)"
    )
    assert moved_text(Moved(CaseId(1, 5), 3, 40, (FOR, AGAINST))).endswith(
        "down by case 1-7, decided as legitimate (40% alike)"
    )


def test_a_pull_the_other_way_explains_no_move():
    assert moved_text(Moved(CaseId(1, 5), 92, 21, (AGAINST,))) == "**1-5** from place 92 to 21"


def test_pulls_that_all_point_the_other_way_are_outweighed_by_weaker_ones():
    weaker = "Many weaker ones together weigh more."
    assert pulled_text(100.0, 1.7, (FOR,)).endswith(f"up by case 1-9, decided as fraud (30% alike). {weaker}")
    assert weaker not in pulled_text(100.0, 1.7, (FOR, AGAINST))
    assert pulled_text(90.0, 90.0, (FOR,)).startswith("Decisions left its severity as it was.")
