"""MkDocs' door to the pages that nobody writes by hand: they are made from the code at each build."""

from pathlib import Path

import command_pages
import decision_pages
import http_pages
import python_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

INDONESIAN = "id/"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what is written from the code."""
    root = Path(config.config_file_path).parent
    written = {
        "reference/commands.md": command_pages.page(),
        "reference/openapi.md": http_pages.page(),
        "reference/python.md": python_pages.page(),
        **decision_pages.read(root / "decisions"),
    }
    for name, text in written.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_context: object) -> str:
    """What a page's links into the repository are in the site."""
    return decision_pages.mended(markdown)


def on_post_page(output: str, *, page: Page, **_context: object) -> str:
    """An Indonesian page says so, for screen readers and for a browser's hyphens."""
    if not page.file.src_uri.startswith(INDONESIAN):
        return output
    return output.replace('<html lang="en"', '<html lang="id"', 1)
