"""What memory can give in Stream-DynamicNGrams-v0: ``python -m benchmarks.ngrams_bound``.

Prints what is expected of best play that counts what followed each context
(`memory_envs.oracles.ngrams`), with its standard error, beside the number of answers.
"""

from memory_envs.oracles.ngrams import estimated_return

_LENGTH, _CONTEXT, _EPISODES, _SEED = 200, 5, 200_000, 0


def main() -> None:
    """Prints the bound."""
    mean, error = estimated_return(_LENGTH, _CONTEXT, _EPISODES, _SEED)
    answers = _LENGTH - _CONTEXT
    print(f"{mean:.2f} of {answers}, standard error {error:.2f} ({_EPISODES} episodes)")


if __name__ == "__main__":
    main()
