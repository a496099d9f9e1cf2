"""The decisions beside docs/ as pages of the site; readers of the repository find them where they are."""

from pathlib import Path

LINK, PLACE = "](../decisions/", "](decisions/"

ABOUT = """# Decisions

Why Siklus is as it is where a newcomer would ask: what was decided, what spoke for it, and what was given up.

"""


def read(folder: Path) -> dict[str, str]:
    """Each decision's text by its page in the site, and `decisions/index.md`, which lists them."""
    pages = {
        f"decisions/{path.name}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))
    }
    titles = {name: text.splitlines()[0].removeprefix("# ") for name, text in pages.items()}
    rows = [f"- [{title}]({Path(name).name})" for name, title in titles.items()]
    return pages | {"decisions/index.md": ABOUT + "\n".join(rows) + "\n"}


def mended(markdown: str) -> str:
    """A page of docs/ with its links to decisions as the site has them."""
    return markdown.replace(LINK, PLACE)
