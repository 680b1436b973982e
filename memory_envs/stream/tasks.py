"""The tasks of the stream family, after Graves et al. (2014) and Munkhdalai et al. (2019).

The first have bit vectors with flags beside them, the others symbols. No flag and no symbol tells
more than the papers' streams do: where an answer is due can be seen in each of them.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from memory_envs.core.rng import draw, uniform
from memory_envs.stream.task import Parameter, StreamTask, bit_word

_BITS = Parameter("bits", 8, 1, 64)
_SYMBOLS = Parameter("symbols", 10, 1, 1000)


def _bits_and_flag(bits: int, *others: int) -> spaces.Box:
    return spaces.Box(0.0, 1.0, (bits + 1,), np.float32)


def _bits_and_two_flags(bits: int, *others: int) -> spaces.Box:
    return spaces.Box(0.0, 1.0, (bits + 2,), np.float32)


def _bits(bits: int, *others: int) -> spaces.MultiDiscrete:
    return spaces.MultiDiscrete([2] * bits)


def _after_data(length: int, *parameters: int) -> int:
    """The question begins with the mark behind the data, an input each."""
    return length


# Copy: section 4.1 of Graves et al. (2014).


def _sample_copy(row, length, inputs, targets, bits):  # type: ignore[no-untyped-def]
    inputs[length, bits] = 1
    for i in range(length):
        for k in range(bits):
            bit = draw(row, 2)
            inputs[i, k], targets[length + 1 + i, k] = bit, bit
    return 2 * length + 1


def _steps_copy(length: int, bits: int) -> int:
    return 2 * length + 1


def _words_copy(vector: npt.NDArray[Any], *parameters: int) -> str:
    return "|" if vector[-1] else bit_word(vector[:-1])


# Repeat copy: section 4.2. How often is told by one number, scaled to mean 0 and variance 1.


def _sample_repeat(row, length, inputs, targets, bits, repeats):  # type: ignore[no-untyped-def]
    times = 1 + draw(row, repeats)
    inputs[length, bits] = 1
    if repeats > 1:
        deviation = math.sqrt((repeats * repeats - 1) / 12)
        inputs[length, bits + 1] = (times - (repeats + 1) / 2) / deviation
    for i in range(length):
        for k in range(bits):
            bit = draw(row, 2)
            inputs[i, k] = bit
            for copy in range(times):
                targets[length + 1 + copy * length + i, k] = bit
    end = length + 1 + times * length
    for t in range(length + 1, end + 1):
        targets[t, bits] = t == end
    for k in range(bits):
        targets[end, k] = 0
    return end + 1


def _steps_repeat(length: int, bits: int, repeats: int) -> int:
    return length + 2 + repeats * length


def _inputs_repeat(bits: int, repeats: int) -> spaces.Box:
    low, high = np.zeros(bits + 2, np.float32), np.ones(bits + 2, np.float32)
    # The farthest that a uniform number of repeats can be from its mean is below sqrt(3).
    low[-1], high[-1] = -1.75, 1.75
    return spaces.Box(low, high, dtype=np.float32)


def _answers_repeat(bits: int, repeats: int) -> spaces.MultiDiscrete:
    return spaces.MultiDiscrete([2] * (bits + 1))


def _words_repeat(vector: npt.NDArray[Any], bits: int, repeats: int) -> str:
    deviation = math.sqrt((repeats * repeats - 1) / 12)
    times = round(vector[-1] * deviation + (repeats + 1) / 2)
    return f"x{times}" if vector[-2] else bit_word(vector[:-2])


# Associative recall: section 4.3. A mark before each item, another on both sides of the question.


def _sample_recall(row, length, inputs, targets, bits, item_length):  # type: ignore[no-untyped-def]
    stride = item_length + 1
    for item in range(length):
        inputs[item * stride, bits] = 1
        known = True
        while known:  # the question must have one answer
            for i in range(1, stride):
                for k in range(bits):
                    inputs[item * stride + i, k] = draw(row, 2)
            known = False
            for other in range(item):
                same = True
                for i in range(1, stride):
                    for k in range(bits):
                        there, here = inputs[other * stride + i, k], inputs[item * stride + i, k]
                        same &= there == here
                known |= same
    asked, question = draw(row, length - 1), length * stride
    inputs[question, bits + 1] = 1
    inputs[question + stride, bits + 1] = 1
    for i in range(1, stride):
        for k in range(bits):
            inputs[question + i, k] = inputs[asked * stride + i, k]
            targets[question + stride + i, k] = np.int32(inputs[(asked + 1) * stride + i, k])
    return question + 2 * stride


def _steps_recall(length: int, bits: int, item_length: int) -> int:
    return (length + 2) * (item_length + 1)


def _question_recall(length: int, bits: int, item_length: int) -> int:
    return length * (item_length + 1)


def _check_recall(shortest: int, longest: int, bits: int, item_length: int) -> None:
    kinds = 2 ** (bits * item_length)
    if longest > kinds:
        raise ValueError(
            f"max_length is {longest}; allowed with items of {item_length} vectors of {bits} bits, "
            f"which shall all differ: up to {kinds}"
        )


def _words_recall(vector: npt.NDArray[Any], *parameters: int) -> str:
    return "|" if vector[-2] else "?" if vector[-1] else bit_word(vector[:-2])


# Priority sort: section 4.5, as in section 4.1 of Munkhdalai et al. (2019).


def _sample_sort(row, length, inputs, targets, bits, top):  # type: ignore[no-untyped-def]
    inputs[length, bits + 1] = 1
    for i in range(length):
        inputs[i, bits] = 2 * uniform(row) - 1
        for k in range(bits):
            inputs[i, k] = draw(row, 2)
    count = min(top, length)
    for i in range(length):
        rank = 0
        for j in range(length):
            higher = inputs[j, bits] > inputs[i, bits]
            rank += higher | ((inputs[j, bits] == inputs[i, bits]) & (j < i))
        if rank < count:
            for k in range(bits):
                targets[length + 1 + rank, k] = np.int32(inputs[i, k])
    return length + 1 + count


def _steps_sort(length: int, bits: int, top: int) -> int:
    return length + 1 + min(top, length)


def _inputs_sort(bits: int, top: int) -> spaces.Box:
    low, high = np.zeros(bits + 2, np.float32), np.ones(bits + 2, np.float32)
    low[bits] = -1.0
    return spaces.Box(low, high, dtype=np.float32)


def _words_sort(vector: npt.NDArray[Any], *parameters: int) -> str:
    priority = f"{vector[-2]:+.2f}".replace("0.", ".") if vector[-2] else ""
    return "|" if vector[-1] else bit_word(vector[:-2]) + priority


# Dynamic N-grams: section 4.4. A table of probabilities, drawn anew in each episode from
# Beta(1/2, 1/2), says how the next bit depends on the last ones.


def _sample_ngrams(row, length, inputs, targets, context):  # type: ignore[no-untyped-def]
    chances = np.empty(1 << context, np.float64)
    for k in range(chances.size):
        chances[k] = math.sin(0.5 * math.pi * uniform(row)) ** 2  # the arcsine law
    last = 0
    for t in range(length):
        chance = chances[last] if t >= context else 0.5
        bit = int(uniform(row) < chance)
        if t < length - 1:
            inputs[t] = bit
        if t >= context:
            targets[t - 1] = bit
        last = (2 * last + bit) % chances.size
    return length - 1


def _steps_ngrams(length: int, context: int) -> int:
    return length - 1


def _check_ngrams(shortest: int, longest: int, context: int) -> None:
    if shortest <= context:
        raise ValueError(
            f"min_length is {shortest}; allowed with context={context}: from {context + 1} on"
        )


def _two(*parameters: int) -> spaces.Discrete:
    return spaces.Discrete(2)


# Double copy: section 4.1 of Munkhdalai et al. (2019). The paper does not say what is copied how;
# here the string is to be given twice, one after the other.


def _sample_double(row, length, inputs, targets, symbols):  # type: ignore[no-untyped-def]
    end = 3 * length + 1
    for i in range(length):
        symbol = draw(row, symbols)
        inputs[i], targets[length + 1 + i], targets[2 * length + 1 + i] = symbol, symbol, symbol
    inputs[length] = symbols
    for t in range(length + 1, end):
        inputs[t] = symbols + 1
    return end


def _steps_double(length: int, symbols: int) -> int:
    return 3 * length + 1


def _inputs_double(symbols: int) -> spaces.Discrete:
    return spaces.Discrete(symbols + 2)


def _words_double(symbol: int, symbols: int) -> str:
    return str(symbol) if symbol < symbols else "|_"[symbol - symbols]


def _answers_double(symbols: int) -> spaces.Discrete:
    return spaces.Discrete(symbols)


# Dictionary inference: section 4.1 and Appendix A of Munkhdalai et al. (2019). After the letters
# come the paper's four special characters. The paper does not say where exactly they stand.

_END, _NEXT, _ASKED, _BLANK = range(4)  # of a sequence, of an example, of the support set; answer


def _sample_dictionary(row, length, inputs, targets, letters, support):  # type: ignore[no-untyped-def]
    half = letters // 2
    order = np.arange(letters)
    for i in range(letters - 1, 0, -1):
        j = draw(row, i + 1)
        order[i], order[j] = order[j], order[i]
    # order[k] means order[half + k], for k below half.
    stride = 2 * length + 2
    support_words = np.empty((support, length), np.int64)
    for example in range(support):
        start = example * stride
        for i in range(length):
            letter = draw(row, half)
            support_words[example, i] = letter
            inputs[start + i] = order[letter]
            inputs[start + length + 1 + i] = order[half + letter]
        inputs[start + length] = letters + _END
        inputs[start + stride - 1] = letters + _NEXT
    question = support * stride
    inputs[question - 1] = letters + _ASKED
    known = support_words.reshape(-1)
    word = np.empty(length, np.int64)
    # A sequence that was not shown, of letters that were. With one letter to a sequence there is
    # none, and with few letters there may be none: then the last try is taken, which was shown.
    for _ in range(100 if length > 1 else 1):
        for i in range(length):
            word[i] = known[draw(row, known.size)]
        shown = False
        for example in range(support):
            same = True
            for i in range(length):
                same &= support_words[example, i] == word[i]
            shown |= same
        if not shown:
            break
    for i in range(length):
        inputs[question + i] = order[word[i]]
        inputs[question + length + 1 + i] = letters + _BLANK
        targets[question + length + 1 + i] = order[half + word[i]]
    inputs[question + length] = letters + _END
    return question + 2 * length + 1


def _steps_dictionary(length: int, letters: int, support: int) -> int:
    return support * (2 * length + 2) + 2 * length + 1


def _question_dictionary(length: int, letters: int, support: int) -> int:
    return support * (2 * length + 2) - 1  # the mark that says so


def _inputs_dictionary(letters: int, support: int) -> spaces.Discrete:
    return spaces.Discrete(letters + 4)


def _words_dictionary(symbol: int, letters: int, support: int) -> str:
    if symbol >= letters:
        return "|;?_"[symbol - letters]
    return chr(ord("a") + symbol) if letters <= 26 else str(symbol)


def _answers_dictionary(letters: int, support: int) -> spaces.Discrete:
    return spaces.Discrete(letters)


TASKS: dict[str, StreamTask] = {
    task.name: task
    for task in (
        StreamTask(
            "Copy",
            _sample_copy,
            _steps_copy,
            _bits_and_flag,
            _bits,
            (_BITS,),
            max_length=20,
            words=_words_copy,
            question=_after_data,
        ),
        StreamTask(
            "RepeatCopy",
            _sample_repeat,
            _steps_repeat,
            _inputs_repeat,
            _answers_repeat,
            (_BITS, Parameter("repeats", 10, 1, 1000)),
            words=_words_repeat,
            question=_after_data,
        ),
        StreamTask(
            "AssociativeRecall",
            _sample_recall,
            _steps_recall,
            _bits_and_two_flags,
            _bits,
            (Parameter("bits", 6, 1, 64), Parameter("item_length", 3, 1, 1000)),
            min_length=2,
            max_length=6,
            lowest_length=2,
            check=_check_recall,
            words=_words_recall,
            question=_question_recall,
        ),
        StreamTask(
            "PrioritySort",
            _sample_sort,
            _steps_sort,
            _inputs_sort,
            _bits,
            (_BITS, Parameter("top", 16, 1, 1000)),
            min_length=20,
            max_length=20,
            words=_words_sort,
            question=_after_data,
        ),
        StreamTask(
            "DynamicNGrams",
            _sample_ngrams,
            _steps_ngrams,
            _two,
            _two,
            (Parameter("context", 5, 1, 16),),
            min_length=200,
            max_length=200,
            lowest_length=2,
            check=_check_ngrams,
        ),
        StreamTask(
            "DoubleCopy",
            _sample_double,
            _steps_double,
            _inputs_double,
            _answers_double,
            (_SYMBOLS,),
            min_length=50,
            max_length=50,
            words=_words_double,
            question=_after_data,
        ),
        StreamTask(
            "DictionaryInference",
            _sample_dictionary,
            _steps_dictionary,
            _inputs_dictionary,
            _answers_dictionary,
            (Parameter("letters", 26, 2, 1000), Parameter("support", 4, 1, 1000)),
            min_length=1,
            max_length=1,
            words=_words_dictionary,
            question=_question_dictionary,
        ),
    )
}
