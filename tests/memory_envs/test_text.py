"""Streams of text: what they ask, against the files read plainly; and files that are wrong."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

DATA = Path(__file__).parents[2] / "memory_envs" / "stream" / "text" / "data"
LOGIC, TAGGING, SENTENCES = (f"Stream-{name}-v0" for name in ("Logic", "Tagging", "Sentences"))


def _plain(folder: str, name: str) -> str:
    return gzip.decompress((DATA / folder / name).read_bytes()).decode("utf-8")


def _episodes(env_id: str, rows: int, **kwargs: Any) -> list[tuple[list[Any], list[Any]]]:
    """Inputs and targets of one stream a row."""
    env: Any = gym.make_vec(env_id, num_envs=rows, **kwargs)
    env.reset(seed=3)
    inputs, targets, mask, sizes, _ = env.unwrapped.batch()
    assert mask.sum() == sizes.sum()  # an answer is due at every step
    return [
        (list(inputs[:size, row]), targets[:size, row].tolist())
        for row, size in enumerate(sizes.tolist())
    ]


@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("dev", "validation")])
def test_logic_is_the_data_sets_and_is_solved_by_its_rules(split: str, part: str) -> None:
    pairs = json.loads(_plain("logic", "logic.dataset.json.gz"))[part]
    known = {("".join(inputs), "".join(targets)) for inputs, targets in pairs}
    letters = "andorx01=.|"
    results = set()
    for inputs, targets in _episodes(LOGIC, 500, split=split):
        question = "".join(letters[symbol] for symbol in inputs)
        answer = "".join(letters[symbol] for symbol in targets)
        assert (question, answer) in known
        operator = question.rstrip("|=01")
        operands = [int(digit) for digit in question.removeprefix(operator).rstrip("|=")]
        solved = {
            "and": int(all(operands)),
            "or": int(any(operands)),
            "xor": sum(operands) % 2,
        }[operator]
        assert answer == f".{operator}{''.join(map(str, operands))}{solved}"
        results.add((operator, solved))
    assert len(results) == 6


def test_words_are_vectors_and_tags_those_of_the_treebank() -> None:
    lines = _plain("vectors", "glove.6B.50d.subset.txt.gz").splitlines()
    split = (line.split(" ") for line in lines)
    vectors = {word: np.array(numbers, np.float32) for word, *numbers in split}
    text = {part: _plain("tagging", f"en-ud-tag.v2.{part}.txt.gz") for part in ("train", "test")}
    rows = [line.split("\t") for line in text["train"].splitlines() if line]
    tags = sorted({row[2] for row in rows})
    sentences: Counter[Any] = Counter()
    for block in text["test"].strip().split("\n\n"):
        words = [line.split("\t") for line in block.splitlines() if line]
        key = tuple(
            (vectors.get(w.lower(), np.zeros(50, np.float32)).tobytes(), t) for w, _, t in words
        )
        sentences[key] += 1
    for inputs, targets in _episodes(TAGGING, 100, split="test"):
        assert sentences[
            tuple((x.tobytes(), tags[y]) for x, y in zip(inputs, targets, strict=True))
        ]


def test_sentences_are_repeated_and_letters_echoed() -> None:
    lines = sorted(
        _plain("sentences", "tatoeba-en.5000.txt.gz").splitlines(), key=lambda s: (len(s), s)
    )
    symbols = "<|>_" + "".join(sorted(set("".join(lines))))
    kinds: Counter[str] = Counter()
    for split, known in (("train", lines[:500]), ("dev", lines[500:1000])):
        for inputs, targets in _episodes(SENTENCES, 300, split=split):
            shown = "".join(symbols[symbol] for symbol in inputs)
            wanted = "".join(symbols[symbol] for symbol in targets)
            sentence = shown.strip("<|_")
            assert sentence in known
            nothing = "_" * len(sentence)
            if shown == wanted:
                assert shown == sentence
                kinds["echo"] += 1
            else:
                assert shown == f"<{sentence}|{nothing}_"
                assert wanted == f"<{nothing}|{sentence}>"
                kinds["copy"] += 1
    assert min(kinds.values()) > 230


def test_every_sequence_is_drawn_alike() -> None:
    found = Counter(tuple(targets) for _, targets in _episodes(SENTENCES, 20_000))
    assert len(found) == 1000
    # Twenty of each are expected; six standard deviations are 27 more.
    assert max(found.values()) < 48


def _folder(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


GOOD_TAGS = "The\tDET\tDT\ndog\tNOUN\tNN\n\nIt\tPRON\tPRP\n"
GOOD_VECTORS = "".join(f"{word} {' '.join(['0.5'] * 50)}\n" for word in ("the", "dog"))
TAGGED = {"en-ud-tag.v2.train.txt": GOOD_TAGS, "glove.6B.50d.subset.txt": GOOD_VECTORS}


def test_a_folder_of_ones_own_takes_the_place_of_the_packages(tmp_path: Path) -> None:
    env = gym.make(TAGGING, data=str(_folder(tmp_path, TAGGED)))
    assert env.action_space == gym.spaces.Discrete(3)
    lengths = {env.reset(seed=seed)[1]["target_size"] for seed in range(20)}
    assert lengths == {1, 2}


@pytest.mark.parametrize(
    ("text_id", "files", "message"),
    [
        (LOGIC, {}, r"allowed: a folder that holds logic.dataset.json or logic.dataset.json.gz"),
        (LOGIC, {"logic.dataset.json": "{"}, r"logic.dataset.json, line 1: .*; allowed: JSON"),
        (LOGIC, {"logic.dataset.json": '{"train": []}'}, "has no list 'train'"),
        (
            LOGIC,
            {"logic.dataset.json": '{"train": [[["a"], ["."]], [["q"], ["."]]]}'},
            "pair 2 of 'train': 'q'; allowed: a, n, d",
        ),
        (
            LOGIC,
            {"logic.dataset.json": '{"train": [[["a", "n"], ["."]]]}'},
            "pair 1 of 'train': 2 inputs and 1 targets; allowed: as many",
        ),
        (LOGIC, {"logic.dataset.json": '{"train": [3]}'}, "pair 1 of 'train': 3; allowed: two"),
        (
            LOGIC,
            {"logic.dataset.json": '{"train": [[[["a"]], ["."]]]}'},
            r"pair 1 of 'train': \[\[\['a'\]\], \['.'\]\]; allowed: two lists of characters",
        ),
        (LOGIC, {"logic.dataset.json": "[" * 100_000}, "json is nested too deeply; allowed: lists"),
        (
            TAGGING,
            {**TAGGED, "en-ud-tag.v2.train.txt": "The\tDET\tDT\ndog NOUN NN\n"},
            r"en-ud-tag.v2.train.txt, line 2: 'dog NOUN NN'; allowed: a word and 2 tags",
        ),
        (TAGGING, {**TAGGED, "en-ud-tag.v2.train.txt": "\n\n"}, "has no word"),
        (
            TAGGING,
            {**TAGGED, "glove.6B.50d.subset.txt": "the 1 2 3\n"},
            "subset.txt, line 1: 'the' has 3 numbers; allowed: 50",
        ),
        (
            TAGGING,
            {**TAGGED, "glove.6B.50d.subset.txt": GOOD_VECTORS + "cat" + " x" * 50},
            "subset.txt, line 3: .*; allowed: numbers",
        ),
        (
            TAGGING,
            {**TAGGED, "glove.6B.50d.subset.txt": GOOD_VECTORS + "cat" + " nan" * 50},
            "line 3: 'cat' has numbers that are not finite",
        ),
        (
            TAGGING,
            {**TAGGED, "glove.6B.50d.subset.txt": GOOD_VECTORS + "cat" + " 1e50" * 50},
            "line 3: 'cat' has numbers that are not finite",
        ),
        (
            TAGGING,
            {**TAGGED, "glove.6B.50d.subset.txt": GOOD_VECTORS * 2},
            "line 3: 'the' comes twice",
        ),
        (SENTENCES, {"tatoeba-en.5000.txt": "Go.\nI <3 it.\n"}, r"line 2: 'I <3 it.'; allowed"),
        (
            SENTENCES,
            {"tatoeba-en.5000.txt": "Go.\n\nHi."},
            "line 2: ''; allowed: sentences without",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_line(
    tmp_path: Path, text_id: str, files: dict[str, str], message: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        gym.make(text_id, data=str(_folder(tmp_path, files)))


def test_all_splits_of_a_folder_have_the_same_spaces(tmp_path: Path) -> None:
    """Else what was trained on one could not be evaluated on another."""
    vectors = GOOD_VECTORS + f"it {' '.join(['-2'] * 50)}\n"
    files = {"en-ud-tag.v2.dev.txt": "dog\tNOUN\tNN\n", "glove.6B.50d.subset.txt": vectors}
    folder = _folder(tmp_path, {**TAGGED, **files})
    train, dev = (gym.make(TAGGING, data=folder, split=split) for split in ("train", "dev"))
    assert train.observation_space == dev.observation_space
    assert train.action_space == dev.action_space


def test_lines_end_where_editors_end_them(tmp_path: Path) -> None:
    content = "\u2028\n".join("abc") + "\r\n\x85d\x0c\rlast"
    (tmp_path / "tatoeba-en.5000.txt").write_bytes(content.encode())
    env: Any = gym.make(SENTENCES, data=tmp_path)
    task = env.unwrapped.rules.settings.task
    assert len(task.data[0]) == 2 * 5 + 1  # each line as a sentence and as an echo
    letters = {task.words(number) for number in range(env.action_space.n)}
    assert "\r" not in letters
    assert letters >= {"\u2028", "\x85", "\x0c"}


def test_a_mark_before_the_first_word_is_none_of_its_letters(tmp_path: Path) -> None:
    (tmp_path / "tatoeba-en.5000.txt").write_bytes(b"\xef\xbb\xbfGo.\n")
    env: Any = gym.make(SENTENCES, data=tmp_path)
    assert env.action_space.n == len("<|>_") + len("Go.")


def test_a_tag_that_is_not_known_is_named(tmp_path: Path) -> None:
    dev = "dog\tNOUN\tNN\n\ndog\tNOUN\tNN\nOh\tINTJ\tUH\n"
    files = {**TAGGED, "en-ud-tag.v2.dev.txt": dev}
    with pytest.raises(ValueError, match=r"dev.txt, line 4: tag 'UH'; allowed: .*DT, NN, PRP"):
        gym.make(TAGGING, data=str(_folder(tmp_path, files)), split="dev")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tatoeba-en.5000.txt.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=r"cannot be read: .*; allowed: text in UTF-8"):
        gym.make(SENTENCES, data=tmp_path)
    (tmp_path / "tatoeba-en.5000.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"cannot be read: .*; allowed: text in UTF-8"):
        gym.make(SENTENCES, data=tmp_path)
    with pytest.raises(FileNotFoundError, match="data is '/nowhere'; allowed: folders that exist"):
        gym.make(SENTENCES, data="/nowhere")
    with pytest.raises(TypeError, match="data is 3; allowed: None, a folder"):
        gym.make(SENTENCES, data=3)
    with pytest.raises(ValueError, match="split is 'test'; allowed: train, dev"):
        gym.make(SENTENCES, split="test")
    with pytest.raises(ValueError, match=r"split is \['dev'\]; allowed: train, dev \(did you"):
        gym.make(SENTENCES, split=["dev"])
    with pytest.raises((TypeError, ValueError), match="max_length"):
        gym.make(SENTENCES, max_length=2)


def test_every_data_set_has_its_licence_beside_it() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for folder in (path for path in DATA.iterdir() if path.is_dir()):
        assert f"`{folder.name}/`" in readme
        assert (folder / "LICENSE.txt").exists() or folder.name == "sentences"
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 8_500_000
