"""The certificates: against brute force on tiny tasks, and over all ids."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import memory_envs
from agents.cli.optima import read_optima
from memory_envs import ENVIRONMENTS, StreamTask, TapeTask
from memory_envs.certificates import (
    Interval,
    bits_to_carry,
    certify,
    heads,
    notes,
    read_certificates,
    search,
)
from memory_envs.certificates.algorithmic import _templates as algorithmic_templates
from memory_envs.certificates.bits import carried
from memory_envs.certificates.counts import Stream, best_value, count
from memory_envs.certificates.players import ALGORITHMIC_PLAYERS, TAPE_PLAYERS
from memory_envs.certificates.scripts import NotEnumerableError, outcomes
from memory_envs.certificates.search import FloatArray, play
from memory_envs.certificates.stream_tasks import KNOWN
from memory_envs.certificates.streams import list_streams
from memory_envs.certificates.strings import list_strings, turns_round
from memory_envs.certificates.windows import with_windows
from memory_envs.core.rng import draw, uniform
from memory_envs.oracles import optimal_return
from memory_envs.stream.settings import StreamSettings
from memory_envs.tape.rules import TapeRules
from tests.memory_envs.chains import Table, expected_return
from tests.memory_envs.conftest import make

_MANY = 1000  # symbols: so many that guesses count for nothing


# Scripts: all outcomes of a function that draws.


def _dice(row: Any) -> int:
    return int(draw(row, 6)) + int(memory_envs.draw(row, 6))


def _nested(row: Any) -> int:
    total = 0
    for _ in range(draw(row, 3)):
        total += _dice(row)
    return total


def test_every_outcome_is_tried_also_of_functions_that_are_called() -> None:
    dice = list(outcomes(_dice, lambda function: function(None)))
    assert len(dice) == 36
    assert sum(chance for chance, total in dice if total == 5) == pytest.approx(6 / 36)
    nested = list(outcomes(_nested, lambda function: function(None)))
    assert sum(chance for chance, _ in nested) == pytest.approx(1.0)
    assert sum(chance * total for chance, total in nested) == pytest.approx(5.0)


def test_what_cannot_be_listed_is_refused() -> None:
    with pytest.raises(NotEnumerableError):
        list(outcomes(lambda row: uniform(row), lambda function: function(None)))
    with pytest.raises(NotEnumerableError, match="more than 35"):
        list(outcomes(_dice, lambda function: function(None), most=35))


# Streams: patterns and formulas against listing, and listing against all policies.


def _settings(task: str, low: int, high: int, **parameters: int) -> StreamSettings:
    delay = parameters.pop("delay", 0)
    return StreamSettings(task, low, high, None, parameters, delay)


@pytest.mark.parametrize(
    "settings",
    [
        _settings("Copy", 1, 3, bits=1),
        _settings("Copy", 2, 3, bits=2),
        _settings("RepeatCopy", 1, 3, bits=1, repeats=3),
        _settings("RepeatCopy", 2, 2, bits=2, repeats=2),
        _settings("DoubleCopy", 1, 4, symbols=2),
        _settings("DoubleCopy", 3, 4, symbols=4),
        _settings("DictionaryInference", 1, 1, letters=4, support=2),
        _settings("DictionaryInference", 1, 1, letters=5, support=1),
        _settings("Copy", 1, 3, bits=1, delay=2),
        _settings("RepeatCopy", 1, 2, bits=1, repeats=3, delay=3),
        _settings("DoubleCopy", 2, 4, symbols=2, delay=1),
        _settings("DictionaryInference", 1, 1, letters=4, support=2, delay=1),
        _settings("DictionaryInference", 1, 1, letters=4, support=2, delay=3),
    ],
    ids=lambda one: f"{one.task.name}-{one.max_length}-{one.parameters}-{one.delay}",
)
def test_the_structure_of_a_task_gives_what_listing_gives(settings: StreamSettings) -> None:
    streams = list_streams(settings)
    assert sum(stream.probability for stream in streams) == pytest.approx(1.0)
    for k in (1, 2, 3, 4, 7, 8):
        listed = best_value(count(streams, k))
        found = KNOWN[settings.task.name](settings, k)
        assert found.lower - 1e-9 <= listed <= found.upper + 1e-9
        if found.lower_by == "exact":
            assert found.lower == pytest.approx(listed, abs=1e-9)


def test_distractors_change_no_value() -> None:
    settings = _settings("DoubleCopy", 1, 2, symbols=2, delay=2)
    streams, distracted = list_streams(settings), []
    for stream in streams:
        for place, symbol in itertools.product(range(2), range(2)):
            inputs = stream.inputs.copy()
            inputs[settings.question(stream.length) + place] = 4 + 1 + symbol
            chance = stream.probability / 4
            distracted.append(stream._replace(probability=chance, inputs=inputs))
    for k in range(1, 10):
        value = best_value(count(streams, k))
        assert best_value(count(distracted, k)) == pytest.approx(value)


def test_a_delay_puts_the_data_out_of_view() -> None:
    string = {"min_length": 3, "max_length": 3}
    plain = certify("Stream-Copy-v0", (8,), **string)
    delayed = certify("Stream-Copy-v0", (8,), delay=10, distractors=5, **string)
    assert plain.observations[8].lower == plain.best.upper == delayed.best.upper == 3
    assert delayed.observations[8].upper == delayed.memoryless.upper == 1.5
    assert plain.memoryless.upper == 1.5


def test_steps_of_a_delay_in_view_take_the_place_of_data() -> None:
    vectors = {"bits": 2, "top": 3}
    plain, delayed = (_settings("PrioritySort", 6, 8, **vectors, delay=n) for n in (0, 3))
    assert KNOWN["PrioritySort"](delayed, 10) == KNOWN["PrioritySort"](plain, 7)
    assert KNOWN["PrioritySort"](delayed, 10).upper < KNOWN["PrioritySort"](plain, 10).upper
    # Nothing of 20 vectors is in view, and six actions of eight bits each are notes.
    upper = notes._upper(_settings("Copy", 20, 20, bits=8, delay=4), 6)
    assert upper == pytest.approx(notes.most_right(160, 2, 48.0) / 8)


# The bits to carry: formulas against listing, and by hand.


@pytest.mark.parametrize(
    "settings",
    [
        _settings("Copy", 1, 3, bits=2),
        _settings("RepeatCopy", 1, 3, bits=1, repeats=3),
        _settings("DoubleCopy", 2, 4, symbols=3),
        _settings("DoubleCopy", 1, 3, symbols=1),
        _settings("DictionaryInference", 1, 1, letters=4, support=2),
        _settings("DictionaryInference", 1, 1, letters=5, support=2),
    ],
    ids=lambda one: f"{one.task.name}-{one.max_length}-{one.parameters}",
)
def test_the_bits_to_carry_are_what_listing_says(settings: StreamSettings) -> None:
    task = dataclasses.replace(settings.task, name="Other")
    parameters = dict(zip((p.name for p in task.parameters), settings.parameters, strict=True))
    other = StreamSettings(task, settings.min_length, settings.max_length, None, parameters, 2)
    assert carried(settings) == pytest.approx(carried(other))


def test_bits_to_carry_by_hand() -> None:
    def bits(task: str, low: int, high: int, **parameters: int) -> float:
        return carried(_settings(task, low, high, **parameters))

    assert bits("Copy", 10, 10, bits=8) == 80
    assert bits("Copy", 1, 2, bits=3) == pytest.approx(1 + 4.5)  # the length is to be known, too
    assert bits("Copy", 10, 10, bits=8, delay=50) == 80
    assert bits("AssociativeRecall", 3, 3, bits=1, item_length=2) == pytest.approx(
        math.log2(4 * 3 * 2)
    )
    assert bits("PrioritySort", 5, 9, bits=4, top=2) == 8  # how many there were is not asked for
    assert bits("PrioritySort", 1, 2, bits=4, top=2) == pytest.approx(1 + 6)
    # One letter of four and its meaning.
    assert bits("DictionaryInference", 1, 1, letters=4, support=1) == pytest.approx(math.log2(12))
    assert bits_to_carry("Stream-Copy-v0", min_length=4, max_length=4, distractors=1, delay=2) == 32


def test_where_there_are_no_bits_to_carry_it_is_said() -> None:
    with pytest.raises(ValueError, match="task is DynamicNGrams; allowed: tasks with a question"):
        bits_to_carry("Stream-DynamicNGrams-v0")
    with pytest.raises(ValueError, match="env_id is 'Tape-Copy-v0'; allowed: ids of stream tasks"):
        bits_to_carry("Tape-Copy-v0")
    with pytest.raises(ValueError, match="curriculum is given; allowed: None"):
        bits_to_carry("Stream-Copy-v0", curriculum=memory_envs.Curriculum(max_level=3))
    task = dataclasses.replace(_settings("AssociativeRecall", 2, 2).task, name="Other")
    with pytest.raises(ValueError, match="task is Other; allowed: fewer streams"):
        carried(StreamSettings(task, 2, 2, None, {}))


def test_items_that_all_differ_are_within_the_bounds_for_independent_ones() -> None:
    settings = _settings("AssociativeRecall", 2, 3, bits=1, item_length=2)
    streams = []
    for n in (2, 3):
        kinds = list(itertools.product(range(2), repeat=2))
        cases = list(itertools.product(itertools.permutations(kinds, n), range(n - 1)))
        for items, asked in cases:
            inputs, targets = (array[0] for array in settings.new_stream(1))
            for i, item in enumerate((*items, items[asked])):
                inputs[3 * i, 1 + (i == n)] = 1
                inputs[3 * i + 1 : 3 * i + 3, 0] = item
            inputs[3 * n + 3, 2] = 1
            targets[3 * n + 4 : 3 * n + 6, 0] = items[asked + 1]
            size = 3 * n + 6
            streams.append(Stream(1 / 2 / len(cases), inputs[:size], targets[:size]))
    for k in (1, 2, 4, 6, 8):
        found = KNOWN["AssociativeRecall"](settings, k)
        assert found.lower - 1e-9 <= best_value(count(streams, k)) <= found.upper + 1e-9
    with pytest.raises(NotEnumerableError, match="draws"):
        list_streams(settings)


@pytest.mark.parametrize("top", [2, 5])
def test_the_bounds_of_priority_sort_hold_what_sampled_streams_say(top: int) -> None:
    settings = _settings("PrioritySort", 4, 5, bits=1, top=top)
    rng = np.random.default_rng(0)
    for k in (1, 3, 4, 6):
        found = KNOWN["PrioritySort"](settings, k)
        assert found.lower <= found.upper + 1e-12
        # A policy that is allowed: it answers with the highest in view.
        got = []
        for _ in range(4000):
            n = int(rng.integers(4, 6))
            bits, order = rng.integers(2, size=n), rng.permutation(n)
            got.append(0.0)
            for r in range(min(top, n)):
                m = min(max(k - 2 - r, 0), n)
                seen = range(n - m, n)
                answer = bits[min(seen, key=lambda i: order[i])] if m else 0
                got[-1] += float(answer == bits[int(np.flatnonzero(order == r)[0])])
        assert np.mean(got) <= found.upper + 0.15


def _play_streams(settings: StreamSettings, act: Callable[[bytes], int]) -> float:
    return sum(
        stream.probability * float(act(shown.tobytes()) == target[0])
        for stream in list_streams(settings)
        for shown, target in zip(stream.inputs, stream.targets, strict=True)
        if target[0] >= 0
    )


def test_no_policy_without_memory_gets_more_and_one_gets_as_much() -> None:
    settings = _settings("DoubleCopy", 1, 2, symbols=2)
    kinds = sorted({row.tobytes() for stream in list_streams(settings) for row in stream.inputs})
    value = best_value(count(list_streams(settings), 1))
    returns = {
        answers: _play_streams(settings, dict(zip(kinds, answers, strict=True)).__getitem__)
        for answers in itertools.product(range(2), repeat=len(kinds))
    }
    assert max(returns.values()) == pytest.approx(value)
    # Chance does not help: the return of a mixture of answers is the mixture of returns.
    for share in np.linspace(0, 1, 5):
        first, second = (0,) * len(kinds), (1,) * len(kinds)
        assert share * returns[first] + (1 - share) * returns[second] <= value + 1e-9


def test_sampled_bounds_hold_the_exact_value() -> None:
    from memory_envs.certificates.sampling import (
        dictionary_windows,
        ngram_windows,
        sampled_windows,
    )
    from memory_envs.oracles.ngrams import exact_return

    settings = _settings("DictionaryInference", 1, 1, letters=4, support=2)
    streams = list_streams(settings)
    for k in (1, 5):
        listed = best_value(count(streams, k))
        found = dictionary_windows(settings, k, streams=20_000)
        assert found.lower <= listed <= found.upper
        assert found.upper - found.lower < 0.1
        other, answers, _ = sampled_windows(settings, k, streams=10_000)
        assert other.lower <= listed <= other.upper
        assert answers == 1.0
    short = _settings("DynamicNGrams", 4, 4, context=1)
    found = ngram_windows(short, 4, streams=100_000)  # the window shows everything
    assert found.lower <= exact_return(4, 1) <= found.upper
    assert found.upper - found.lower < 0.1


@pytest.mark.parametrize(("symbols", "values", "strings"), [(3, 2, 1), (3, 2, 2), (2, 3, 4)])
def test_notes_carry_no_more_than_the_bound(symbols: int, values: int, strings: int) -> None:
    words = list(itertools.product(range(values), repeat=symbols))
    best = max(
        sum(
            max(sum(a == b for a, b in zip(word, code, strict=True)) for code in book)
            for word in words
        )
        / len(words)
        for book in itertools.combinations_with_replacement(words, strings)
    )
    bound = notes.most_right(symbols, values, math.log2(strings))
    assert best <= bound + 1e-12
    if strings == 1:
        assert bound == pytest.approx(symbols / values)


# Heads: the theorems against exact values of policies that come near.


def _content(
    actions: Callable[[int], list[tuple[float, int, int | None]]], symbols: int, **others: Any
) -> Table:
    """A table that treats all content symbols alike."""
    return {symbol: actions(symbol) for symbol in range(symbols)} | {
        {"end": symbols, "blank": symbols + 1}[name]: actions for name, actions in others.items()
    }


def _left_or_right(e: float) -> Callable[[int], list[tuple[float, int, int | None]]]:
    return lambda symbol: [(e, -1, symbol), (1 - e, 1, None)]


def _emit_and_go_on(e: float) -> Callable[[int], list[tuple[float, int, int | None]]]:
    return lambda symbol: [(e, 1, symbol), (1 - e, 1, None)]


def test_a_string_turned_round_is_as_hard_as_the_theorem_says() -> None:
    table = _content(_left_or_right(0.5), 4, end=[(1.0, -1, None)], blank=[(1.0, 1, None)])
    chances = expected_return(table, (2, 3, 4), (3, 2, 4), 200, blank=5)[1]
    assert chances[2] == pytest.approx(0.25)
    assert 0.25 < heads.turned_round(_MANY) < 0.254
    assert heads.turned_round(2) == 1.0  # nothing is known of two symbols


def test_to_count_copies_is_as_hard_as_the_theorem_says() -> None:
    for copies, best in ((2, 1 / 2), (3, 4 / 9)):
        table = _content(
            _emit_and_go_on(1 / copies),
            4,
            end=[(1.0, -1, 4)],
            blank=[(1.0, 1, None)],
        )
        source = (2,) * copies + (3,) * copies + (4,)
        chances = expected_return(table, source, (2, 3, 4), 50, blank=5)[1]
        # Of the first, and any emission then among those of the second symbol.
        assert chances[2] <= best + 1e-12
        assert chances[1] * (1 - (1 - 1 / copies) ** copies) > chances[2] - 1e-12
        assert best < heads.counted(copies, _MANY) < best + 0.004
        # Emitted with certainty once the head is there, the second symbol adds nothing to fail.
        sure = dict(table) | {3: [(1.0, 1, 3)]}
        assert expected_return(sure, source, (2, 3, 4), 50, blank=5)[1][2] == pytest.approx(best)


def test_to_count_phrases_is_as_hard_as_the_theorem_says() -> None:
    # From the one symbol left or right, with the same chance: back for it again, or to the end.
    table = _content(lambda s: [(0.5, 1, s), (0.5, -1, s)], 6, end=[(1.0, -1, 6)], blank=[])
    table = dict(table) | {2: [(1.0, 1, None)], 7: [(1.0, 1, None)]}
    chances = expected_return(table, (2, 5, 6), (5, 5, 6), 400, blank=7)[1]
    assert chances[3] == pytest.approx(0.25)
    assert 0.25 < heads.repeated(1, _MANY) < 0.254
    assert 0.25 < heads.repeated(2, _MANY) < 0.256
    assert 0.25 < heads.turned_back(2, _MANY) < 0.256
    chances = expected_return(
        {4: [(1.0, 1, 4)], 5: [(0.5, 1, 5), (0.5, -1, 5)], 7: [(1.0, -1, None)]},
        (4, 5),
        (4, 5, 5, 4),
        400,
        blank=7,
    )[1]
    assert chances[4] == pytest.approx(0.25)


def _some_table(rng: np.random.Generator, symbols: int) -> Table:
    """Chances for all moves and symbols, some far from even."""
    table = {}
    for seen in range(symbols + 2):
        actions = [(m, s) for m in (-1, 0, 1) for s in (None, *range(symbols + 1))]
        chances = rng.dirichlet(np.full(len(actions), 10 ** rng.uniform(-2, 0.5)))
        table[seen] = [
            (float(p), *action) for p, action in zip(chances, actions, strict=True) if p > 1e-9
        ]
    return table


@pytest.mark.parametrize("task", ["Reverse", "DuplicatedInput", "RepeatCopy"])
def test_no_policy_without_memory_is_above_the_bounds_of_heads(task: str) -> None:
    env = make("Tape-Copy-Easy-v0", task=task, symbols=5, min_length=1, max_length=2)
    strings = {n: list_strings(env.rules.settings, n) for n in (1, 2)}
    upper = certify_upper(env.rules)
    rng = np.random.default_rng(0)
    for _ in range(2 if task == "RepeatCopy" else 12):
        table, value = _some_table(rng, 5), 0.0
        for n in (1, 2):
            for chance, source, target in strings[n]:
                whole = (*source, 5), (*target, 5)
                value += chance / 2 * expected_return(table, *whole, steps=40, blank=6)[0]
        assert value <= upper


def certify_upper(rules: TapeRules) -> float:
    from memory_envs.certificates.tapes import upper_bound

    bound = upper_bound(rules.settings)
    assert bound is not None
    return bound


def test_plain_lines_and_environment_agree() -> None:
    env = make("Tape-Reverse-Easy-v0", min_length=2, max_length=2)
    table = _content(_left_or_right(0.4), 5, end=[(1.0, -1, None)], blank=[(1.0, 1, 5)])
    strings = list_strings(env.rules.settings, 2)
    value = sum(
        chance * expected_return(table, (*source, 5), (*target, 5), steps=22, blank=6)[0]
        for chance, source, target in strings
    )
    rng = np.random.default_rng(0)

    def act(observations: Any, rows: Any) -> Any:
        seen = observations[:, 0].astype(np.int64)
        emits = (rng.random(len(seen)) < 0.4) & (seen < 5)
        moves = np.select([seen == 5, seen == 6, emits], [0, 2, 0], 2)
        return np.stack([moves, emits | (seen == 6), np.minimum(seen, 5)], axis=1)

    returns = play(env.rules, act, 20_000, 0)
    assert returns.mean() == pytest.approx(value, abs=5 * returns.std() / 140)


def test_the_search_finds_what_needs_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of all tables of a move and a symbol for every symbol in view, one copies without a mistake.
    rules: Any = make("Algorithmic/Copy-v0").rules
    templates = algorithmic_templates(rules.settings)

    def found() -> float:
        return search.found_value(rules, templates, 8.0, np.random.default_rng(0))

    assert 2.8 < found() <= read_certificates()["Algorithmic/Copy-v0"].best.upper
    # Of the tables for each discount it is the better one that plays.
    nothing = np.full((templates.num_kinds, templates.num_actions), 1.0 / templates.num_actions)
    improve = search._improve
    for good in search._DISCOUNTS:

        def once(
            rules: Any, templates: Any, discount: float, rng: Any, good: float = good
        ) -> FloatArray:
            return improve(rules, templates, discount, rng) if discount == good else nothing

        monkeypatch.setattr(search, "_improve", once)
        assert found() > 2.8


# Windows, by what a player sees.


def test_from_the_window_of_a_player_on_its_return_is_known() -> None:
    best, memoryless = Interval(3.0, 4.0, "proven"), Interval(1.0, 2.0, "sampled", "proven")
    wider, solved = Interval(1.0, 4.0, "sampled", "trivial"), Interval(3.0, 4.0, "found")
    seen = {1: memoryless, 2: wider, 3: wider}
    ks = tuple(seen)
    assert with_windows(best, memoryless, ks, None) == (seen, dict.fromkeys(ks, wider))
    assert with_windows(best, memoryless, ks, 2) == (seen, {1: wider, 2: solved, 3: solved})
    assert with_windows(best, solved, ks, 0) == (dict.fromkeys(ks, solved),) * 2


# Players, over the registry.


def test_players_with_a_window_get_the_best_return_for_every_length(env_id: str) -> None:
    spec = ENVIRONMENTS[env_id]
    families = {"tape": TAPE_PLAYERS, "algorithmic": ALGORITHMIC_PLAYERS}
    player = families.get(spec.family, {}).get(spec.task)
    if player is None or spec.task == "ReversedAddition3":  # Gym's time limit is too short for it
        return
    env = make(env_id)
    settings = env.rules.settings
    symbols = settings.symbols if spec.family == "tape" else settings.base
    played = set()
    for seed in range(400):
        observation, info = env.reset(seed=seed)
        kind = info["complexity"], info["target_size"]
        if kind in played and spec.task != "ReversedAddition":
            continue
        played.add(kind)
        best = optimal_return(env)
        seen, total, over = [_symbols(observation)], 0.0, False
        done: list[tuple[int, ...]] = []
        while not over:
            window = player.window
            action = player.act(seen[-max(window, 1) :], done[-window:] if window else [], symbols)
            observation, reward, ended, late, _ = env.step(np.array(action, np.int64))
            total, over = total + reward, ended or late
            seen.append(_symbols(observation))
            done.append(action)
        assert total == best
    lengths = {length for length, _ in played}
    if spec.family == "tape":
        assert lengths == set(range(1, settings.max_length + 1))


def _symbols(observation: Any) -> tuple[int, ...]:
    return tuple(int(symbol) for symbol in np.atleast_1d(observation))


# The registry.


def test_every_id_has_a_certificate_whose_bounds_fit_together(env_id: str) -> None:
    found = read_certificates()[env_id]
    assert found.memoryless.upper <= found.best.upper + 1e-9
    assert found.memoryless == found.observations[1]
    for k in found.windows:
        assert found.observations[k].lower >= found.memoryless.lower - 1e-9
        assert found.windows[k].lower >= found.observations[k].lower - 1e-9
        assert found.windows[k].upper >= found.observations[k].upper - 1e-9
        assert found.windows[k].upper <= found.best.upper + 1e-9
    # What a seer gets over a thousand seeds, which are a sample.
    assert found.best.upper <= read_optima()[env_id]["optimum"] * 1.03
    assert not (found.needs_memory and found.needs_none)


def test_random_play_is_below_the_bound_without_memory(env_id: str) -> None:
    rules = make(env_id).rules
    rng = np.random.default_rng(0)
    sizes = [len(values) for values in rules.action_values]
    returns = play(rules, lambda _, rows: rng.integers(sizes, size=(len(rows), len(sizes))), 200, 0)
    error = returns.std(ddof=1) / math.sqrt(len(returns))
    assert returns.mean() <= read_certificates()[env_id].memoryless.upper + 5 * error


def test_the_packaged_certificates_are_those_of_the_theorems(env_id: str) -> None:
    spec, found = ENVIRONMENTS[env_id], read_certificates()[env_id]
    rules = make(env_id).rules
    if spec.family == "tape":
        from memory_envs.certificates.tapes import upper_bound

        bound = upper_bound(rules.settings)
        assert found.memoryless.upper == pytest.approx(bound or found.best.upper)
        assert found.memoryless.upper_by in ("proven" if bound else "trivial", "exact")
    if found.method == "by its structure" and spec.task not in ("DynamicNGrams", "RepeatCopy"):
        for k, interval in found.observations.items():
            if "sampled" not in (interval.lower_by, interval.upper_by):
                again = KNOWN[spec.task](rules.settings, k)
                assert interval.upper == pytest.approx(again.upper)
                assert interval.lower == pytest.approx(again.lower)


def test_what_is_certified() -> None:
    found = read_certificates()
    none = {name for name, one in found.items() if one.needs_none}
    assert none == {
        f"Tape-{task}{tier}-v0"
        for task in ("Copy", "ForwardReverse")
        for tier in ("-Easy", "", "-Hard")
    } | {"Algorithmic/Copy-v0"}
    needs = {name for name, one in found.items() if one.needs_memory}
    assert {name for name in found if name.startswith("Stream-")} <= needs
    for task in ("DuplicatedInput", "Reverse", "RepeatCopy"):
        assert {f"Tape-{task}{tier}-v0" for tier in ("-Easy", "", "-Hard")} <= needs


# Tasks of one's own.


def _sample_two_back(row, length, inputs, targets):  # type: ignore[no-untyped-def]
    for t in range(length + 2):
        inputs[t] = memory_envs.draw(row, 3)
        if t >= 2:
            targets[t] = inputs[t - 2]
    return length + 2


def _sample_noise(row, length, inputs, targets):  # type: ignore[no-untyped-def]
    for t in range(12):
        inputs[t] = memory_envs.draw(row, 4)
        if t >= 1:
            targets[t] = inputs[t - 1]
    return 12


def _three(*lengths: int) -> gym.spaces.Discrete:
    return gym.spaces.Discrete(3)


def _four(*lengths: int) -> gym.spaces.Discrete:
    return gym.spaces.Discrete(4)


def test_a_stream_of_ones_own_is_listed() -> None:
    task = StreamTask(
        "CertifyTwoBack", _sample_two_back, lambda n: n + 2, _three, _three, max_length=3
    )
    env_id = memory_envs.register_stream_task(task)
    try:
        found = certify(env_id, (2, 3))
    finally:
        del gym.registry[env_id]
    assert found.best.is_exact
    assert found.best.upper == pytest.approx(2.0)
    assert found.memoryless.is_exact
    assert found.memoryless.upper == pytest.approx(2 / 3)
    # With two in view, the start can still be told from the rest, but nothing be had of it.
    assert found.observations[2].upper == pytest.approx(2 / 3)
    assert found.observations[3].upper == pytest.approx(2.0)
    assert found.needs_memory
    assert found.method == f"by listing its {3**3 + 3**4 + 3**5} streams"


def test_a_stream_of_ones_own_with_too_many_outcomes_is_sampled() -> None:
    task = StreamTask("CertifyNoise", _sample_noise, lambda n: 12, _four, _four, max_length=1)
    env_id = memory_envs.register_stream_task(task)
    try:
        found = certify(env_id, (2,))
    finally:
        del gym.registry[env_id]
    assert found.memoryless.lower <= 11 / 4 <= found.memoryless.upper
    assert found.memoryless.upper_by == "sampled"
    assert found.observations[2].lower > 10.5
    assert found.needs_memory
    assert "sampled streams" in found.method


def _sample_string(row, length, symbols, source):  # type: ignore[no-untyped-def]
    for i in range(length):
        source[i] = memory_envs.draw(row, symbols)
    return length


def _target_backwards(source, size, symbols, out):  # type: ignore[no-untyped-def]
    for i in range(size):
        out[i] = source[size - 1 - i]
    return size


def _target_forwards(source, size, symbols, out):  # type: ignore[no-untyped-def]
    for i in range(size):
        out[i] = source[i]
    return size


def test_a_tape_of_ones_own_that_turns_round_is_certified() -> None:
    backwards = TapeTask("CertifyBack", _sample_string, _target_backwards)
    rules = make("Tape-Copy-Easy-v0", task=backwards, max_length=3).rules
    for n, turns in ((1, False), (2, True), (3, True)):
        assert turns_round(list_strings(rules.settings, n), 5) == turns
    forwards = TapeTask("CertifyForth", _sample_string, _target_forwards)
    rules = make("Tape-Copy-Easy-v0", task=forwards, max_length=3).rules
    assert not turns_round(list_strings(rules.settings, 3), 5)
    ids = memory_envs.register_tape_task(backwards)
    try:
        found = certify(ids[0])
        mine = certify(ids[0], max_length=1)
    finally:
        for name in ids:
            del gym.registry[name]
    built_in = read_certificates()["Tape-Reverse-Easy-v0"]
    assert found.needs_memory
    assert found.memoryless.upper == pytest.approx(built_in.memoryless.upper)
    assert found.best.is_exact
    assert found.best.upper == pytest.approx(built_in.best.upper)
    assert not mine.needs_memory


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="windows is 11; allowed: integers from 1 to 10"):
        certify("Stream-Copy-v0", (11,))
    with pytest.raises(ValueError, match="on_error is 'continue'; allowed where certified"):
        certify("Tape-Copy-v0", on_error="continue")
    with pytest.raises(ValueError, match="env_id is 'CartPole-v1'; allowed: ids of memory_envs"):
        certify("CartPole-v1")
    with pytest.raises(ValueError, match=r"lower is 2.0; allowed: up to upper, 1.0"):
        Interval(2.0, 1.0)
