"""`memory-envs ask`: what is printed, typed and refused."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import Supervised, make_vec_env
from agents.cli.main import main

Capture = pytest.CaptureFixture[str]
TOLD = ["Mary went to the kitchen.", "John left."]
STORY = ["--story", " ".join(TOLD), "--question", "Where is Mary"]


def _save(folder: Path, level: str) -> str:
    env = make_vec_env("Stream-bAbI-QA15-v0", 2, level=level, split="valid")
    policy_kwargs = {"memory": "gru", "net_arch": []}
    path = folder / f"{level}.zip"
    Supervised("MemoryPolicy", env, seed=0, policy_kwargs=policy_kwargs).save(path)
    return str(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The arguments that say which model is asked, by level."""
    folder, env = tmp_path_factory.mktemp("models"), ["--env", "Stream-bAbI-v0"]
    return {
        "word": [_save(folder, "word"), *env],
        "sentence": [_save(folder, "sentence"), *env, "--set", "level=sentence"],
    }


@pytest.mark.parametrize("level", ["word", "sentence"])
def test_a_question_is_answered(level: str, models: dict[str, list[str]], capsys: Capture) -> None:
    assert main(["ask", *models[level], *STORY]) == 0
    legend, answers, *lines = capsys.readouterr().out.splitlines()
    assert legend.startswith("Before each sentence")
    assert answers.startswith("Where is Mary?  ")
    assert answers.count("%") == 3
    assert [line.split("  ")[-1] for line in lines] == TOLD
    assert main(["ask", *models[level], *STORY, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["question"], len(found["candidates"])) == ("Where is Mary?", 3)
    assert answers.startswith(f"Where is Mary?  {found['answer']} ")
    assert [each["line"] for each in found["left_out"]] == [
        "Mary went to the kitchen.",
        "John left.",
    ]


def test_questions_need_no_mark_and_are_explained_once(
    models: dict[str, list[str]], capsys: Capture
) -> None:
    asked = ["--question", "Where is Mary", "Where is John.", " Where is Mary? "]
    assert main(["ask", *models["sentence"], "--story", TOLD[0], *asked]) == 0
    lines = capsys.readouterr().out.splitlines()
    questions = [line.partition("  ")[0] for line in lines if line.startswith("Where")]
    assert questions == ["Where is Mary?", "Where is John?", "Where is Mary?"]
    assert [line.startswith("Before each sentence") for line in lines].count(True) == 1


def test_pauses_show_what_they_are_told_to(models: dict[str, list[str]], capsys: Capture) -> None:
    # Of an untrained model the probabilities, to the digit, tell what it was shown.
    said = {}
    for show in ("", "pauses_show=nothing", "pauses_show=sentence"):
        pauses = ["question_pauses=1", *([show] if show else [])]
        assert main(["ask", *models["sentence"], *pauses, *STORY, "--json"]) == 0
        said[show] = capsys.readouterr().out
    assert said[""] == said["pauses_show=nothing"] != said["pauses_show=sentence"]


def test_the_vocabulary_is_printed(models: dict[str, list[str]], capsys: Capture) -> None:
    assert main(["ask", *models["sentence"], "--vocabulary"]) == 0
    words, answers = capsys.readouterr().out.splitlines()
    assert {"words:", ".", "?", "kitchen", "mary"} < set(words.split())
    assert {"answers:", "kitchen", "apple,football"} < set(answers.split())
    assert main(["ask", *models["word"], "--answer-words", "2", "--json", *STORY]) == 0
    assert json.loads(capsys.readouterr().out)["answer"].count(",") == 1


def test_lines_are_read_from_a_pipe(
    models: dict[str, list[str]], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "Mary went to the kitchen\n\nJohn left. Where is John?\nJohn moved.\nWhere is he?\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert main(["ask", *models["sentence"], "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [[each["line"] for each in reply["left_out"]] for reply in found] == [
        ["John left."],
        ["John left.", "Where is John?", "John moved."],
    ]
    monkeypatch.setattr(sys, "stdin", io.StringIO("John leaves.\n"))
    assert main(["ask", *models["sentence"]]) == 2
    assert "word is 'leaves'" in capsys.readouterr().err


def test_at_a_keyboard_a_mistake_is_said_and_the_story_goes_on(
    models: dict[str, list[str]], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed: Iterator[str] = iter(["John left.", "John leaves.", "Where is John?"])

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    def read(prompt: str) -> str:
        assert prompt == "> "
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(sys, "stdin", Keyboard())
    monkeypatch.setattr("builtins.input", read)
    assert main(["ask", *models["sentence"]]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Type sentences. A question ends in ?")
    assert shown.out.splitlines()[-2].endswith("John left.")
    assert "word is 'leaves'" in shown.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--story", "Mary left."], "there is no question; allowed: --question TEXT"),
        (["--question", "Where is Marry?"], "(did you mean 'mary'?); --vocabulary prints them"),
        (["--question", "the " * 13], "of 14 words; allowed: up to 12"),
        (["--answer-words", "2", *STORY], "--answer-words is 2; allowed: nothing, as the model"),
        (["--set", "level=word", *STORY], "has observation_space MultiDiscrete"),
        (
            ["--env", "Stream-Copy-v0", "--set", "bits=3", *STORY],
            "env is 'Stream-Copy-v0'; allowed",
        ),
        (["--pretrained", "streams/copy", *STORY], "are two models: give one"),
        (["--set", "data=nowhere", *STORY], "data is 'nowhere'; allowed: folders that exist"),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(
    changes: list[str], message: str, models: dict[str, list[str]], capsys: Capture
) -> None:
    assert main(["ask", *models["sentence"], *changes]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("memory-envs: ")
    assert message in line


def test_a_model_that_reads_no_stories_is_refused(
    models: dict[str, list[str]], capsys: Capture
) -> None:
    assert main(["ask", "oracle", "--env", "Stream-bAbI-v0", *STORY]) == 2
    assert "model is 'oracle'; allowed: models with a MemoryPolicy" in capsys.readouterr().err
    assert main(["ask", models["word"][0], "--answer-words", "11", *models["word"][1:]]) == 2
    assert "answer_words is 11; allowed: integers from 1 to 10" in capsys.readouterr().err
