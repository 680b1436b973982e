"""How much memory every environment needs: ``python -m benchmarks.certificates [ID ...]``.

Writes the certificates (`memory_envs.certificates`) for `memory-envs certify`, in a file that comes
with the package, and the tables of docs/certificates.md. With ids, only these are computed anew.
``python -m benchmarks.certificates control`` trains agents without memory on three of them, and
says between which bounds their returns have to lie.
"""

import argparse
import json
from pathlib import Path

from agents.saving.atomic import write_text
from memory_envs import ENVIRONMENTS
from memory_envs.certificates import WINDOWS, Certificate, Interval, certify, packaged

PAGE = Path(__file__).parents[1] / "docs" / "certificates.md"
_MARK = "<!-- Written by python -m benchmarks.certificates -->\n"
_SIGNS = {"exact": "", "proven": "ᵖ", "found": "ᶠ", "sampled": "ˢ", "trivial": "ᵗ"}


def compute(ids: list[str]) -> None:
    """Writes the file, with these ids anew."""
    found: dict[str, Certificate] = {}
    if packaged.FILE.exists():
        packaged.read_certificates.cache_clear()
        found = packaged.read_certificates()
    for env_id in ids:
        found[env_id] = certify(env_id)
        rows = {name: found[name].to_dict() for name in ENVIRONMENTS if name in found}
        write_text(packaged.FILE, json.dumps(rows, indent=1) + "\n")
        print(env_id, flush=True)
    packaged.read_certificates.cache_clear()


def page() -> str:
    """Returns the page, with tables of the certificates that come with the package."""
    text = PAGE.read_text(encoding="utf-8")
    return text[: text.index(_MARK)] + "\n".join([_MARK, tables(packaged.read_certificates())])


def tables(found: dict[str, Certificate]) -> str:
    """Returns two tables as Markdown."""
    head = "| id | with memory | without | certified |"
    parts = ["## Without memory", "", head, "| --- | ---: | ---: | --- |"]
    parts += [
        f"| `{one.id}` | {_cell(one.best)} | {_cell(one.memoryless)} | {_verdict(one)} |"
        for one in found.values()
    ]
    for title, name in (
        ("The last k observations", "observations"),
        ("The last k observations and actions", "windows"),
    ):
        names = " | ".join(f"k = {k}" for k in WINDOWS)
        parts += ["", f"## {title}", "", f"| id | {names} |", "| --- |" + " ---: |" * len(WINDOWS)]
        for certificate in found.values():
            intervals = getattr(certificate, name)
            cells = " | ".join(_cell(intervals[k]) for k in WINDOWS)
            parts.append(f"| `{certificate.id}` | {cells} |")
    return "\n".join(parts) + "\n"


def _verdict(certificate: Certificate) -> str:
    if certificate.needs_memory:
        return "needs memory"
    return "needs none" if certificate.needs_none else "not known"


def _cell(interval: Interval) -> str:
    lower, upper = f"{interval.lower:.2f}", f"{interval.upper:.2f}"
    if interval.is_exact:
        return upper
    return f"{lower}{_SIGNS[interval.lower_by]} - {upper}{_SIGNS[interval.upper_by]}"


def main() -> None:
    """Writes the file and the page, or makes the control experiment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ids", nargs="*", metavar="ID", help='environments, or "control"')
    ids = parser.parse_args().ids
    if ids == ["control"]:
        from benchmarks.certificates_control import control

        control()
        return
    compute(ids or list(ENVIRONMENTS))
    write_text(PAGE, page())


if __name__ == "__main__":
    main()
