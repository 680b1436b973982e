"""The tasks of the stream family: what is shown decides the answers, worked out in plain Python.

A solver reads the inputs of one episode, as an agent sees them, and nothing else.
"""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from memory_envs.stream import TASKS, StreamBatch, StreamEnv, StreamVectorEnv, tasks

Answers = dict[int, Any]  # from steps to what is due there

ROWS = 200
END, NEXT, ASKED, BLANK = range(4)  # of DictionaryInference, behind the letters


def _ints(vector: Any) -> list[int]:
    return [int(x) for x in vector]


def _solve_copy(inputs: Any, bits: int = 8) -> Answers:
    (flag,) = np.flatnonzero(inputs[:, bits]).tolist()
    assert not inputs[flag, :bits].any()
    assert not inputs[flag + 1 :].any()
    return {flag + 1 + i: _ints(inputs[i, :bits]) for i in range(flag)}


def _solve_repeat(inputs: Any, bits: int = 8, repeats: int = 10) -> Answers:
    (flag,) = np.flatnonzero(inputs[:, bits]).tolist()
    deviation = math.sqrt(
        sum((k - (repeats + 1) / 2) ** 2 for k in range(1, repeats + 1)) / repeats
    )
    told = float(inputs[flag, bits + 1]) * deviation + (repeats + 1) / 2
    times = round(told)
    assert told == pytest.approx(times, abs=1e-3)
    assert 1 <= times <= repeats
    assert not inputs[flag, :bits].any()
    assert not inputs[:flag, bits:].any()
    assert not inputs[flag + 1 :].any()
    answers = [[*_ints(inputs[i, :bits]), 0] for i in range(flag)] * times
    return dict(enumerate([*answers, [0] * bits + [1]], start=flag + 1))


def _solve_recall(inputs: Any, bits: int = 6, item_length: int = 3) -> Answers:
    marks = np.flatnonzero(inputs[:, bits]).tolist()
    first, second = np.flatnonzero(inputs[:, bits + 1]).tolist()

    def item(mark: int) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(_ints(inputs[mark + 1 + i, :bits])) for i in range(item_length))

    items = [item(mark) for mark in marks]
    assert len(set(items)) == len(items)
    assert marks == [k * (item_length + 1) for k in range(len(marks))]
    assert second - first == item_length + 1
    assert not inputs[second + 1 :].any()
    following = items[items.index(item(first)) + 1]  # there is one: the last is not asked for
    return {second + 1 + i: list(vector) for i, vector in enumerate(following)}


def _solve_sort(inputs: Any, bits: int = 8, top: int = 16) -> Answers:
    (flag,) = np.flatnonzero(inputs[:, bits + 1]).tolist()
    assert not inputs[flag, : bits + 1].any()
    assert not inputs[flag + 1 :].any()
    order = sorted(range(flag), key=lambda i: -inputs[i, bits])[:top]
    return {flag + 1 + rank: _ints(inputs[i, :bits]) for rank, i in enumerate(order)}


def _solve_ngrams(inputs: Any, context: int = 5) -> Answers:
    """All but the last one, which nothing shows."""
    return {t: int(inputs[t + 1]) for t in range(context - 1, len(inputs) - 1)}


def _solve_double(inputs: Any, symbols: int = 10) -> Answers:
    shown = inputs.tolist()
    end = shown.index(symbols)
    assert shown[end + 1 :] == [symbols + 1] * (2 * end)
    assert all(symbol < symbols for symbol in shown[:end])
    return dict(enumerate(shown[:end] * 2, start=end + 1))


def _solve_dictionary(inputs: Any, letters: int = 26, support: int = 4) -> Answers:
    shown, dictionary = inputs.tolist(), dict[int, int]()
    examples, question = _parts(shown, letters)
    assert len(examples) == support
    for source, translation in examples:
        for letter, meaning in zip(source, translation, strict=True):
            assert dictionary.setdefault(letter, meaning) == meaning
    assert len(set(dictionary.values())) == len(dictionary), "two letters mean the same"
    assert not set(dictionary) & set(dictionary.values()), "a letter of both languages"
    start = shown.index(letters + BLANK)
    assert shown[start:] == [letters + BLANK] * len(question)
    return {start + i: dictionary[letter] for i, letter in enumerate(question)}


def _parts(shown: list[int], letters: int) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """The examples of a stream of DictionaryInference, and its question."""
    until = shown.index(letters + ASKED)
    told, asked = shown[:until], shown[until + 1 :]
    examples, example = [], list[int]()
    for symbol in [*told, letters + NEXT]:
        if symbol == letters + NEXT:
            cut = example.index(letters + END)
            examples.append((example[:cut], example[cut + 1 :]))
            example = []
        else:
            example.append(symbol)
    return examples, asked[: asked.index(letters + END)]


SOLVERS: dict[str, Callable[..., Answers]] = {
    "Copy": _solve_copy,
    "RepeatCopy": _solve_repeat,
    "AssociativeRecall": _solve_recall,
    "PrioritySort": _solve_sort,
    "DynamicNGrams": _solve_ngrams,
    "DoubleCopy": _solve_double,
    "DictionaryInference": _solve_dictionary,
}
SETTINGS: list[tuple[str, tuple[int, int] | None, dict[str, int]]] = [
    ("Copy", None, {}),
    ("Copy", (1, 1), {"bits": 1}),
    ("Copy", (3, 12), {"bits": 64}),
    ("RepeatCopy", None, {}),
    ("RepeatCopy", (1, 1), {"bits": 1, "repeats": 1}),
    ("RepeatCopy", (2, 4), {"bits": 3, "repeats": 2}),
    ("RepeatCopy", (1, 2), {"bits": 2, "repeats": 60}),
    ("AssociativeRecall", None, {}),
    ("AssociativeRecall", (2, 2), {"bits": 1, "item_length": 1}),
    ("AssociativeRecall", (2, 8), {"bits": 3, "item_length": 1}),
    ("AssociativeRecall", (2, 16), {"bits": 1, "item_length": 4}),
    ("PrioritySort", None, {}),
    ("PrioritySort", (1, 1), {"bits": 1, "top": 1}),
    ("PrioritySort", (1, 6), {"bits": 4, "top": 16}),
    ("PrioritySort", (5, 9), {"bits": 8, "top": 1}),
    ("DynamicNGrams", None, {}),
    ("DynamicNGrams", (2, 2), {"context": 1}),
    ("DynamicNGrams", (17, 30), {"context": 16}),
    ("DoubleCopy", None, {}),
    ("DoubleCopy", (1, 1), {"symbols": 1}),
    ("DoubleCopy", (2, 9), {"symbols": 1000}),
    ("DictionaryInference", None, {}),
    ("DictionaryInference", (1, 1), {"letters": 2, "support": 1}),
    ("DictionaryInference", (3, 3), {"letters": 2, "support": 2}),
    ("DictionaryInference", (1, 5), {"letters": 7, "support": 3}),
    ("DictionaryInference", (12, 12), {"support": 16}),
    ("DictionaryInference", (2, 3), {"letters": 100, "support": 20}),
]


def _lengths(lengths: tuple[int, int] | None) -> dict[str, int]:
    return {} if lengths is None else {"min_length": lengths[0], "max_length": lengths[1]}


def _streams(task: str, seed: int = 0, rows: int = ROWS, **arguments: Any) -> StreamBatch:
    env = StreamVectorEnv(rows, task, **arguments)
    env.reset(seed=seed)
    return env.batch()


@pytest.mark.parametrize(("task", "lengths", "parameters"), SETTINGS)
def test_answers_follow_from_what_was_shown(
    task: str, lengths: tuple[int, int] | None, parameters: dict[str, int]
) -> None:
    batch = _streams(task, **_lengths(lengths), **parameters)
    for row, size in enumerate(batch.sizes.tolist()):
        inputs, targets = batch.inputs[:size, row], batch.targets[:size, row]
        solved = SOLVERS[task](inputs, **parameters)
        due = np.flatnonzero(batch.mask[:, row]).tolist()
        if task == "DynamicNGrams":
            assert due == [*solved, size - 1]
        else:
            assert due == list(solved)
        assert {step: targets[step].tolist() for step in solved} == solved
    if lengths is not None:
        assert set(batch.lengths.tolist()) == set(range(lengths[0], lengths[1] + 1))


@pytest.mark.parametrize("task", [task for task in SOLVERS if task != "DynamicNGrams"])
def test_a_solver_that_sees_only_what_is_shown_gets_every_reward(task: str) -> None:
    """Played through, an answer a step: what was shown until then is enough."""
    env: Any = StreamEnv(task)
    space = env.observation_space
    nothing = np.zeros(env.action_space.shape, np.int64)
    for seed in range(10):
        observation, info = env.reset(seed=seed)
        batch = _streams(task, seed, 1)
        solved = SOLVERS[task](batch.inputs[:, 0])
        seen, total = [], 0.0
        for step in range(int(batch.sizes[0])):
            assert space.contains(observation)
            np.testing.assert_array_equal(observation, batch.inputs[step, 0])
            seen.append(observation)
            answer = np.asarray(solved.get(step, nothing), np.int64)
            observation, reward, terminated, truncated, info = env.step(answer)
            assert reward == float(step in solved)
            assert (terminated, truncated) == (step == batch.sizes[0] - 1, False)
            total += reward
        np.testing.assert_array_equal(observation, seen[-1])
        assert info["success"]
        assert total == len(solved) == info["target_size"] == info["symbols_correct"]


def _is_uniform(counts: Any, categories: int) -> bool:
    """A chi-square test; what it allows is passed by chance about once in ten thousand."""
    counts = np.asarray(counts, np.float64)
    assert counts.size == categories
    expected, freedom = counts.sum() / categories, max(categories - 1, 1)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic < freedom + 4 * math.sqrt(2 * freedom) + 12


@pytest.mark.parametrize("task", list(SOLVERS))
def test_lengths_are_uniform(task: str) -> None:
    lengths = _streams(task, rows=8000, min_length=6, max_length=9).lengths
    assert _is_uniform(np.bincount(lengths)[6:], 4)


@pytest.mark.parametrize("task", ["Copy", "RepeatCopy", "AssociativeRecall", "PrioritySort"])
def test_bits_are_fair_and_independent(task: str) -> None:
    inputs = _streams(task, rows=4000, bits=3).inputs
    words = inputs[1, :, :3] @ np.array([4, 2, 1])  # of the second step, a vector in all tasks
    if task in ("Copy", "RepeatCopy"):
        flags = inputs[1, :, 3] + inputs[0, :, 3]
        words = words[flags == 0]  # streams of one vector have the flag there
    assert _is_uniform(np.bincount(words.astype(int), minlength=8), 8)


def test_the_number_of_repeats_is_uniform_and_is_told_standardised() -> None:
    batch = _streams("RepeatCopy", rows=8000, bits=2, min_length=2, max_length=2)
    told = batch.inputs[2, :, 3]
    times = (batch.sizes - 4) // 2
    assert _is_uniform(np.bincount(times)[1:], 10)
    assert told.mean() == pytest.approx(0, abs=0.05)
    assert told.var() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(told, times)[0, 1] == pytest.approx(1)


def test_every_item_but_the_last_may_be_asked_for() -> None:
    batch = _streams("AssociativeRecall", rows=5000, min_length=6, max_length=6)
    items = batch.inputs[:24].reshape(6, 4, 5000, 8)[:, 1:, :, :6]
    question = batch.inputs[25:28, :, :6]
    same = (items == question).all(axis=(1, 3))
    assert (same.sum(axis=0) == 1).all()
    assert _is_uniform(np.bincount(same.argmax(axis=0)), 5)


def test_priorities_are_uniform() -> None:
    priorities = _streams("PrioritySort", rows=1000).inputs[:20, :, 8]
    counts, _ = np.histogram(priorities, bins=20, range=(-1, 1))
    assert counts.sum() == priorities.size
    assert _is_uniform(counts, 20)


def test_vectors_of_one_priority_are_sorted_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of 32 bits meet once in a million streams."""
    monkeypatch.setattr(tasks, "uniform", lambda row: 0.25)
    bits = iter([1, 0, 0, 1, 1, 1, 0, 0])
    monkeypatch.setattr(tasks, "draw", lambda row, bound: next(bits))
    inputs, targets = np.zeros((8, 4), np.float32), np.full((8, 2), -1, np.int32)
    assert TASKS["PrioritySort"].sample(None, 4, inputs, targets, 2, 3) == 8
    assert (inputs[:4, 2] == -0.5).all()
    assert targets[5:].tolist() == [[1, 0], [0, 1], [1, 1]]
    assert (targets[:5] == -1).all()


def test_symbols_are_uniform() -> None:
    symbols = _streams("DoubleCopy", rows=400).inputs[:50]
    assert _is_uniform(np.bincount(symbols.ravel()), 10)


def _observed_bits(rows: int, length: int, context: int) -> Any:
    batch = _streams("DynamicNGrams", rows=rows, context=context, **_lengths((length, length)))
    return np.concatenate([batch.inputs, batch.targets[-1:]])


def test_ngrams_have_chances_that_follow_beta() -> None:
    """Bits after one context are exchangeable: their number follows the beta-binomial law."""
    context, wanted = 2, 6
    bits = _observed_bits(3000, 60, context)
    # Whether a context comes again depends on its chance, so that only the bits after its first
    # coming are a fair sample; after a run of ones it comes again as long as they go on.
    first = Counter[int]()
    for row in range(bits.shape[1]):
        series = bits[:, row].tolist()
        after = [
            series[t] for t in range(context, len(series)) if series[t - context : t] == [0, 1]
        ]
        if after:
            first[after[0]] += 1
    assert _is_uniform([first[0], first[1]], 2)
    runs = Counter[int]()
    for row in range(bits.shape[1]):
        series = bits[:, row].tolist()
        if series[:context] == [1] * context:
            rest = series[context : context + wanted]
            runs[next((k for k, bit in enumerate(rest) if bit == 0), wanted)] += 1
    total = sum(runs.values())
    still = 1.0
    for k in range(wanted):
        goes_on = (k + 0.5) / (k + 1)  # the mean of Beta(1/2 + k, 1/2)
        expected = total * still * (1 - goes_on)
        assert abs(runs[k] - expected) < 4.5 * math.sqrt(expected)
        still *= goes_on
    assert abs(runs[wanted] - total * still) < 4.5 * math.sqrt(total * still)


def test_the_first_bits_of_ngrams_tell_nothing_of_the_table() -> None:
    bits = _observed_bits(4000, 3, 1)
    zeros = bits[1, bits[0] == 0]
    assert _is_uniform(np.bincount(zeros, minlength=2), 2)


def test_ngrams_depend_on_the_last_bits_alone_and_anew_in_each_episode() -> None:
    context = 3
    bits = _observed_bits(300, 2000, context)
    chances = np.zeros((8, bits.shape[1]))
    for row in range(bits.shape[1]):
        last = np.convolve(bits[:, row], [1, 2, 4], "valid")[:-1]  # the bits before, newest lowest
        following = bits[context:, row]
        for code in range(8):
            here = following[last == code]
            chances[code, row] = here.mean() if here.size >= 50 else np.nan
            if here.size >= 400:  # the same chance in both halves of an episode
                halves = here[: here.size // 2].mean(), here[here.size // 2 :].mean()
                assert abs(halves[0] - halves[1]) < 5 * math.sqrt(0.25 * 4 / here.size)
    assert (np.nanstd(chances, axis=1) > 0.2).all()
    first, second = chances[0], chances[2]
    known = ~np.isnan(first) & ~np.isnan(second)
    assert abs(np.corrcoef(first[known], second[known])[0, 1]) < 0.35


def _questions(rows: int, **arguments: int) -> list[tuple[list[tuple[int, ...]], tuple[int, ...]]]:
    letters = arguments.get("letters", 26)
    batch = _streams("DictionaryInference", rows=rows, **arguments)
    found = []
    for row, size in enumerate(batch.sizes.tolist()):
        examples, question = _parts(batch.inputs[:size, row].tolist(), letters)
        found.append(([tuple(source) for source, _ in examples], tuple(question)))
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {"support": 8, "min_length": 4, "max_length": 4},
        {"support": 16, "min_length": 12, "max_length": 12},
        {"support": 4, "min_length": 2, "max_length": 3},
        {"support": 3, "min_length": 2, "max_length": 4, "letters": 6},
    ],
)
def test_a_question_was_not_shown_but_its_letters_were(arguments: dict[str, int]) -> None:
    for shown, question in _questions(500, **arguments):
        letters = {letter for source in shown for letter in source}
        assert set(question) <= letters
        if len(set(shown)) < len(letters) ** len(question):  # else there is no other one
            assert question not in shown


def test_examples_are_of_all_letters_of_half_the_alphabet() -> None:
    for shown, _ in _questions(50, support=16, min_length=12, max_length=12):
        assert len({letter for source in shown for letter in source}) == 13


def test_a_question_of_one_letter_is_one_of_the_examples() -> None:
    places = Counter[int]()
    for shown, question in _questions(4000, support=4):
        assert question in shown
        if len(set(shown)) == 4:
            places[shown.index(question)] += 1
    assert _is_uniform([places[k] for k in range(4)], 4)


def test_a_question_of_the_only_letter_was_shown() -> None:
    arguments = {"support": 2, "letters": 2, "min_length": 3, "max_length": 3}
    assert all(question in shown for shown, question in _questions(50, **arguments))


def test_dictionaries_are_drawn_anew_and_use_all_letters() -> None:
    pairs = Counter[tuple[int, int]]()
    batch = _streams("DictionaryInference", rows=13_000, letters=4, support=1)
    for source, meaning in zip(batch.inputs[0].tolist(), batch.inputs[2].tolist(), strict=True):
        pairs[source, meaning] += 1
    wanted = [(a, b) for a in range(4) for b in range(4) if a != b]
    assert _is_uniform([pairs[pair] for pair in wanted], 12)
    assert sum(pairs.values()) == sum(pairs[pair] for pair in wanted)


def test_one_letter_of_an_odd_number_means_nothing() -> None:
    batch = _streams("DictionaryInference", rows=300, letters=5, support=12)
    for row in range(300):
        used = {symbol for symbol in batch.inputs[:, row].tolist() if symbol < 5}
        assert len(used) <= 4
