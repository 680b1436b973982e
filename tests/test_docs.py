"""The pages that are generated are as the code would generate them now; links lead somewhere."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence

import agents
import memory_envs
from agents.algorithms.table import ALGORITHMS
from agents.cells import CELLS
from memory_envs import ENVIRONMENTS
from tests.browser import NEEDS_BROWSER, open_page

ROOT = Path(__file__).parents[1]
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
INTRODUCTIONS = [ROOT / "docs" / f"{name}.md" for name in ("index", "environments", "algorithms")]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
README_BLOCKS = {
    language: re.findall(
        rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    for language in ("python", "bash")
}
# What README and tutorials train, and what the tests train in its place.
SHORTER = {
    "learn(100_000": "learn(4_096",
    "timesteps=1_000_000, stop_at_success=1.0": "timesteps=8_192",
}


@pytest.fixture(autouse=True)
def _scripts_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")


def _script(name: str) -> ModuleType:
    """A script of `docs`, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_what_the_docstrings_say() -> None:
    pages = _script("generate").pages()
    for page, text in pages.items():
        assert page.read_text(encoding="utf-8") == text, page.name
    folder = ROOT / "docs" / "environments"
    assert set(folder.iterdir()) == {page for page in pages if page.parent == folder}


def test_every_id_has_its_numbers_on_one_page() -> None:
    pages = _script("generate").pages()
    found = [
        re.findall(r"^\| `([^`]+-v\d+)` \| +-?\d", text, re.MULTILINE) for text in pages.values()
    ]
    assert sorted(name for names in found for name in names) == sorted(ENVIRONMENTS)


def _task_slugs() -> list[str]:
    """Those whose pictures are drawn anew: one of each family; the others are slow to compile."""
    return ["tape-forwardreverse", "algorithmic-copy", "maze-invisiblegoal", "stream-copy"]


@pytest.mark.parametrize("slug", _task_slugs())
def test_a_moving_picture_shows_what_the_environment_draws(slug: str) -> None:
    """Coarsely: edges of letters may differ between versions of the font's library."""
    script = _script("animations")
    (task,) = (task for task in script.tasks() if task.slug == slug)
    drawn = script.frames(task)
    assert not np.array_equal(drawn[0], drawn[-1])
    with Image.open(script.path(task)) as picture:
        kept = [np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]
    assert len(kept) == len(drawn)
    for frame, image in zip(kept, drawn, strict=True):
        assert frame.shape == image.shape
        assert np.abs(_coarse(frame) - _coarse(image)).max() < 12


def _coarse(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Means of squares of 8 x 8 pixels."""
    height, width = (size // 8 for size in image.shape[:2])
    squares = image[: 8 * height, : 8 * width].reshape(height, 8, width, 8, 3)
    means: npt.NDArray[np.float64] = squares.mean(axis=(1, 3))
    return means


def test_the_api_pages_tell_every_public_name_once() -> None:
    text = "".join(_script("api_pages").api_pages().values())
    for package in (agents, memory_envs):
        for name in package.__all__:
            if callable(getattr(package, name)):
                assert f":: {package.__name__}.{name}\n" in text
    assert len(re.findall(r":: agents(?:\.\w+)*\.MemoryCell\n", text)) == 1


TABLE = """<script src="{script}"></script><table class="docutils">
<thead><tr><th>agent</th><th>steps</th></tr></thead>
<tbody><tr><td>b</td><td>1.2 M</td></tr><tr><td>c</td><td>-</td></tr>
<tr><td>a</td><td>(30,000)</td></tr></tbody></table>
<script>addEventListener("DOMContentLoaded", () => {{
  const header = document.querySelectorAll("th")[{column}];
  for (let k = 0; k < {clicks}; k++) header.click();
}});</script>"""


@NEEDS_BROWSER
@pytest.mark.parametrize(
    ("column", "clicks", "order"), [(0, 0, "bca"), (0, 1, "abc"), (1, 1, "abc"), (1, 2, "bac")]
)
def test_a_click_sorts_a_table(tmp_path: Path, column: int, clicks: int, order: str) -> None:
    """Numbers are told from how they are written; a cell without one stays last."""
    page, script = tmp_path / "page.html", (ROOT / "docs" / "_static" / "sort.js").as_uri()
    page.write_text(TABLE.format(script=script, column=column, clicks=clicks), encoding="utf-8")
    dom = open_page(tmp_path, page.as_uri(), "--dump-dom")
    assert "".join(re.findall(r"<td>([abc])</td>", dom)) == order


@NEEDS_BROWSER
def test_a_table_of_words_is_not_sorted(tmp_path: Path) -> None:
    page, script = tmp_path / "page.html", (ROOT / "docs" / "_static" / "sort.js").as_uri()
    table = re.sub(r"1.2 M|\(30,000\)", "word", TABLE).format(script=script, column=0, clicks=1)
    page.write_text(table, encoding="utf-8")
    dom = open_page(tmp_path, page.as_uri(), "--dump-dom")
    assert "sortable" not in dom
    assert re.findall(r"<td>([abc])</td>", dom) == list("bca")


COPIED = """<script>Object.defineProperty(navigator, "clipboard", {{value: {{
  writeText: (text) => {{ document.title = text.replaceAll("\\n", "|"); }}
}}}});</script><script src="{script}"></script><title></title>
<div class="highlight"><pre>{code}</pre></div>
<script>addEventListener("DOMContentLoaded", () => {{
  document.querySelector("button").click();
}});</script>"""


@NEEDS_BROWSER
@pytest.mark.parametrize(
    ("code", "copied"),
    [
        ("pip install .\nmemory-envs list\n", "pip install .|memory-envs list"),
        ("&gt;&gt;&gt; for k in x:\n...     f(k)\n3\n&gt;&gt;&gt; y\n", "for k in x:|    f(k)|y"),
    ],
)
def test_a_click_copies_what_can_be_run(tmp_path: Path, code: str, copied: str) -> None:
    page, script = tmp_path / "page.html", (ROOT / "docs" / "_static" / "copy.js").as_uri()
    page.write_text(COPIED.format(script=script, code=code), encoding="utf-8")
    dom = open_page(tmp_path, page.as_uri(), "--dump-dom")
    assert f"<title>{copied}</title>" in dom
    assert ">Copied</button>" in dom


def test_every_task_has_a_small_moving_picture() -> None:
    script = _script("animations")
    paths = {script.path(task) for task in script.tasks()}
    assert set(script.PICTURES.iterdir()) == paths
    for path in paths:
        assert path.stat().st_size < 300_000, path.name
        with Image.open(path) as picture:
            assert getattr(picture, "n_frames", 1) > 3, path.name


def test_the_cells_page_is_what_the_docstrings_say() -> None:
    script = _script("generate")
    page = script.CELLS_PAGE.read_text(encoding="utf-8")
    assert page == script.cells_page()
    assert "- `hidden_size=128`: " in page
    for name in script.CELLS:
        assert f"\n## {name}\n" in page
        assert f"`{name}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_family_has_a_page_with_its_arguments_and_what_its_success_is() -> None:
    for family in {spec.family for spec in ENVIRONMENTS.values()}:
        page = (ROOT / "docs" / "environments" / f"{family}.md").read_text(encoding="utf-8")
        assert "\n## Success\n" in page
        assert "\n- `render_mode=None`: " in page


def test_the_gallery_shows_every_task_and_says_what_it_is() -> None:
    page = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    told = re.findall(
        r"environments/([\w-]+)\.gif\)\*\*\w+\*\*\]\(environments/\1\.md\)\n\n([A-Z].*\.)\n:::",
        page,
    )
    assert [slug for slug, _ in told] == [task.slug for task in _script("generate").tasks()]
    assert len({(slug.partition("-")[0], what) for slug, what in told}) == len(told)


def test_the_page_of_the_algorithms_names_them_with_their_classes() -> None:
    page = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [(name, spec.class_name) for name, spec in ALGORITHMS.items()]


def test_the_page_of_the_installation_has_every_extra_of_a_user() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = project.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `pip install \"\.\[(\w+)\]\"` \|", page, re.MULTILINE)
    extras = set(re.findall(r"^(\w+) = \[", section, re.MULTILINE))
    assert extras - set(told) == {"docs", "dev", "all"}
    assert set(told) <= extras


def test_the_picture_of_the_rooms_shows_the_imports() -> None:
    script = _script("rooms")
    picture = script.picture()
    assert script.PICTURE.read_text(encoding="utf-8") == picture
    assert picture.count("<path") > 2 * len(script.ROOMS)


def test_the_pictures_of_the_memories_are_those_of_their_script() -> None:
    script = _script("memories")
    for family in script.FAMILIES:
        assert script.path(family).read_text(encoding="utf-8") == script.picture(family)


def test_the_page_of_the_memories_names_every_cell_once_in_its_family() -> None:
    page = (ROOT / "docs" / "memories.md").read_text(encoding="utf-8")
    families = page.split("\n## ")[1:]
    first = [re.findall(r"`([a-z-]+)`", family.partition(". ")[0]) for family in families]
    named = [name for family in first for name in family]
    assert sorted([*named, "none"]) == sorted(CELLS)
    assert "`none`" in families[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def _shortened(source: str) -> str:
    for long, short in SHORTER.items():
        source = source.replace(long, short)
    return source


def run_alone(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a script in a process of its own, where nothing was imported before."""
    script = folder / "script.py"  # Numba reads the source of what it compiles from its file
    script.write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("number", range(len(README_BLOCKS["python"])))
def test_a_block_of_the_readme_runs_alone(number: int, tmp_path: Path) -> None:
    source = _shortened(README_BLOCKS["python"][number])
    run = run_alone(source, tmp_path)
    assert run.returncode == 0, run.stderr
    if "learn(" in source:
        assert (tmp_path / "copy.zip").exists()
        assert "steps 4,096 of 4,096" in run.stdout
    if "agents.train(" in source:
        assert "success" in run.stdout
        assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.slow
def test_training_in_three_lines_ends_without_a_mistake(tmp_path: Path) -> None:
    (source,) = (block for block in README_BLOCKS["python"] if "agents.train(" in block)
    run = run_alone(source, tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "1.0"


def test_the_readme_has_its_long_examples() -> None:
    """What the tests shorten is there to be shortened."""
    readme = "".join(README_BLOCKS["python"])
    assert all(long in readme for long in SHORTER)


def test_commands_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    """Those of our own; training is shortened, and `<run>` is the run that it made."""
    lines = [line for block in README_BLOCKS["bash"] for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("memory-envs ")]
    assert {line.split()[1] for line in commands} >= {"list", "train", "evaluate", "trace", "play"}
    for line in commands:
        runs = tmp_path / "runs"
        newest = next(iter(sorted(runs.iterdir())), None) if runs.exists() else None
        words = shlex.split(line.replace("<run>", newest.name if newest else ""), comments=True)
        if words[1] in ("train", "fit"):
            words += ["--timesteps", "3e3"]
        run = subprocess.run(
            [sys.executable, "-W", "error", "-m", "agents.cli.main", *words[1:]],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            input="q\n",
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, f"{line}: {run.stderr}"


IDS_IN_AGENTS = """
from agents import MemoryPPO, RLNTM
MemoryPPO("MemoryPolicy", "Tape-Reverse-v0")
RLNTM("RLNTMPolicy", "Tape-Reverse-v0", n_envs=2)
"""


def test_ids_need_no_import_of_memory_envs(tmp_path: Path) -> None:
    run = run_alone(IDS_IN_AGENTS, tmp_path)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", [*HOW_TO, *TUTORIALS, *INTRODUCTIONS], ids=lambda page: page.stem)
def test_a_how_to_or_tutorial_runs_alone(page: Path, tmp_path: Path) -> None:
    """Its blocks, in order, are one script."""
    source = _script("page_scripts").script(page.read_text(encoding="utf-8"))
    run = run_alone(_shortened(source), tmp_path)
    assert run.returncode == 0, run.stderr


def test_the_code_of_a_tutorial_can_be_downloaded(tmp_path: Path) -> None:
    pages, site = tmp_path / "pages", tmp_path / "site"
    (pages / "tutorials").mkdir(parents=True)
    site.mkdir()
    (pages / "tutorials" / "it.md").write_text("```python\na = 1\n```\nso\n```python\nb = a\n```\n")
    context = {"body": "<h1>It</h1><h1>Other</h1>"}
    offer = _script("page_scripts").offer
    offer(SimpleNamespace(srcdir=pages, outdir=site), "tutorials/it", "page.html", context, None)
    assert (site / "tutorials" / "it.py").read_text() == "a = 1\n\nb = a\n"
    assert re.findall(
        r'<h1>(\w+)</h1>(?:\n<p class="download"><a href="([\w.]+)" download>)?', context["body"]
    ) == [("It", "it.py"), ("Other", "")]


def test_there_is_a_how_to_for_everything_that_can_be_added() -> None:
    added = [page.stem.split("-", 2)[2] for page in HOW_TO if page.stem.startswith("add-")]
    assert added == ["cell", "family", "stream-task", "task", "algorithm"]
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert all(f"how-to/{page.stem}" in index for page in HOW_TO)
    assert all(f"tutorials/{page.stem}" in index for page in TUTORIALS)
