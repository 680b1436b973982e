"""The table of what each argument of the streams moves."""

import pytest

from benchmarks.knobs import GROUPS, PAGE, Group, measure, moved, page


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group.knob}-{group.task}")
def test_each_knob_moves_one_quantity(group: Group) -> None:
    assert moved([measure(group.task, row) for row in group.rows]) == [group.moves]


def test_the_page_shows_what_is_computed() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
