"""Memory maps: their numbers by hand, what every cell shows, the picture and the page."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from agents import MemoryPPO, Supervised, make_vec_env
from agents.cells import CELLS
from agents.evaluation.memory_map import MemoryMap, compute, memory_map, picture
from agents.evaluation.memory_map.compute import likeness
from agents.evaluation.memory_map.labels import step_labels
from agents.evaluation.memory_map.page import memory_map_html, memory_map_page, page_data
from agents.evaluation.memory_map.picture import memory_map_png
from agents.evaluation.plots import PALE
from agents.evaluation.trace import Trace, run_trace
from tests.agents.cells.test_traced import KEYED
from tests.agents.evaluation.test_trace import colors, rgb
from tests.agents.evaluation.test_trace_page import NASTY, browse, embedded
from tests.browser import NEEDS_BROWSER

ENV = "Tape-Copy-Easy-v0"
FOUR = [
    "values read in t2 against values written in t1",
    "values written in t2 against values written in t1",
    "write keys in t2 against write keys in t1",
    "read keys in t2 against write keys in t1",
]
NAN = np.nan


def made(steps: int, **seen: Any) -> Trace:
    """A trace of which only what was seen of the agent matters."""
    return Trace(
        env="Some-v0",
        model="some",
        seed=0,
        success=None,
        observations=[np.zeros(3)] * steps,
        actions=[{"action": str(step)} for step in range(steps)],
        rewards=np.zeros(steps),
        seen={name: np.array(numbers, np.float64) for name, numbers in seen.items()},
    )


def numbers_of(found: MemoryMap) -> dict[str, Any]:
    return {part.name: part.numbers.round(12).tolist() for part in found.maps}


def test_likeness_is_the_cosine_of_the_most_alike_heads() -> None:
    east, north, west, nothing = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]
    one = np.array([[[2.0, 0.0]], [[3.0, 4.0]], [nothing]])
    two = np.array([[east, north], [west, west], [nothing, west]])
    expected = np.array([[1.0, -1.0, 0.0], [0.8, -0.6, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(likeness(one, two), expected)
    np.testing.assert_allclose(likeness(two, one), expected.T)
    assert (np.abs(likeness(one * 1e3 / 7, one)) <= 1).all(), "not even by rounding"


def test_each_map_compares_what_its_name_says() -> None:
    trace = made(
        2,
        write_keys=[[[1, 0]], [[0, 1]]],
        write_values=[[[1, 0, 0]], [[0.6, 0.8, 0]]],
        read_keys=[[[0, 2]], [[3, 0]]],
        read_values=[[[0, 0, 1]], [[5, 0, 0]]],
    )
    expected = [
        [[0, NAN], [1, 0.6]],
        [[1, 0.6], [0.6, 1]],
        [[1, 0], [0, 1]],
        [[0, NAN], [1, 0]],
    ]
    found = memory_map(trace)
    np.testing.assert_equal(numbers_of(found), dict(zip(FOUR, expected, strict=True)))
    assert {(part.down, part.right, part.lowest) for part in found.maps} == {("step", "step", -1)}
    assert found.labels == ["0", "1"], "the actions, where nothing seen is one symbol"
    assert found.note == ""


def test_what_changes_over_time_runs_to_the_right() -> None:
    trace = made(
        3,
        output=np.ones((3, 1)),
        read_weights=[[[1, 0], [0, 1]], [[0.5, 0.5], [0, 1]], [[0, 1], [1, 0]]],
        write_weights=np.full((3, 1, 2), 0.25),
        usage=[[0, 0], [0.5, 0], [0.5, 1]],
        write_gate=[[[0.1]], [[0.2]], [[0.3]]],
        write_rates=[[0.1, 0.9]] * 3,
        links=np.arange(12).reshape(3, 2, 2) / 12,
        strengths=np.ones((3, 1)),
    )
    found = memory_map(trace, linked=2)
    expected = {
        "outputs, t2 against t1": [[1] * 3] * 3,
        "read weights of head 1": [[1, 0.5, 0], [0, 0.5, 1]],
        "read weights of head 2": [[0, 0, 1], [1, 1, 0]],
        "write weights": [[0.25] * 3] * 2,
        "usage": [[0, 0.5, 0.5], [0, 0, 1]],
        "write gate": [[0.1, 0.2, 0.3]],
        "write rates": [[0.1] * 3, [0.9] * 3],
        "links after step 2: row written right after column": [
            [round(4 / 12, 12), round(5 / 12, 12)],
            [0.5, round(7 / 12, 12)],
        ],
    }
    assert numbers_of(found) == expected
    assert [part.down for part in found.maps[1:]] == ["slot"] * 4 + ["gate", "rate", "slot"]
    assert "This memory shows no keys and values" in found.note
    assert "after step 3" in memory_map(trace).maps[-1].name
    for step in (0, 4):
        with pytest.raises(ValueError, match=f"linked is {step}; allowed: integers from 1 to 3"):
            memory_map(trace, linked=step)


def test_who_shows_nothing_has_no_map() -> None:
    assert memory_map(made(2)).maps == []
    assert memory_map(run_trace("oracle", ENV, seed=3)).maps == []
    assert memory_map(made(2, output=np.ones((2, 0)), write_gate=np.ones((2, 1)))).maps == []


def test_a_cell_of_one_s_own_may_have_no_heads_and_no_common_space() -> None:
    keys, values = [[1, 0], [0, 1]], [[1, 0, 0], [0, 1, 0]]
    found = memory_map(made(2, write_keys=keys, write_values=values, read_values=keys))
    assert numbers_of(found) == {name: [[1, 0], [0, 1]] for name in FOUR[1:3]}


def test_of_a_long_episode_the_beginning_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "MOST_STEPS", 4)
    found = memory_map(made(6, output=[[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1]]))
    blocks = np.kron(np.eye(2), np.ones((2, 2)))
    np.testing.assert_array_equal(found.maps[0].numbers, blocks)
    assert found.labels == ["0", "1", "2", "3"]
    assert found.note.endswith("The first 4 of 6 steps.")


@pytest.mark.parametrize("number", [NAN, np.inf])
def test_numbers_that_are_none_are_not_shown(number: float) -> None:
    found = memory_map(made(2, output=[[number], [1]]))
    np.testing.assert_equal(found.maps[0].numbers, [[NAN, NAN], [NAN, 1]])


@pytest.mark.parametrize("memory", CELLS)
def test_every_cell_has_a_map(memory: str) -> None:
    env = make_vec_env(ENV, 1)
    kwargs = {"memory": memory}
    model = MemoryPPO("MemoryPolicy", env, n_steps=2, batch_size=2, policy_kwargs=kwargs)
    found = memory_map(run_trace(model, ENV, 3, env_kwargs={"on_error": "continue"}))
    names = [part.name for part in found.maps]
    assert names[:4] == FOUR if memory in KEYED else names[0] == "outputs, t2 against t1"
    assert (found.note == "") == (memory in KEYED)
    assert len(names) == len(set(names))
    for part in found.maps:
        there = part.numbers[np.isfinite(part.numbers)]
        assert there.size
        assert ((there >= part.lowest) & (there <= 1 + 1e-6)).all(), part.name
        if part.down == part.right == "step":
            blank = np.isnan(part.numbers)
            assert (blank == np.triu(np.full_like(blank, "read" in part.name), 1)).all()


def test_a_step_is_called_by_what_was_seen_and_emitted() -> None:
    trace = run_trace("oracle", "Tape-ForwardReverse-Easy-v0", seed=3)
    output = trace.history.output
    assert output is not None
    size = len(output.target)
    string = [str(symbol) for symbol in output.target[:-1][::-1]]
    labels = step_labels(trace)
    assert labels[:size] == [*string, "■"]
    assert [label.split("→")[1] for label in labels[size:]] == [*string[::-1], "■"]
    maze = run_trace("oracle", "Maze-InvisibleGoal-9x9-v0", seed=3)
    assert set(step_labels(maze)) <= set("←→↑↓")
    number = made(1)
    number.observations[:] = [np.int64(3)]
    assert step_labels(number) == ["3"]


def test_steps_with_an_answer_stand_out_if_they_are_the_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(picture, "save_png", lambda figure, path: figures.append(figure))
    kwargs = {"level": "sentence", "split": "test"}
    env = make_vec_env("Stream-bAbI-QA1-v0", 1, **kwargs)  # type: ignore[arg-type]
    policy_kwargs = {"memory": "gated-delta", "net_arch": []}
    model = Supervised("MemoryPolicy", env, seed=0, policy_kwargs=policy_kwargs)
    found = memory_map(run_trace(model, "Stream-bAbI-QA1-v0", 3, env_kwargs=kwargs))
    assert len(found.labels) == 15
    assert sum(found.marked) == 5
    for label, marked in zip(found.labels, found.marked, strict=True):
        assert re.fullmatch(
            r"where is \w+ \? →\S+" if marked else r"\w+ \w+ .*to the \w+ \.", label
        )
    memory_map_png(found, tmp_path / "map.png")
    courses = [ax for ax in figures[0].axes if ax.get_ylabel() in ("rate", "gate")]
    names = [[label.get_text() for label in ax.get_xticklabels()] for ax in courses]
    assert names[-1] == found.labels
    assert all(not any(each) for each in names[:-1]), "once is enough"
    for axis in (figures[0].axes[0].xaxis, figures[0].axes[0].yaxis):
        bold = [label.get_fontweight() == "bold" for label in axis.get_ticklabels()]
        assert bold == found.marked
    emitting = memory_map(run_trace("oracle", ENV, seed=3))
    assert not any(emitting.marked)


def shown() -> MemoryMap:
    vectors = [[[1, 0]], [[0, 1]], [[-1, 0]]]
    trace = made(3, write_keys=vectors, read_keys=vectors, write_gate=[[0], [0.5], [1]])
    trace.actions[0]["action"] = NASTY
    return memory_map(trace)


def test_the_page_holds_the_numbers_and_loads_nothing() -> None:
    found = shown()
    page = memory_map_page(found)
    data = embedded(page)
    assert data == page_data(found)
    assert data["labels"][0] == NASTY
    assert data["marked"] == [False] * 3
    for kept, part in zip(data["maps"], found.maps, strict=True):
        read = np.frombuffer(base64.b64decode(kept["hundredths"]), np.int8).astype(float)
        read = np.where(read == -128, NAN, read / 100).reshape(kept["rows"], kept["columns"])
        np.testing.assert_allclose(read, part.numbers, rtol=0, atol=0.005)
    assert page.count("<script") == page.count("</script>") == 2
    assert "alert(1)</script>" not in page
    assert not re.search(r"(?:src|href)=(?!\"data:,\")|@import|url\(|https?://", page)
    assert "default-src 'none'" in page
    assert "{{" not in page.replace("{{data}}", "")


@pytest.mark.parametrize("steps", [1, 60])
def test_the_picture_is_drawn(steps: int, tmp_path: Path) -> None:
    found = memory_map(made(steps, output=np.ones((steps, 2)), write_gate=np.zeros((steps, 9))))
    memory_map_png(found, tmp_path / "map.png")
    assert {rgb("#0b2a66"), rgb(PALE)} <= colors(tmp_path / "map.png"), "1 and 0"
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_nothing_of_the_picture_is_cut_off_or_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(picture, "save_png", lambda figure, path: figures.append(figure))
    trace = made(22, output=np.arange(44).reshape(22, 2), write_gate=np.zeros((22, 3)))
    for action in trace.actions:
        action["action"] += "→long"
    vectors = np.eye(3)[:, None]
    squares = made(3, write_keys=vectors, write_values=vectors, read_keys=vectors)
    alone = memory_map(made(22, output=np.ones((22, 2))))
    for found in (alone._replace(labels=step_labels(trace)), memory_map(trace)):
        memory_map_png(found, tmp_path / "map.png")
    memory_map_png(memory_map(squares), tmp_path / "map.png")
    for figure in figures:
        canvas: Any = FigureCanvasAgg(figure)  # Matplotlib gives these methods no types
        canvas.draw()
        inside = figure.get_tightbbox(canvas.get_renderer())
        width, height = figure.get_size_inches()
        assert 0 <= inside.x0 < inside.x1 <= width
        assert 0 <= inside.y0 < inside.y1 <= height
    square, course = figures[1].axes[::2]  # a bar of colours is beside each
    assert (square.get_xlabel(), square.get_ylabel()) == ("step t1", "step t2")
    assert (course.get_xlabel(), course.get_ylabel()) == ("step", "gate")
    for axis in (square.xaxis, square.yaxis, course.xaxis):
        assert axis.get_ticklocs().tolist() == list(range(1, 23))
        assert [label.get_text() for label in axis.get_ticklabels()] == step_labels(trace)
    # The first row, step 1, is the highest, and the first column the leftmost.
    for ax in (square, course):
        left, right, bottom, top = ax.images[0].get_extent()
        assert (left, right) == (0.5, 22.5)
        assert bottom > top
    values, keys, reads = figures[2].axes[::2]
    for ax, words in ((values, "values written"), (keys, "write keys"), (reads, "read keys")):
        assert ax.get_title(loc="left").startswith(words)
    assert values.get_position().x1 < keys.get_position().x0
    assert reads.get_position().y1 < values.get_position().y0, "two in a line"
    ends = [to_hex(values.images[0].cmap(end)) for end in (0.0, 1.0)]
    assert ends == ["#7a4300", "#0b2a66"], "brown is unlike, blue is alike"


@NEEDS_BROWSER
def test_pointing_at_a_cell_tells_its_number(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    memory_map_html(shown(), page)
    driver = """<script>
      const [keys, reads, gates] = document.querySelectorAll("canvas");
      const press = (key) => keys.dispatchEvent(new KeyboardEvent("keydown", {key}));
      const point = (canvas, x, y) => { const box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new PointerEvent("pointermove",
          {clientX: box.left + x * box.width, clientY: box.top + y * box.height})); };
      press("ArrowDown"); press("ArrowDown"); press("ArrowRight"); press("ArrowLeft");
      point(reads, 0.9, 0.5); point(gates, 0.5, 0.5);
      const names = document.querySelector(".labels.down").querySelectorAll("span");
      document.title = [...document.querySelectorAll("output")].map((o) => o.textContent).join("|")
        + "|" + [...names].slice(1).map((name) => name.textContent).join();
    </script>"""
    text = page.read_text(encoding="utf-8").replace("</body>", driver + "</body>")
    page.write_text(text, encoding="utf-8")
    dom = browse(tmp_path, page, 1, "--dump-dom")
    (title,) = re.findall(r"<title>(.*?)</title>", dom)
    keys, reads, gates, names = title.split("|")
    assert names == "1,2", "beside a map of a few steps"
    assert keys.startswith("step t2 = 3 (2), step t1 = 1 (")
    assert keys.endswith("): -1.00")
    assert reads == "step t2 = 2 (1), step t1 = 3 (2): not compared"
    assert gates == "gate 0, step 2 (1): 0.50"
