"""Plots as elements of a page, in the page's own colours."""
import html
import io
import re

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt        # noqa: E402

# Matplotlib wants colours of its own kind; each of these stands for one of
# the page's, so that a plot follows the reader's light or dark theme.
INK, MUTED, RULE, ACCENT = "#010101", "#020202", "#030303", "#040404"
SERIES = (ACCENT, "#050505", "#060606", "#070707", "#080808")
THEME = dict(zip((INK, MUTED, RULE) + SERIES, (
    "var(--ink)", "var(--muted)", "var(--rule)", "var(--accent)",
    "var(--other)", "var(--match)", "var(--fourth)", "var(--fifth)")))

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "omenvec", "font.size": 10,
    "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "text.color": INK,
    "xtick.color": RULE, "ytick.color": RULE, "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": RULE,
    "grid.linewidth": 0.6, "axes.axisbelow": True, "legend.frameon": False,
}


def number(value, digits=0):
    return format(value, ",.%df" % digits)


def duration(seconds):
    """Return a time with the unit that suits it."""
    for limit, factor, digits, unit in (
            (0.01, 1000, 2, "ms"), (0.1, 1000, 1, "ms"), (1, 1000, 0, "ms"),
            (10, 1, 2, "s"), (100, 1, 1, "s")):
        if seconds < limit:
            break
    return "%s %s" % (number(factor * seconds, digits), unit)


def axes():
    """Return a new figure and its axes."""
    return plt.subplots(figsize=(4.6, 3.1))


def finish(figure, title):
    """Return a figure as an element of the page, in the page's colours."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True,
                   bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r' (width|height)="[0-9.]+pt"', "", svg, count=2)
    svg = re.sub(r"(font: [^']*px)[^;\"]*", r"\1 var(--sans)", svg)
    for stand_in, color in THEME.items():
        svg = svg.replace(stand_in, color)
    return svg.replace("<svg", '<svg role="img" aria-label="%s"'
                       % html.escape(title), 1)


def bars(rows):
    """Return horizontal bars from (name, value, text)."""
    most = max(value for _, value, _ in rows)
    return '<dl class="bars">%s</dl>' % "".join(
        '<dt>%s</dt><dd><span class="bar" style="--share: %.4f"></span>'
        "<span>%s</span></dd>" % (html.escape(name), value / most, text)
        for name, value, text in rows)


plt.rcParams.update(STYLE)
