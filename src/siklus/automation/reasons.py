"""Why something was done, as the one who did it has said it."""


def sentence(text: str) -> str:
    """``text`` with a full stop, unless it ends as a sentence already.

    >>> sentence("the June data"), sentence("does it know the new microscope?")
    ('the June data.', 'does it know the new microscope?')
    """
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
