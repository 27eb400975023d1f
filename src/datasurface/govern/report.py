"""What `check` found: findings as values, and a report as text and JSON. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from datasurface.govern.codes import CODES, Severity
from datasurface.model.base import Noun
from datasurface.model.position import Position

__all__ = ["Finding", "Report", "Severity", "finding", "position_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a model that somebody should know.

    Attributes:
        code: Stable, such as `DS-N001`; each has a page in the reference.
        severity: ERROR stops `build`; WARNING fails `check --strict`; INFO never fails.
        path: The object: `zone usa / team sales / datastore crm / dataset orders / column order_id`.
        position: Where the object was made; None if it came from JSON.
        message: What is wrong.
        hint: What to do; may be empty.
    """

    code: str
    severity: Severity
    path: str
    position: Position | None
    message: str
    hint: str

    def to_json(self) -> dict[str, object]:
        """Return the finding as JSON data."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "path": self.path,
            "file": self.position.path if self.position else None,
            "line": self.position.line if self.position else None,
            "message": self.message,
            "hint": self.hint,
        }

    def to_text(self) -> str:
        """Return the finding as a block of lines."""
        where = f"{self.position}: " if self.position else ""
        lines = [f"{self.severity.value} {self.code} {self.path}", f"  {where}{self.message}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


def finding(
    code: str,
    subject: object,
    path: str,
    message: str,
    hint: str = "",
    *,
    holder: object = None,
    severity: Severity | None = None,
) -> Finding:
    """Return a finding at `subject`, with the severity of its code unless another is given.

    `holder` is the object that names `subject`: it says where, if that is a default or a plain string.
    """
    return Finding(
        code=code,
        severity=severity or CODES[code].severity,
        path=_printable(path),
        position=position_of(subject, holder),
        message=_printable(message),
        hint=_printable(hint),
    )


def _printable(text: str) -> str:
    """Escape what cannot be printed: names may hold anything, line ends and halves of characters too."""
    return text if text.isprintable() else "".join([c if c.isprintable() else repr(c)[1:-1] for c in text])


def position_of(*subjects: object) -> Position | None:
    """Return where the first of `subjects` that stands on a line of the model was made; None if none does."""
    for subject in subjects:
        at = subject.declared_at if isinstance(subject, Noun) else None
        if at is not None:
            return at
    return None


def _order(found: Finding) -> tuple[bool, str, int, str, str, str]:
    place = found.position or Position("", 0)
    return (found.position is None, place.path, place.line, found.code, found.path, found.message)


@dataclass
class Report:
    """All findings of one run.

    Attributes:
        findings: Sorted by position, then code; those without position last.
        names: The physical name of every schema and view whose full name is longer than the database allows.
        streams: How many streams the model would deploy.
    """

    findings: tuple[Finding, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    streams: int = 0

    @classmethod
    def of(cls, findings: Iterable[Finding], *, names: Mapping[str, str], streams: int) -> Report:
        """Return the report of these findings, each once, in their order."""
        return cls(tuple(sorted(set(findings), key=_order)), dict(sorted(names.items())), streams)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What stops `build`."""
        return self._of(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What fails only `check --strict`."""
        return self._of(Severity.WARNING)

    def _of(self, severity: Severity) -> tuple[Finding, ...]:
        return tuple([f for f in self.findings if f.severity is severity])

    def ok(self, *, strict: bool = False) -> bool:
        """Tell whether the model passes: no error, and with `strict` no warning either."""
        return not self.errors and not (strict and self.warnings)

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each severity."""
        return {f"{severity.value}s": len(self._of(severity)) for severity in Severity}

    def to_text(self) -> str:
        """Return a block for each finding, then the shortened names, then the counts."""
        blocks = [found.to_text() for found in self.findings]
        if self.names:
            shortened = [f"  {full}\n    is {physical}" for full, physical in self.names.items()]
            blocks.append("\n".join(["shortened names", *shortened]))
        errors, warnings, infos = self.counts().values()
        blocks.append(
            f"{_count(errors, 'error')}, {_count(warnings, 'warning')}, {infos} info; "
            f"{_count(self.streams, 'stream')} to deploy"
        )
        return "\n\n".join(blocks)

    def to_json(self) -> dict[str, object]:
        """Return the report as JSON data.

        Keys: `ok` (no error), `counts` (`errors`, `warnings`, `infos`), `findings` (each with `code`, `severity`,
        `path`, `file`, `line`, `message`, `hint`), `names` (full name to physical name) and `streams`.
        """
        return {
            "ok": self.ok(),
            "counts": self.counts(),
            "findings": [found.to_json() for found in self.findings],
            "names": dict(self.names),
            "streams": self.streams,
        }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
