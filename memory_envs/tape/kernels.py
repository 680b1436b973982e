"""The compiled function of the tape family; `memory_envs.tape.rules` says what the rules are."""

from functools import lru_cache
from typing import Any

from numba import njit

from memory_envs.core.compiling import fingerprint, inline, named
from memory_envs.core.levels import draw_level
from memory_envs.tape import tasks
from memory_envs.tape.tasks import MOST_STEPS, TapeTask

# Habits that make these loops several times as fast. Fields are copied to local variables: the
# compiler must assume that a write to an array changes a record. Where the data is random, both
# sides of a choice are computed and one is selected: a mispredicted branch costs more. And a branch
# around an array in a function that is called makes Numba count references in the loop, so the step
# stands in the loop itself and what is fixed for a task is a constant of its compiled code.


@njit(boundscheck=True)
def _check_written(tape, size, symbols):  # type: ignore[no-untyped-def]
    if not 0 <= size < tape.shape[0]:
        raise ValueError("the task's sample or target returned an impossible count")
    for j in range(size):
        if not 0 <= tape[j] < symbols:
            raise ValueError("the task's sample or target wrote an impossible symbol")


def _watched(task: TapeTask) -> tuple[Any, Any, Any]:
    """Returns a user's functions, watched: a rare bug shall be an error and no crash."""
    checked: Any = njit(boundscheck=True)
    sample, target, steps = checked(task.sample), checked(task.target), checked(task.steps)

    @njit
    def watched_sample(row, length, symbols, source):  # type: ignore[no-untyped-def]
        size = sample(row, length, symbols, source)
        _check_written(source, size, symbols)
        return size

    @njit
    def watched_target(source, size, symbols, target_tape):  # type: ignore[no-untyped-def]
        goal_size = target(source, size, symbols, target_tape)
        _check_written(target_tape, goal_size, symbols)
        return goal_size

    @njit
    def watched_steps(source, size, goal_size):  # type: ignore[no-untyped-def]
        count = steps(source, size, goal_size)
        if not 1 <= count <= MOST_STEPS:
            raise ValueError("the task's steps returned an impossible count")
        return count

    return watched_sample, watched_target, watched_steps


def _compile_begin(task: TapeTask, ours: bool, number: int) -> Any:
    """Returns the function that fills the tapes of a row."""
    functions: Any = task.sample, task.target, task.steps
    sample, target, steps = map(inline, functions) if ours else _watched(task)
    pads = ours and task.name in tasks.PADDED

    def begin(row, length, max_steps, symbols, source, target_tape):  # type: ignore[no-untyped-def]
        size = sample(row, length, symbols, source)
        goal_size = target(source, size, symbols, target_tape)
        source[size], target_tape[goal_size] = symbols, symbols
        if not pads:
            for j in range(size + 1, source.shape[0]):
                source[j] = symbols + 1
            for j in range(goal_size + 1, target_tape.shape[0]):
                target_tape[j] = symbols + 1
        row.length, row.source_size, row.target_size = length, size + 1, goal_size + 1
        row.limit = max_steps
        if max_steps == 0:
            row.limit = 2 * steps(source, size + 1, goal_size + 1) + 10

    named(begin, number)
    return inline(begin) if ours else njit(begin)


@lru_cache(maxsize=64)
def compile_advance(task: TapeTask) -> Any:
    """Returns the compiled function that steps rows or begins episodes; see `Rules.advance`.

    The project's own tasks are cached on disk. Others are compiled once per process, since a cache
    could not see that a function which theirs calls has changed, and with bounds checks: a rare bug
    is then an IndexError and not a crash.
    """
    functions = (task.sample, task.target, task.steps)
    # Ours whole: our functions beside a user's sizes could write behind the ends of the tapes.
    ours = task in tasks.TASKS.values()
    has_memory, first_move = task.memory, 0 if task.forward_only else -1
    emit_column = 3 if has_memory else 1
    number = fingerprint(functions, task.name, has_memory, first_move, ours)
    begin = _compile_begin(task, ours, number)

    def advance(  # type: ignore[no-untyped-def]
        params,
        levels,
        lengths,
        rows,
        source,
        target,
        output,
        memory,
        actions,
        indices,
        observations,
        results,
        only_show,
    ):
        p = params[0]
        symbols, blank, max_steps = p.symbols, p.symbols + 1, p.max_steps
        radius, width, window = p.input_radius, 2 * p.input_radius + 1, p.memory_window
        wrong_reward, timeout_reward = p.wrong_reward, p.timeout_reward
        terminate_on_error, forced_emission = p.terminate_on_error, p.forced_emission
        lowest, highest, by_output = p.lowest, p.highest, lengths.shape[0] > 0
        current, p_any, p_below = levels[0], levels[1], levels[2]
        cells = memory.shape[1]
        for i in indices:
            row = rows[i]
            if only_show:
                pass
            elif row.running:
                emitted, goal, steps_left = row.emitted, row.target_size, row.limit - row.steps
                forced = forced_emission & (steps_left <= goal - emitted)
                emits = (actions[i, emit_column] == 1) | forced
                symbol = actions[i, emit_column + 1]
                right = emits & (symbol == target[i, emitted])
                wrong = emits & (not right)
                output[i, emitted] = symbol if emits else blank
                emitted += emits
                ended = (emitted == goal) | (wrong & terminate_on_error)
                late = (steps_left == 1) & (not ended)
                if has_memory:
                    cell, written = row.memory_head, actions[i, 2]
                    memory[i, cell] = written if written <= symbols else memory[i, cell]
                    row.memory_head = (cell + actions[i, 1] - 1 + cells) % cells
                head = row.input_head + actions[i, 0] + first_move
                row.input_head = min(max(head, -1), row.source_size)
                row.emitted = emitted
                row.correct += right
                row.steps += 1
                row.running = not (ended | late)
                result = results[i]
                result.reward = right * 1.0 + wrong * wrong_reward + late * timeout_reward
                result.terminated, result.truncated = ended, late
            else:
                level = draw_level(row, lowest, highest, current, p_any, p_below)
                length = lengths[level - lowest] if by_output else level
                row.level = level
                begin(row, length, max_steps, symbols, source[i], target[i])
                for j in range(output.shape[1]):
                    output[i, j] = blank
                for j in range(cells):
                    memory[i, j] = blank
                row.input_head, row.memory_head, row.emitted, row.correct = 0, 0, 0, 0
                row.steps, row.running = 0, True
            head, size = row.input_head - radius, row.source_size
            for k in range(width):
                symbol = source[i, min(max(head + k, 0), size - 1)]
                observations[i, k] = symbol if (head + k >= 0) & (head + k < size) else blank
            head = row.memory_head - window // 2
            for k in range(window):
                observations[i, width + k] = memory[i, (head + k) % cells]
            result = results[i]
            correct, goal = row.correct, row.target_size
            result.success, result.complexity = correct == goal, row.level
            result.symbols_correct, result.target_size = correct, goal

    return njit(cache=ours)(named(advance, number))
