"""What a training run shows: a live display, or lines where there is no terminal."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from agents.evaluation.evaluate import References

_SECONDS_BETWEEN_LINES = 10.0


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
        held_out_return: Mean return of the last evaluation.
        held_out_success: Share of successes in it.
        references: What random and optimal play get there.
    """

    total: int
    steps: int = 0
    first: int = 0
    episode_return: float | None = None
    success: float | None = None
    level: int | None = None
    max_level: int | None = None
    held_out_return: float | None = None
    held_out_success: float | None = None
    references: References | None = None


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
    around = status.references
    if around is None:
        fields.append(("held-out return", number(status.held_out_return)))
    else:
        ends = f"(random {number(around.random)}, optimum {number(around.optimum)})"
        fields.append(("held-out return", f"{number(status.held_out_return)} {ends}"))
    fields.append(("held-out success", number(status.held_out_success)))
    minutes, whole_seconds = divmod(int(seconds), 60)
    fields.append(("elapsed", f"{minutes}:{whole_seconds:02d}"))
    return fields


class LineDisplay(Display):
    """A line every ten seconds, without control codes.

    Args:
        console: Where the lines go.
        clock: Function that returns the time in seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self._began = self._last_line = clock()
        self._status: Status | None = None

    def __enter__(self) -> LineDisplay:
        self._began = self._last_line = self.clock()
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
        if self.clock() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._write()

    def say(self, message: str) -> None:
        """Writes a message."""
        self.console.print(message, highlight=False, soft_wrap=True)

    def _write(self) -> None:
        if self._status is not None:
            self._last_line = self.clock()
            fields = _fields(self._status, self._last_line - self._began)
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
