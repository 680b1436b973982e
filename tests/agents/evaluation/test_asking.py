"""Questions of a person: how lines are read and shown, what is answered, and what it depends on."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
import torch

from agents import Supervised, make_vec_env
from agents.evaluation import asking
from agents.evaluation.asking import ask
from agents.networks.distributions import Categorical
from memory_envs.stream.text.babi import Vocabulary
from memory_envs.stream.text.typed import StoryReader, UnknownWordError, read_lines

STORY = "Mary went to the kitchen. John picked up the milk. Where is Mary? John left."
ASKED = read_lines("John moved to the park. Where is John?")


def test_lines_are_sentences_with_their_ends() -> None:
    lines = read_lines("Mary went\tto  the park. Where is Mary?\n\n  she left \n...")
    assert [line.text for line in lines] == [
        "Mary went to the park.",
        "Where is Mary?",
        "she left.",
    ]
    assert [line.asks for line in lines] == [False, True, False]
    assert lines[1].words == ("where", "is", "mary", "?")
    assert read_lines(" \n. ?") == []


@pytest.mark.parametrize(
    ("level", "pauses"),
    [
        ("word", {}),
        ("sentence", {"pauses": 1, "question_pauses": 2}),
        ("sentence", {"question_pauses": 1, "pauses_show": "sentence"}),
    ],
)
def test_a_typed_story_is_shown_as_the_environment_shows_it(
    level: str, pauses: dict[str, Any]
) -> None:
    kwargs: dict[str, Any] = {"level": level, "split": "test", **pauses}
    env: Any = gym.make_vec("Stream-bAbI-QA1-v0", num_envs=1, **kwargs).unwrapped
    inputs, _, _, sizes, _ = next(env.every())
    text = "John travelled to the hallway.\nMary journeyed to the bathroom. Where is John?"
    reader = StoryReader(Vocabulary(), level, **pauses)
    steps = np.concatenate([reader.steps(line) for line in read_lines(text)])
    np.testing.assert_array_equal(inputs[: len(steps), 0], steps)
    assert len(steps) < sizes[0]
    assert env.single_observation_space == reader.observation_space
    assert env.single_action_space == reader.action_space


def test_a_longer_answer_has_more_placeholders() -> None:
    (question,) = read_lines("What is Mary carrying?")
    reader = StoryReader(Vocabulary(), answer_words=2)
    assert reader.steps(question)[-3:].tolist() == [2, 0, 0]
    assert reader.due == 2


def test_what_cannot_be_shown_is_said() -> None:
    reader = StoryReader(Vocabulary(), "sentence")
    with pytest.raises(UnknownWordError, match=r"word is 'kitchn'; .*did you mean 'kitchen'"):
        reader.steps(read_lines("Mary went to the kitchn.")[0])
    with pytest.raises(UnknownWordError, match=r"word is '-'"):  # the placeholder is no word
        reader.steps(read_lines("Mary - left.")[0])
    with pytest.raises(ValueError, match=r"of 13 words; allowed: up to 12"):
        reader.steps(read_lines("the " * 12)[0])
    with pytest.raises(ValueError, match=r"answer_words is 2; allowed: integers from 1 to 1"):
        StoryReader(Vocabulary(), "sentence", answer_words=2)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"level": "sentence", "pauses": -1}, "pauses is -1; allowed: integers from 0 to 10"),
        ({"question_pauses": 1}, "question_pauses is 1; allowed with level word: 0"),
        ({"level": "sentence", "width": 0}, "width is 0; allowed: integers from 1 on"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            StoryReader(Vocabulary(), **arguments)
    with pytest.raises(ValueError, match="lines end without a question"):
        ask(_policy("word"), StoryReader(Vocabulary()), ASKED[:1])


def _policy(level: str, memory: str = "gru") -> Any:
    env = make_vec_env("Stream-bAbI-QA15-v0", 2, split="test", level=level)
    kwargs = {"memory": memory, "net_arch": []}
    return Supervised("MemoryPolicy", env, seed=0, policy_kwargs=kwargs).policy


@pytest.mark.parametrize("level", ["word", "sentence"])
@pytest.mark.parametrize("memory", ["gru", "mnm-p"])
def test_leaving_out_is_asking_without(
    level: str, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_STEPS", 50)
    policy, reader = _policy(level, memory), StoryReader(Vocabulary(), level)
    with torch.no_grad():  # a new policy is almost indifferent to what it is told
        for parameter in policy.parameters():
            parameter.mul_(10.0)
    lines = read_lines(f"{STORY} Where is John?")
    reply = ask(policy, reader, lines)
    assert max(abs(each.change) for each in reply.left_out) > 1e-3
    assert reply.question == "Where is John?"
    assert [each.line for each in reply.left_out] == [line.text for line in lines[:-1]]
    probability = dict(reply.candidates)
    for k, each in enumerate(reply.left_out):
        without = ask(policy, reader, lines[:k] + lines[k + 1 :])
        assert each.answer == without.candidates[0].answer
        there = dict(without.candidates)
        if reply.candidates[0].answer in there:
            own = reply.candidates[0].answer
            change = np.log(there[own] / probability[own])
            assert each.change == pytest.approx(change, abs=1e-4)
    assert len(probability) == 3
    assert sorted(probability.values(), reverse=True) == list(probability.values())


def test_it_answers_what_playing_answers() -> None:
    env: Any = gym.make("Stream-bAbI-QA1-v0", level="sentence", split="test")
    model = Supervised(
        "MemoryPolicy",
        make_vec_env("Stream-bAbI-QA1-v0", 2, level="sentence", split="test"),
        seed=0,
        policy_kwargs={"memory": "lstm", "net_arch": []},
    )
    words = Vocabulary()
    obs, info = env.reset(seed=5)
    targets = env.unwrapped.get_state().targets[0, :, 0]
    state, said = None, []
    for target in targets:
        said.append(" ".join(words.words[number] for number in obs if number))
        action, state = model.predict(obs, state, np.array([not said[1:]]), deterministic=True)
        if target >= 0:
            reply = ask(model.policy, StoryReader(words, "sentence"), read_lines(" ".join(said)))
            assert reply.candidates[0].answer == words.answers[action]
        obs, _, over, _, info = env.step(action)
    assert over
    assert "success" in info


def test_an_answer_of_several_words_is_as_probable_as_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logits = torch.zeros(2, 1, 4)  # of two words, each one of four, in the order of the steps
    logits[0, 0, 1], logits[1, 0, 2] = 3.0, 2.0

    def answered(policy: Any, streams: Any) -> Any:
        rows = int(streams.rows.max()) + 1
        order = streams.rows[streams.due].argsort(stable=True)
        both = torch.empty(2 * rows, 1, 4)
        both[order] = logits.repeat(rows, 1, 1)
        return Categorical(both, squeeze=True), {}

    monkeypatch.setattr(asking, "answer", answered)
    reader = StoryReader(Vocabulary(), answer_words=2)
    reader.answers = ["a", "b", "c", "d"]
    reply = ask(_policy("word"), reader, ASKED)
    probs: npt.NDArray[Any] = logits.softmax(-1).numpy()[:, 0]
    assert reply.candidates[0].answer == "b,c"
    others = {(w, x): probs[0, w] * probs[1, x] for w in range(4) for x in range(4)}
    best = sorted(others.values(), reverse=True)[:3]
    assert [c.probability for c in reply.candidates] == pytest.approx(best)
    assert [each.change for each in reply.left_out] == pytest.approx([0.0], abs=1e-6)


def test_a_reply_is_shown_in_lines() -> None:
    found = [asking.Candidate("kitchen", 0.9), asking.Candidate("park", 0.04)]
    left_out = [asking.LeftOut("Mary left.", -3.351, "park"), asking.LeftOut("I.", 0.01, "kitchen")]
    reply = asking.Reply("Where?", found, left_out)
    assert reply.lines() == [
        "Where?  kitchen 90.0%, park 4.0%",
        "    -3.35  -> park  Mary left.",
        "    +0.01           I.",
    ]
    assert reply.to_dict()["answer"] == "kitchen"
    assert re.search("-3.351", str(reply.to_dict()["left_out"]))
