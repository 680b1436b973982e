"""Upper bounds for policies without memory that read through one head and write nothing down.

Given the input, the head's place is then a Markov chain, and where and what a policy emits next
depends on the place alone, not on what it has emitted before. A task that asks for one thing on the
way there and for another on the way back asks too much of it. docs/certificates.md has the proofs.

K is the number of content symbols, of which the input's are drawn uniformly.
"""


def turned_round(symbols: int) -> float:
    """Returns a bound of the chance that the first two symbols of a reversed string are right.

    The first is of a cell A, the second of its neighbour B, which the head passes on its way to A.
    With f for the chance that the next emission is B's symbol, seen from B, the first demand has a
    chance of 1 - f at most and the second of f, which is 1/4 together; the rest are guesses: of B's
    symbol after A's, 1 / (K - 1), and of A's symbol at one of two sides, 2 / (K - 1).
    """
    distinct = max(1 / 4, 1 / max(symbols - 1, 1)) + 2 / max(symbols - 1, 1)
    return _unless_equal(distinct, symbols)


def counted(copies: int, symbols: int) -> float:
    """Returns a bound of the chance that the first two symbols are right where each comes r times.

    The policy has to emit exactly once while it is on r like cells, and does the same on each of
    them. That has a chance of (1 - 1/r)**(r - 1) at most, which is that of one in r tosses; else
    one of two symbols is a guess, which is right in (3K - 1) / (K (K - 1)) of the cases.
    """
    once = (1 - 1 / copies) ** (copies - 1)
    guess = min(1.0, (3 * symbols - 1) / (symbols * max(symbols - 1, 1)))
    return _unless_equal(once + (1 - once) * guess, symbols)


def repeated(phrase: int, symbols: int) -> float:
    """Returns a bound of the chance that a phrase is given twice or thrice, and then the end mark.

    After the phrase's last cell once the first symbol is due, and once the end mark: h (1 - h),
    which is 1/4 at most, but for guesses. To guess the last symbol at another cell takes an
    observation that it is guessed at, and these are few.

    Args:
        phrase: Number of symbols of the phrase.
        symbols: Number of content symbols, K.
    """
    if phrase == 1:  # the same symbol again: guesses are right for two of K, beside the count's own
        return min(1.0, (3 + max(symbols - 3, 0) / 4) / symbols)
    # The count and all symbols but the last; the end mark and the blank can be guessed at, too.
    return _with_guesses(distinct_counts(phrase, symbols), 2, symbols)


def turned_back(width: int, symbols: int) -> float:
    """Returns a bound of the chance that a string is begun to be read backwards after its end.

    The last symbol is due twice, then the one before it: h (1 - h), but for guesses.

    Args:
        width: Number of symbols of the string; from 2 on.
        symbols: Number of content symbols, K.
    """
    return _with_guesses(distinct_counts(width - 1, symbols), 1, symbols)


def _with_guesses(distinct: list[float], marks: int, symbols: int) -> float:
    """Returns the mean, over a cell's symbol, of 1/4 for those that are not guessed, else 1.

    Args:
        distinct: By number, the chance that the other cells hold so many different symbols.
        marks: Number of other observations at which a guess can be made.
        symbols: Number of content symbols, K.
    """
    bound = 0.0
    for d, chance in enumerate(distinct):
        free = symbols - d
        guessed = min(d + marks, free)
        bound += chance * (d + guessed + (free - guessed) / 4) / symbols
    return min(1.0, bound)


def distinct_counts(draws: int, symbols: int) -> list[float]:
    """Returns, by number, the chance that so many different symbols are drawn."""
    chances = [1.0] + [0.0] * min(draws, symbols)
    for _ in range(draws):
        for d in range(len(chances) - 1, -1, -1):
            new = chances[d - 1] * (symbols - d + 1) / symbols if d else 0.0
            chances[d] = chances[d] * d / symbols + new
    return chances


def _unless_equal(bound: float, symbols: int) -> float:
    """Returns a bound for two symbols from one for two different ones."""
    return 1 / symbols + (1 - 1 / symbols) * min(1.0, bound)
