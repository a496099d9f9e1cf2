"""The colours of all charts, which are the same on a light and on a dark page, in mails and in pictures; and
what else all of them share."""

INK, QUIET, PALE, ACCENT, SECOND = "#22303c", "#8a97a3", "#c9d6df", "#1f6f8b", "#d1495b"
LINES = (
    *("#1f6f8b", "#d1495b", "#edae49", "#66a182", "#8d6a9f", "#2e4057"),
    *("#c97b4a", "#7a8b99", "#3f9fd8", "#a3485f", "#9a9a3c", "#4d7c5b"),
)

# Matplotlib's settings (rcParams), beside which each kind of picture has its own.
DRAWN = {
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a column named "$x$" is no formula
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
}
