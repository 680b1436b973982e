"""The stream environments that `gym.make` and `gym.make_vec` build."""

from collections.abc import Iterator
from typing import Any

from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from memory_envs.core.env import MemoryEnv
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.curriculum import Curriculum
from memory_envs.stream.layout import StreamBatch, StreamState
from memory_envs.stream.rules import StreamRules
from memory_envs.stream.settings import StreamSettings
from memory_envs.stream.task import StreamTask


class StreamEnv(MemoryEnv[StreamState]):
    """Watch a stream pass by, an input a step, and answer where an answer is due.

    ## Action Space

    ``Discrete`` over the symbols that can be answered; for bit vectors ``MultiDiscrete``, two
    values for each bit. Where no answer is due, the action means nothing; `action_masks` then
    leaves action 0 alone.

    ## Observation Space

    ``Discrete`` over the symbols that can be shown, or a ``Box`` of bits and the flags beside them;
    ``MultiDiscrete`` for sentences, a word at each position. Where an answer is due can be seen
    from what was shown.

    With a `delay`, so many steps stand between what is to be remembered and the question, right
    before its mark. An input then says whether it belongs to the delay, by one more number, 1 there
    and 0 elsewhere; of n symbols, n is a blank step of it, and n + 1 + k a distractor that looks
    like k. DynamicNGrams and the texts ask all along, and cannot be delayed. See `docs/knobs.md`.

    ## Rewards

    +1 for a right answer; for bit vectors the share of bits that are right. 0 otherwise.

    ## Starting State

    The stream is drawn; its first input is shown. The length is uniform on `min_length ..
    max_length`, or drawn from the curriculum. What is drawn how:

    - Copy: `length` vectors of `bits` random bits, then a flag; then the same vectors are due.
    - RepeatCopy: `length` vectors of `bits` random bits, then a flag with the number of times they
      are due, uniform from 1 to `repeats` and scaled to mean 0 and variance 1: with other `repeats`
      the same number is told otherwise. Then they are due that often, and in the end a mark, a bit
      of the answer of its own.
    - AssociativeRecall: `length` items of `item_length` vectors of `bits` bits, all different, a
      flag before each. Then, between two flags, one of them but the last: the next one is due.
    - PrioritySort: `length` vectors of `bits` bits, each with a priority, uniform from -1 to 1;
      then a flag; then the `top` of the highest priority are due, the highest first.
    - DynamicNGrams: `length` bits. Each depends on the `context` bits before it, by a table of
      probabilities that is drawn from Beta(1/2, 1/2) for each episode. The next bit is due, but
      for the first `context` ones.
    - DoubleCopy: `length` of `symbols` symbols, an end mark; then the same, twice.
    - DictionaryInference: `support` examples, each a sequence of `length` letters, an end mark, its
      translation, and a mark; the last mark says that a question comes. The question is a sequence
      that was not shown, of letters that were; its translation is due. Half of the `letters` are
      translated, letter by letter, into the other half, anew in each episode. With one letter to a
      sequence, every question of letters that were shown was shown itself: then it is one of the
      examples, drawn uniformly. With so few letters that a hundred draws find no other, it may be
      one of the examples too.

    Three tasks draw one sequence of a text, all alike likely, and ask for an answer at every step;
    they are those of Barrett, *Learning to Remember* (MANN-RL), section 4:

    - Logic: boolean logic in letters, ``o r 1 0 = |``; every letter is due a step later, and in the
      end the result, ``. o r 1 0 1``.
    - Tagging: words as GloVe's vectors, zeros where there is none; the word's tag is due (Penn
      Treebank's 50, of Universal Dependencies' English Web Treebank).
    - Sentences: the 500 shortest sentences of Tatoeba, letter by letter, to be repeated after the
      last; and for each a sequence in which every letter is due in its own step.

    `bAbI-QA1` to `bAbI-QA20`, and `bAbI` for all of them together, draw one story of the bAbI tasks
    (Weston et al. 2015), all alike likely, and show it whole, its questions in their places:

    - Word by word, as Munkhdalai et al. (2019) and the DNC's authors did: after a question there is
      a placeholder, ``-``, for every word of its answer, at which that word is due.
    - Sentence by sentence (`level="sentence"`): a step shows the numbers of a sentence's words,
      zeros behind its end. The answer is due when the question is shown; several words, such as
      ``apple,milk``, are one answer. With `pauses`, so many steps follow every sentence, and
      `question_pauses` further ones a question; its answer is due at the last. They show nothing,
      zeros, or with `pauses_show="sentence"` the sentence again.

    With `exchange_names=True` people, places, things and directions of a story exchange their names
    wherever they stand, drawn anew each time (`memory_envs.stream.text.names` says which): each
    story stands for hundreds, none of which can be learnt by heart. With `balanced=True` all of
    bAbI's tasks are drawn about as often, those with few but long stories as those with many.

    Words and answers have the same numbers in all 20 tasks. Task 3's training stories are a
    stand-in: 185 of the release, and 1,615 that are written as these are
    (`memory_envs.stream.text.task3`).

    ## Episode End

    Terminated after the last step of the stream; the observation there is that of the step before.
    Never truncated.

    ## Info

    At every reset and step: `success`, `complexity` (the length), `symbols_correct` (right answers
    so far), `target_size` (answers that are due) and `target` (the right answer for each step, -1
    where none is due).

    ## Success

    All answers were right.

    ## Arguments

    Args:
        task: A name from `memory_envs.stream.TASKS` or a `StreamTask` of your own.
        min_length: The shortest length; by default the task's, or `max_length` if that is shorter.
        max_length: The longest length; by default the task's, or `min_length` if that is longer.
        delay: Number of blank steps between what is to be remembered and the question.
        distractors: How many of these steps are not blank, but show data of other streams, which
            never matter; which of them is drawn.
        curriculum: A `memory_envs.Curriculum` to draw the lengths from.
        render_mode: One of "ansi", "rgb_array" and "human".
        **parameters: What else the task depends on, such as `bits` or `symbols`. For a text it is
            `split`, "train", "dev" or, of Tagging, "test", and of bAbI "train", "valid" or "test";
            and `data`, a folder with files of the same names and formats in the place of those that
            come with the package. For bAbI also `level`, "word" or "sentence", and with the latter
            `pauses` and `question_pauses`, 0 unless given, and `pauses_show`, "nothing" or
            "sentence"; and with both `exchange_names` and `balanced`.

    ## Memory Demand

    Everything that an answer depends on has passed by before: the string, the items, the letters
    and what they mean, who went where; for DynamicNGrams how often each context was followed by
    which bit.

    ## Optimal Return

    The number of answers that are due: all of them follow from what was shown, but for those of
    DynamicNGrams, where `memory_envs.oracles.ngrams` says what can be expected at best: 150.0 of
    195 with the registered settings, by ``python -m benchmarks.ngrams_bound``.

    ## References

    - Graves, Wayne & Danihelka 2014, *Neural Turing Machines*, arXiv:1410.5401: Copy, RepeatCopy,
      AssociativeRecall, DynamicNGrams, PrioritySort.
    - Munkhdalai, Sordoni, Wang & Trischler 2019, *Metalearned Neural Memory*, arXiv:1907.09720:
      DoubleCopy, DictionaryInference, bAbI.
    - Weston et al. 2015, *Towards AI-Complete Question Answering*, arXiv:1502.05698: bAbI.
    - Barrett, *Learning to Remember*: Logic, Tagging, Sentences.

    ## Version History

    - v0: first version.
    """

    def __init__(
        self,
        task: str | StreamTask = "Copy",
        render_mode: str | None = None,
        *,
        min_length: int | None = None,
        max_length: int | None = None,
        delay: int = 0,
        distractors: int = 0,
        curriculum: Curriculum | None = None,
        **parameters: Any,
    ) -> None:
        settings = StreamSettings(
            task, min_length, max_length, curriculum, parameters, delay, distractors
        )
        super().__init__(StreamRules(settings), render_mode)


class StreamVectorEnv(MemoryVectorEnv[StreamState]):
    """B streams, stepped together; the arguments are those of `StreamEnv`.

    The same streams can be had whole, to learn from them by gradients:

        env.reset(seed=0)
        inputs, targets, mask, *_ = env.batch()
        env.reset()  # the next ones
    """

    def __init__(
        self,
        num_envs: int = 1,
        task: str | StreamTask = "Copy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        *,
        min_length: int | None = None,
        max_length: int | None = None,
        delay: int = 0,
        distractors: int = 0,
        curriculum: Curriculum | None = None,
        **parameters: Any,
    ) -> None:
        settings = StreamSettings(
            task, min_length, max_length, curriculum, parameters, delay, distractors
        )
        self._streams = StreamRules(settings)
        super().__init__(self._streams, num_envs, autoreset_mode, render_mode)

    def batch(self) -> StreamBatch:
        """Returns the streams of the present episodes, whole, whatever step they are at.

        Raises:
            ResetNeeded: Before the first reset.
        """
        if not (self._state.rows["rng_key"] != 0).all():
            raise ResetNeeded("there is no stream yet: call reset() before batch()")
        return self._streams.batch(self._state)

    def trial(self) -> StreamBatch:
        """Returns what `batch` would after ``reset(seed=0)``; the present episodes stay."""
        return self._streams.trial(self.num_envs)

    def every(self) -> Iterator[StreamBatch]:
        """Yields the streams of a data set, each once, as many at a time as there are rows.

        The present episodes stay as they are.

        Raises:
            TypeError: If the task draws its streams otherwise.
        """
        return self._streams.every(self.num_envs)
