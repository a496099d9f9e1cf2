"""A card's Markdown as HTML. A bundle may come from anybody, so nothing in its card becomes an element that
loads, runs or leads somewhere."""

from markdown_it import MarkdownIt

LEADING_AWAY = ("image", "link", "autolink", "html_inline", "html_block", "reference")


def card_html(markdown: str) -> str:
    """Headings, lists, tables and words: an HTML fragment, in which all else is text.

    >>> card_html("## <b>a</b> [b](http://c)")
    '<h2>&lt;b&gt;a&lt;/b&gt; [b](http://c)</h2>\\n'
    """
    reader = MarkdownIt("commonmark", {"html": False})
    made: str = reader.enable("table").disable([*LEADING_AWAY]).render(markdown)
    return made.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
