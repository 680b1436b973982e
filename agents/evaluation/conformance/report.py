"""What the checks found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OK, FAILED, NOT_CHECKED = "ok", "FAILED", "not checked"


class FailedError(Exception):
    """A check failed; the message is the cause, in words."""


class NotCheckedError(Exception):
    """A check could not be made; the message says why."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: Name of the check.
        outcome: ``"ok"``, ``"FAILED"`` or ``"not checked"``.
        words: The cause of a failure, or why it was not checked.
    """

    check: str
    outcome: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.outcome:<11}  {self.check:<20}  {self.words}".rstrip()


@dataclass(frozen=True)
class Report:
    """The findings of all checks.

    Attributes:
        subject: What was checked.
        findings: One for each check, in the order in which they were made.
    """

    subject: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed; what was not checked does not count."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(found.check for found in self.findings if found.outcome == FAILED)

    @property
    def not_checked(self) -> tuple[str, ...]:
        """Names of the checks that were not made."""
        return tuple(found.check for found in self.findings if found.outcome == NOT_CHECKED)

    def lines(self) -> list[str]:
        """Returns a line for each check, and one for all."""
        passed = len(self.findings) - len(self.failed) - len(self.not_checked)
        parts = f"{passed} ok, {len(self.failed)} failed, {len(self.not_checked)} not checked"
        return [*map(str, self.findings), f"{self.subject}: {parts}"]

    def to_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return {**asdict(self), "ok": self.ok}
