"""bAbI's stories: their format, what the environments ask, against the files read plainly."""

import gzip
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from memory_envs.stream import NO_ANSWER
from memory_envs.stream.text.babi import BABI, LEVELS, NOTHING, PAUSES_SHOW, SPLITS, Vocabulary

DATA = Path(__file__).parents[2] / "memory_envs" / "stream" / "text" / "data" / "babi"
JOINT = "Stream-bAbI-v0"
Story = list[tuple[list[str], list[str]]]  # the words of each line, and those of its answer


def _id(number: int) -> str:
    return f"Stream-bAbI-QA{number}-v0"


def _stories(number: int, split: str) -> list[Story]:
    content = gzip.decompress((DATA / f"qa{number}_{split}.txt.gz").read_bytes()).decode().lower()
    stories: list[Story] = []
    for line in content.splitlines():
        number_of_line, text = line.split(" ", 1)
        if number_of_line == "1":
            stories.append([])
        said, *rest = text.split("\t")
        words = said.replace(".", " . ").replace("?", " ? ").split()
        stories[-1].append((words, rest[0].split(",") if rest else []))
    return stories


def _shown(story: Story, level: str) -> list[tuple[str, str]]:
    """What each step shows, and the answer that is due there."""
    if level == "sentence":
        return [(" ".join(words), ",".join(answer)) for words, answer in story]
    steps = ([(word, "") for word in words] + [(NOTHING, a) for a in due] for words, due in story)
    return list(itertools.chain.from_iterable(steps))


def _every(env_id: str, **kwargs: Any) -> list[list[tuple[str, str]]]:
    """The same, of all streams of an environment, in their order."""
    env: Any = gym.make_vec(env_id, num_envs=64, **kwargs).unwrapped
    task, found = env.rules.settings.task, []
    for inputs, targets, mask, sizes, _ in env.every():
        for row, size in enumerate(sizes.tolist()):
            said = [task.words(item) for item in inputs[:size, row]]
            due = [task.answer_words(item) for item in targets[:size, row]]
            asked = mask[:size, row].tolist()
            found.append([(s, a if q else "") for s, a, q in zip(said, due, asked, strict=True)])
            assert not mask[size:, row].any()
    return found


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", [1, 8, 17, 18, 19])
def test_every_story_of_the_files_is_shown_word_by_word(number: int, level: str) -> None:
    stories = [_shown(story, level) for story in _stories(number, "test")]
    assert _every(_id(number), split="test", level=level) == stories


@pytest.mark.parametrize("shows", PAUSES_SHOW)
def test_pauses_follow_sentences_and_answers_are_due_at_their_end(shows: str) -> None:
    kwargs = {"split": "test", "level": "sentence", "pauses": 1, "question_pauses": 2}
    wanted = []
    for story in _stories(15, "test"):
        steps = []
        for said, answer in _shown(story, "sentence"):
            again = said if shows == "sentence" else ""
            pauses = 3 if answer else 1
            steps += [(said, ""), *[(again, "")] * (pauses - 1), (again, answer)]
        wanted.append(steps)
    assert _every(_id(15), pauses_show=shows, **kwargs) == wanted
    if shows == "nothing":
        assert _every(_id(15), **kwargs) == wanted


@pytest.mark.parametrize("split", SPLITS)
def test_the_joint_environment_has_the_stories_of_all_tasks(split: str) -> None:
    # Plain reading of the training files would take too long.
    numbers = BABI if split == "test" else ()
    env: Any = gym.make_vec(JOINT, num_envs=2, split=split, level="sentence").unwrapped
    starts = env.rules.settings.task.data[0]
    assert len(starts) - 1 == {"train": 56_396, "valid": 6_265, "test": 6_267}[split]
    if numbers:
        sizes = [len(story) for number in numbers for story in _stories(number, split)]
        assert np.diff(starts).tolist() == sizes


def test_each_task_has_ten_thousand_questions_parted_as_in_the_release() -> None:
    for number in BABI:
        asked = {
            split: sum(bool(answer) for story in _stories(number, split) for _, answer in story)
            for split in SPLITS
        }
        assert asked["test"] == 1000
        assert asked["train"] + asked["valid"] == 10_000
        assert asked["valid"] == pytest.approx(1000, abs=4)


def test_there_are_as_many_words_as_the_dnc_counted() -> None:
    vocabulary = Vocabulary()
    # 156 words, the full stop, the question mark, the placeholder, and one of task 3's generator.
    assert len(vocabulary.words) == 160
    assert vocabulary.words[0] == NOTHING
    assert {"let", ".", "?"} < set(vocabulary.words)
    assert len(vocabulary.answers) == 60
    assert len(vocabulary.answer_words) == 40


def test_no_story_of_task_3_is_in_two_splits() -> None:
    stories = {split: {str(story) for story in _stories(3, split)} for split in SPLITS}
    for one, other in itertools.combinations(SPLITS, 2):
        assert not stories[one] & stories[other]


@pytest.mark.parametrize("level", LEVELS)
def test_all_tasks_have_one_pair_of_spaces(level: str) -> None:
    envs = [gym.make(_id(number), level=level, split="test") for number in (1, 17)]
    envs.append(gym.make(JOINT, level=level, split="valid"))
    assert len({str(env.observation_space) for env in envs}) == 1
    assert len({str(env.action_space) for env in envs}) == 1


@pytest.mark.parametrize("level", LEVELS)
def test_right_answers_pay_one_and_words_between_nothing(level: str) -> None:
    env: Any = gym.make(_id(19), level=level)
    env.reset(seed=4)
    targets = env.unwrapped.get_state().targets[0, :, 0]
    total, over = 0.0, False
    for step in itertools.count():
        due = targets[step] != NO_ANSWER
        assert env.unwrapped.action_masks().sum() == (env.action_space.n if due else 1)
        _, reward, over, _, info = env.step(max(targets[step], 0))
        assert reward == float(due)
        total += reward
        if over:
            break
    assert info["success"]
    assert total == (2 if level == "word" else 1)  # two directions, or both as one answer


def test_every_story_is_drawn_alike() -> None:
    env: Any = gym.make_vec(_id(20), num_envs=20_000, level="sentence", split="test").unwrapped
    env.reset(seed=0)
    batch = env.batch()
    columns = np.concatenate([batch.inputs[..., 0], batch.targets, batch.inputs[..., 4]])
    found = Counter(column.tobytes() for column in columns.T)
    assert 80 < len(found) <= 93
    assert max(found.values()) < 3 * 20_000 / 93


def _tasks_drawn(**kwargs: Any) -> Counter[int]:
    """How often each task is drawn among 8,000 stories of all of them."""
    numbers = {
        tuple(said for said, _ in _shown(story, "sentence")): number
        for number in BABI
        for story in _stories(number, "valid")
    }
    env: Any = gym.make_vec(JOINT, 8_000, level="sentence", split="valid", **kwargs).unwrapped
    env.reset(seed=0)
    batch, words = env.batch(), env.rules.settings.task.words
    return Counter(
        numbers[tuple(words(item) for item in batch.inputs[:size, row])]
        for row, size in enumerate(batch.sizes.tolist())
    )


def test_balanced_tasks_are_drawn_about_as_often() -> None:
    """A share of 1 in 20 has a standard deviation of a twentieth; a story comes whole times."""
    assert max(_tasks_drawn().values()) > 3 * 400
    drawn = _tasks_drawn(balanced=True)
    assert set(drawn) == set(BABI)
    assert all(300 < number < 500 for number in drawn.values()), drawn
    env: Any = gym.make_vec(JOINT, num_envs=2, level="sentence", balanced=True).unwrapped
    with pytest.raises(TypeError, match="allowed: tasks that draw from a data set"):
        next(env.every())


def test_what_draws_no_sequence_of_a_data_set_has_no_end() -> None:
    env: Any = gym.make_vec("Stream-Copy-v0", num_envs=2).unwrapped
    with pytest.raises(TypeError, match="task is Copy; allowed: tasks that draw from a data set"):
        next(env.every())


STORY = "1 Mary went to the park.\n2 Where is Mary? \tpark\t1\n"
OTHER = "1 John moved to the office.\n2 Mary went to the park.\n3 Where is John?\toffice\n"


def _folder(tmp_path: Path, content: str, **others: str) -> Path:
    (tmp_path / "qa1_train.txt").write_text(content, encoding="utf-8")
    for name, text in others.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_folder_of_ones_own_takes_the_place_of_the_packages(tmp_path: Path) -> None:
    folder = _folder(tmp_path, STORY + OTHER)
    packaged = gym.make(_id(1))
    env: Any = gym.make(_id(1), data=folder)
    assert env.observation_space == packaged.observation_space
    assert [len(steps) for steps in _every(_id(1), data=str(folder))] == [11, 17]
    names = {"words": "mary\nwent\nto\nthe\npark\nwhere\nis\n.\n?\n", "answers": "park\n"}
    env = gym.make(_id(1), data=_folder(tmp_path, STORY, **names))
    assert (env.observation_space.n, env.action_space.n) == (10, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "qa1_train.txt has no story; allowed: files with stories"),
        ("2 Mary went.\n", "line 1: '2 Mary went.'; allowed: lines that begin with 1"),
        (STORY + "4 Mary went.\n", "line 3: '4 Mary went.'; allowed: .* begin with 3, or 1"),
        (STORY + "Mary went.\n", "line 3: 'Mary went.'; allowed: .* begin with 3, or 1"),
        (STORY + "\n", "line 3: ''; allowed: lines that begin with 3, or 1"),
        (STORY + "1 Mary went to the park.\n", "line 3: a story without a question"),
        (STORY + "3 Where is Mary?\t \t1\n", "line 5|line 3: .*; allowed: a statement, or"),
        (STORY + "3 \tpark\n", "line 3: .*; allowed: a statement, or a question"),
        (STORY + "3 Where?\tpark\t1\t2\n", "line 3: .*; allowed: a statement, or a question"),
        (STORY + "3 Mary wents.\n", r"line 3: word 'wents'; allowed: those of words.txt \(did"),
        (STORY + "3 Where is Mary?\tparks\n", r"line 3: answer 'parks'; .* answers.txt \(did you"),
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_a_wrong_line_is_named(tmp_path: Path, content: str, message: str, level: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make(_id(1), data=_folder(tmp_path, content), level=level)


def test_wrong_names_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"words.txt, line 2: 'two words'; allowed: a name"):
        gym.make(_id(1), data=_folder(tmp_path, STORY, words="one\ntwo words\n"))
    with pytest.raises(ValueError, match=r"words.txt has 2 lines; allowed: some, each once"):
        gym.make(_id(1), data=_folder(tmp_path, STORY, words="one\none\n"))


def test_a_missing_file_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    message = r"holds qa2_train.txt or qa2_train.txt.gz, as the folder en-valid-10k of bAbI v1.2"
    with pytest.raises(FileNotFoundError, match=message):
        gym.make(_id(2), data=_folder(tmp_path, STORY))
    with pytest.raises(FileNotFoundError, match=r"holds qa2_train\.txt"):
        gym.make(JOINT, data=tmp_path)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="split is 'dev'; allowed: train, valid, test"):
        gym.make(_id(1), split="dev")
    with pytest.raises(ValueError, match="level is 'letter'; allowed: word, sentence"):
        gym.make(_id(1), level="letter")
    with pytest.raises(ValueError, match="level is 3; allowed: word, sentence"):
        gym.make(_id(1), level=3)
    with pytest.raises(ValueError, match=r"split is \['dev'\]; allowed: train, valid, test"):
        gym.make(_id(1), split=["dev"])
    with pytest.raises(TypeError, match=r"argument 'levl' of task bAbI; .*did you mean 'level'"):
        gym.make(_id(1), levl="sentence")
    with pytest.raises(TypeError, match="argument 'level' of task Logic"):
        gym.make("Stream-Logic-v0", level="word")
    with pytest.raises(ValueError, match="pauses is 11; allowed: integers from 0 to 10"):
        gym.make(_id(1), level="sentence", pauses=11)
    with pytest.raises(ValueError, match="question_pauses is 1; allowed with level word: 0"):
        gym.make(_id(1), question_pauses=1)
    with pytest.raises(ValueError, match="pauses_show is 'all'; allowed: nothing, sentence"):
        gym.make(_id(1), level="sentence", pauses_show="all")
    with pytest.raises(ValueError, match="pauses_show is 'sentence'; allowed with level word: 'n"):
        gym.make(_id(1), pauses_show="sentence")
    with pytest.raises(TypeError, match=r"pauses is \[1\]; allowed: integers from 0 to 10"):
        gym.make(_id(1), level="sentence", pauses=[1])
    gym.make(_id(15), level="sentence", split="test", pauses=1)
    with pytest.raises(TypeError, match=r"pauses is True; allowed: integers from 0 to 10"):
        gym.make(_id(15), level="sentence", split="test", pauses=True)
