"""What a window is worth where one head reads, by what is known without one, and of a player."""

from collections.abc import Sequence

from memory_envs.certificates.interval import Interval, up_to

ByWindow = dict[int, Interval]


def solved(best: Interval) -> Interval:
    """Returns the interval of policies one of which, a known player, gets the best return."""
    return Interval(best.lower, best.upper, "found", best.upper_by)


def with_windows(
    best: Interval, memoryless: Interval, ks: Sequence[int], window: int | None
) -> tuple[ByWindow, ByWindow]:
    """Returns bounds for policies that see the last k observations, and for those with k actions.

    Args:
        best: Of all policies.
        memoryless: Of policies that see the present observation alone.
        ks: Of how many each.
        window: How many of each the player sees that gets the best return; 0 if the present
            observation alone, None if no such player is known.
    """
    wider = up_to(best, memoryless.lower, memoryless.lower_by)
    windows = {k: wider if window is None or k < window else solved(best) for k in ks}
    if window == 0:
        return windows, windows
    return {k: memoryless if k == 1 else wider for k in ks}, windows
