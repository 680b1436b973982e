"""Whole streams at once: the same as playing them, and every question asked once."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents import Supervised, make_vec_env
from agents.evaluation import answers
from agents.evaluation.answers import answer_all, play_model
from memory_envs.scoring.makers import from_predict
from memory_envs.scoring.opening import open_rows
from memory_envs.scoring.play import play
from memory_envs.scoring.policy import CannotPlayError
from memory_envs.stream import StreamVectorEnv

STORIES = {
    "qa1_train": "1 Mary went to the park.\n2 Where is Mary?\tpark\t1\n3 John left.\n"
    "4 Where is Mary?\tpark\t1\n1 Where is the apple?\tpark\n2 Why?\tapple,milk\n"
}


def _model(env_id: str, memory: str = "lstm", **kwargs: Any) -> Supervised:
    policy_kwargs = {"memory": memory, "net_arch": []}
    env = make_vec_env(env_id, 2, **kwargs)
    return Supervised("MemoryPolicy", env, seed=0, policy_kwargs=policy_kwargs)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "memory"),
    [
        ("Stream-Copy-v0", {"max_length": 4, "bits": 2}, "lstm"),
        ("Stream-DoubleCopy-v0", {"min_length": 1, "max_length": 4, "symbols": 2}, "mnm-p"),
    ],
)
def test_it_comes_to_what_playing_comes_to(
    env_id: str, kwargs: dict[str, Any], memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MOST_STEPS", 40)
    model = _model(env_id, memory, **kwargs)
    rows = open_rows(env_id, 30, kwargs)
    whole = play_model(model, True, rows, 50, 3)
    stepped = play(from_predict(model), rows, 50, 3)
    np.testing.assert_allclose(whole.returns, stepped.returns)
    np.testing.assert_array_equal(whole.lengths, stepped.lengths)
    assert whole.successes is not None
    assert stepped.successes is not None
    np.testing.assert_array_equal(whole.successes, stepped.successes)
    assert len(set(whole.returns.tolist())) > 3
    with pytest.raises(CannotPlayError):
        play_model(model, True, open_rows("Stream-Logic-v0", 3), 3, 0)


def test_dropout_is_for_training_alone() -> None:
    model = _model("Stream-Copy-v0", max_length=2, bits=2)
    batch = model.rollout()
    whole = model.losses(batch)["answer"].item()
    model.dropout = 0.999
    assert model.losses(batch)["answer"].item() == whole
    model.learn(100)
    logged = model.logger.name_to_value["train/answer_loss"]
    assert logged == pytest.approx(np.log(2), abs=0.2)
    with pytest.raises(ValueError, match=r"dropout is 2; allowed: numbers from 0 to 1"):
        Supervised("MemoryPolicy", model.get_env(), dropout=2)


def _env(tmp_path: Path, level: str) -> StreamVectorEnv:
    for name, text in STORIES.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    words = "mary went to the park where is john left why apple milk . ?"
    (tmp_path / "words.txt").write_text("\n".join(words.split()), encoding="utf-8")
    (tmp_path / "answers.txt").write_text("park\napple,milk\n", encoding="utf-8")
    env = gym.make_vec("Stream-bAbI-QA1-v0", num_envs=2, data=tmp_path, level=level).unwrapped
    assert isinstance(env, StreamVectorEnv)
    return env


@pytest.mark.parametrize("level", ["word", "sentence"])
@pytest.mark.parametrize(
    ("named", "wrong"),
    [({"park"}, 1), ({"apple", "milk", "apple,milk"}, 3), ({"apple"}, 4)],
)
def test_every_question_is_asked_once_and_is_right_if_all_its_words_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, named: set[str], wrong: int
) -> None:
    env = _env(tmp_path, level)
    answer_words = env.rules.settings.task.answer_words  # type: ignore[attr-defined]

    class Knows:
        """Answers what is right if it is among the names, and else something wrong."""

        def mode(self) -> Any:
            return self.given

        def __init__(self, targets: Any) -> None:
            self.given = targets.clone()
            for place, target in enumerate(targets.tolist()):
                if answer_words(target) not in named:
                    self.given[place] = target + 1

    def answered(policy: Any, streams: Any) -> Any:
        return Knows(streams.targets), {}

    monkeypatch.setattr(answers, "answer", answered)
    policy = _model("Stream-Copy-v0", max_length=1).policy
    # Two questions follow each other without a statement between them.
    found = answer_all(policy, env, successive_are_one=level == "word")
    assert found == (4, wrong)
    assert found.error == wrong / 4
