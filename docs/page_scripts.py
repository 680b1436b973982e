"""Offers the Python blocks of a tutorial or how-to, in their order, as a script to download."""

import re
from pathlib import Path
from typing import Any

FOLDERS = ("tutorials", "how-to")


def script(page: str) -> str:
    """Returns the Python blocks of a Markdown page, which run as one script, "" if it has none."""
    return "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))


def offer(app: Any, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Writes the script beside the page and links to it below the title, for Sphinx."""
    folder, _, stem = name.rpartition("/")
    if folder not in FOLDERS:
        return
    source = script(Path(app.srcdir, f"{name}.md").read_text(encoding="utf-8"))
    if not source:
        return
    path = Path(app.outdir, folder, f"{stem}.py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(source, encoding="utf-8")
    link = (
        f'<p class="download"><a href="{path.name}" download>Download its code as a script</a></p>'
    )
    context["body"] = context["body"].replace("</h1>", f"</h1>\n{link}", 1)
