"""The maze environments that `gym.make` and `gym.make_vec` build."""

from gymnasium.vector import AutoresetMode

from memory_envs.core.env import MemoryEnv
from memory_envs.core.vector import MemoryVectorEnv
from memory_envs.maze.rules import MazeRules, MazeState


class InvisibleGoalEnv(MemoryEnv[MazeState]):
    """Find a goal that cannot be seen, then come back to it as often as time allows.

    From Munkhdalai et al. (2019), section 4.3, after Miconi et al. (2018).

    ## Action Space

    ``Discrete(4)``: up, right, down, left.

    ## Observation Space

    ``Box`` of 15 floats: the 3x3 cells around the agent row by row (1 wall, 0 free), the share of
    the time limit that has passed, the previous reward, and the previous action one-hot in the
    order of the actions (zeros at the start). With ``observe_previous_action=False`` the last 4
    are missing: the paper's agent sees cells, time and reward alone.

    ## Rewards

    +10 on the goal, -0.1 for a move into a wall, 0 otherwise.

    ## Starting State

    The agent in the centre. The goal on a free cell, drawn uniformly, the same for the whole
    episode. It may be the centre; it pays after a move like anywhere else.

    ## Episode End

    Never terminated. Truncated after `max_steps` steps. On the goal the agent is put on a free
    cell, drawn uniformly, and the episode goes on. That cell may be the goal: the next move then
    pays if it is one into a wall, for the goal is looked for after every move; otherwise the agent
    has to come back.

    ## Info

    At every reset and step: `success`, `complexity` (the size) and `goals` (how often the goal was
    reached).

    ## Success

    At least half of the optimal return of this very episode, and the goal at least once. Uniformly
    random play has none.

    ## Arguments

    Args:
        size: Cells on a side, outer walls included; odd, at least 5. With 9 there are 41 free ones.
        max_steps: The time limit.
        observe_previous_action: Whether the observation holds the previous action.
        render_mode: One of "ansi", "rgb_array" and "human"; the last two need Minigrid.

    ## Memory Demand

    Where the goal was found, where the agent is (its view shows only the nearest pillars), and
    before the goal is found, where it has been.

    ## Optimal Return

    That of a player who knows the goal and walks straight to it each time. It depends on the cells
    the agent is put on and is exact for every episode; see `memory_envs.oracles`. In the 9x9 maze
    its mean is 532. An agent has to search first, and to work out where it was put: at most 467.9
    can then be expected, by the exact computation in `memory_envs.oracles.maze_search`; 495.9 if it
    were told where it is.

    ## References

    - Munkhdalai, Sordoni, Wang & Trischler 2019, *Metalearned Neural Memory*, arXiv:1907.09720.
    - Miconi, Clune & Stanley 2018, *Differentiable plasticity*, arXiv:1804.02464.

    ## Version History

    - v0: first version.
    """

    def __init__(
        self,
        size: int = 9,
        render_mode: str | None = None,
        *,
        max_steps: int = 250,
        observe_previous_action: bool = True,
    ) -> None:
        rules = MazeRules(size, max_steps, observe_previous_action)
        super().__init__(rules, render_mode)


class InvisibleGoalVectorEnv(MemoryVectorEnv[MazeState]):
    """B mazes, stepped together; the arguments are those of `InvisibleGoalEnv`."""

    def __init__(
        self,
        num_envs: int = 1,
        size: int = 9,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        *,
        max_steps: int = 250,
        observe_previous_action: bool = True,
    ) -> None:
        rules = MazeRules(size, max_steps, observe_previous_action)
        super().__init__(rules, num_envs, autoreset_mode, render_mode)
