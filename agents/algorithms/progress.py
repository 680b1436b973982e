"""What a training shows: a live display, or lines where there is no terminal."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import safe_mean

from memory_envs import Curriculum

_FIRST_LINE, _SECONDS_BETWEEN_LINES = 1.0, 10.0
_SECONDS_BETWEEN_UPDATES = 0.5


class HeldOut(NamedTuple):
    """What is shown of evaluations; None where it is not known, or not yet.

    Attributes:
        mean_return: Mean return of the last one.
        success: Share of successes in it.
        random_return: What random play gets there.
        optimal_return: What optimal play gets there.
    """

    mean_return: float | None = None
    success: float | None = None
    random_return: float | None = None
    optimal_return: float | None = None


@dataclass
class Status:
    """The numbers shown; None where there is none yet, or none at all.

    Attributes:
        total: Environment steps to take.
        steps: Environment steps taken so far.
        first: Environment steps that were taken by the run that this one continues.
        episode_return: Mean return over the latest training episodes.
        success: Share of successes among them.
        level: Level of the curriculum.
        max_level: Its highest level.
        held_out: The last evaluation; None where there are no evaluations.
    """

    total: int
    steps: int = 0
    first: int = 0
    episode_return: float | None = None
    success: float | None = None
    level: int | None = None
    max_level: int | None = None
    held_out: HeldOut | None = None


class Display(ABC):
    """Shows a `Status` as it changes; used as a context manager around the training."""

    @abstractmethod
    def __enter__(self) -> Display: ...

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @abstractmethod
    def update(self, status: Status) -> None:
        """Shows the present numbers."""

    @abstractmethod
    def say(self, message: str) -> None:
        """Shows a message that stays."""


def make_display(console: Console, title: str) -> Display:
    """Returns the display that suits the console."""
    return LiveDisplay(console, title) if console.is_terminal else LineDisplay(console)


def _fields(status: Status, seconds: float) -> list[tuple[str, str]]:
    """Returns what is shown, as (name, text)."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    speed = (status.steps - status.first) / seconds if seconds > 0 else 0.0
    fields = [
        ("steps", f"{status.steps:,} of {status.total:,}"),
        ("steps/s", f"{speed:,.0f}"),
        ("return", number(status.episode_return)),
        ("success", number(status.success)),
    ]
    if status.max_level is not None:
        fields.append(("level", f"{status.level} of {status.max_level}"))
    if status.held_out is not None:
        held_out = status.held_out
        around = ""
        if held_out.optimal_return is not None:
            ends = (number(held_out.random_return), number(held_out.optimal_return))
            around = f" (random {ends[0]}, optimum {ends[1]})"
        fields.append(("held-out return", f"{number(held_out.mean_return)}{around}"))
        fields.append(("held-out success", number(held_out.success)))
    minutes, whole_seconds = divmod(int(seconds), 60)
    fields.append(("elapsed", f"{minutes}:{whole_seconds:02d}"))
    return fields


class LineDisplay(Display):
    """A line after a second, then ever rarer, in the end every ten seconds; no control codes.

    Args:
        console: Where the lines go.
        clock: Function that returns the time in seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self._began = clock()
        self._next_line = self._began + _FIRST_LINE
        self._status: Status | None = None

    def __enter__(self) -> LineDisplay:
        self._began = self.clock()
        self._next_line = self._began + _FIRST_LINE
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write()

    def update(self, status: Status) -> None:
        """Writes a line if it is time."""
        self._status = status
        now = self.clock()
        if now >= self._next_line:
            self._next_line = now + min(1.0 + now - self._began, _SECONDS_BETWEEN_LINES)
            self._write()

    def say(self, message: str) -> None:
        """Writes a message."""
        self.console.print(message, highlight=False, soft_wrap=True)

    def _write(self) -> None:
        if self._status is not None:
            fields = _fields(self._status, self.clock() - self._began)
            self.say("  ".join(f"{name} {text}" for name, text in fields))


class LiveDisplay(Display):
    """A bar and a table that are redrawn in place.

    Args:
        console: A terminal.
        title: Title above the table.
    """

    def __init__(self, console: Console, title: str) -> None:
        self.title = title
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task("", total=None)
        self._began = time.monotonic()
        self._status: Status | None = None
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4)

    def __enter__(self) -> LiveDisplay:
        self._began = time.monotonic()
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, status: Status) -> None:
        """Takes the numbers into the next redrawing."""
        self._status = status
        self._bar.update(self._task, completed=status.steps, total=status.total)

    def say(self, message: str) -> None:
        """Writes a message above the display."""
        self._live.console.print(message, highlight=False)

    def _render(self) -> RenderableType:
        if self._status is None:
            return Panel(self._bar, title=self.title)
        table = Table.grid(padding=(0, 2), expand=True)
        fields = _fields(self._status, time.monotonic() - self._began)
        for _ in fields:
            table.add_column(justify="center")
        table.add_row(*(f"[dim]{name}[/dim]" for name, _ in fields))
        table.add_row(*(f"[bold]{text}[/bold]" for _, text in fields))
        return Panel(Group(self._bar, table), title=self.title)


class ProgressCallback(BaseCallback):
    """Keeps a display up to date.

    Args:
        display: The display; it is entered already.
        total: Environment steps to take.
        curriculum: The curriculum whose level is shown, if there is one.
        held_out: Returns what is shown of evaluations, if there are any.
        ending: Says whether the training was asked to end, which is then said.
    """

    def __init__(
        self,
        display: Display,
        total: int,
        curriculum: Curriculum | None = None,
        held_out: Callable[[], HeldOut] | None = None,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self.display = display
        self.curriculum = curriculum
        self.held_out = held_out
        self.ending = ending
        self.status = Status(total)
        self._said_end = False
        self._next_update = 0.0

    def _on_training_start(self) -> None:
        self.status.first = self.num_timesteps

    def _on_step(self) -> bool:
        # It is not said by the handler of a signal, which may come in the middle of other words.
        if not self._said_end and self.ending():
            self._said_end = True
            self.display.say("stopping when this update is done; once more stops at once")
        if time.monotonic() >= self._next_update:
            self._next_update = time.monotonic() + _SECONDS_BETWEEN_UPDATES
            self._update()
        return True

    def _on_training_end(self) -> None:
        self._update()

    def _update(self) -> None:
        status, model = self.status, self.model
        status.steps = self.num_timesteps
        if model.ep_info_buffer:
            status.episode_return = safe_mean([info["r"] for info in model.ep_info_buffer])
        if model.ep_success_buffer:
            status.success = safe_mean(model.ep_success_buffer)
        if self.curriculum is not None:
            status.level = self.curriculum.level
            status.max_level = self.curriculum.max_level
        if self.held_out is not None:
            status.held_out = self.held_out()
        self.display.update(status)


class ProgressLines(ProgressCallback):
    """Writes lines to standard output while a model learns: what `learn(progress_bar=True)` shows.

    Args:
        total: Environment steps to take.
        curriculum: The curriculum whose level is shown, if there is one.
    """

    def __init__(self, total: int, curriculum: Curriculum | None = None) -> None:
        super().__init__(LineDisplay(Console()), total, curriculum)

    def _on_training_start(self) -> None:
        super()._on_training_start()
        model = self.model
        rows = "environment" if model.n_envs == 1 else "environments"
        steps = self.status.total - self.status.first
        self.display.say(
            f"{type(model).__name__} learns for {steps:,} steps in {model.n_envs} {rows}"
        )
        self.display.__enter__()

    def _on_training_end(self) -> None:
        super()._on_training_end()
        self.display.__exit__(None, None, None)
