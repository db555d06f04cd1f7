"""Write what demo.py measured as one self-contained page."""
import base64
import html
import io
import os
import re
import string

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("svg")
from matplotlib import pyplot as plt        # noqa: E402
from matplotlib.ticker import NullFormatter, ScalarFormatter    # noqa: E402

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "report.html.in")

# Matplotlib wants colours of its own kind; each of these stands for one of
# the page's, so that a plot follows the reader's light or dark theme.
INK, MUTED, RULE, ACCENT = "#010101", "#020202", "#030303", "#040404"
THEME = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)",
         ACCENT: "var(--accent)"}

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "omenvec", "font.size": 10,
    "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "text.color": INK,
    "xtick.color": RULE, "ytick.color": RULE, "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": RULE,
    "grid.linewidth": 0.6, "axes.axisbelow": True,
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


def picture(image, description):
    """Return an image of the data set as an element of the page."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return '<img alt="%s" width="56" height="56" src="%s">' % (
        html.escape(description), "data:image/png;base64,"
        + base64.b64encode(buffer.getvalue()).decode())


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


def plot_recall(figures):
    ef, recall, rate, _ = (np.array(x) for x in zip(*figures["sweep"]))
    figure, axes = plt.subplots(figsize=(4.6, 3.1))
    axes.plot(ef, recall, color=ACCENT, linewidth=2, marker="o", markersize=5)
    axes.set_xscale("log")
    axes.set_xticks(ef)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.set_xlabel("ef_search")
    axes.set_ylabel("recall@%d" % figures["k"])
    span = max(recall.max() - recall.min(), 0.002)
    axes.margins(x=0.1)
    axes.set_ylim(recall.min() - 0.12 * span, recall.max() + 0.28 * span)
    for x, y, per_second in zip(ef, recall, rate):
        axes.annotate(number(per_second) + "/s", (x, y), color=MUTED,
                      xytext=(0, 8), textcoords="offset points",
                      ha="center", fontsize=8)
    return finish(figure, "Recall over ef_search")


def plot_latency(figures):
    milliseconds = 1000 * figures["latencies"]
    marks = np.percentile(milliseconds, (50, 95, 99))
    limit = 1.2 * marks[-1]
    figure, axes = plt.subplots(figsize=(4.6, 3.1))
    counts, _, _ = axes.hist(milliseconds, bins=48, range=(0, limit),
                             color=ACCENT)
    for height, mark, name in zip((1.18, 1.11, 1.04), marks,
                                  ("median", "95 %", "99 %")):
        axes.axvline(mark, color=INK, linewidth=0.8, linestyle=(0, (3, 3)))
        axes.annotate("%s %.2f" % (name, mark), (mark, height * counts.max()),
                      xytext=(3, 0), textcoords="offset points", fontsize=8,
                      ha="left" if mark < 0.75 * limit else "right")
    axes.set_ylim(0, 1.25 * counts.max())
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("queries")
    return finish(figure, "Histogram of query times")


def bars(rows):
    """Return horizontal bars from (name, value, text)."""
    most = max(value for _, value, _ in rows)
    return '<dl class="bars">%s</dl>' % "".join(
        '<dt>%s</dt><dd><span class="bar" style="--share: %.4f"></span>'
        "<span>%s</span></dd>" % (html.escape(name), value / most, text)
        for name, value, text in rows)


def phase_bars(figures):
    n = len(figures["images"])
    return bars([(name, seconds, "%s <small>%s rows/s</small>" % (
        duration(seconds), number(n / max(seconds, 1e-9))))
        for name, seconds in figures["phases"]])


def size_bars(figures):
    return bars([(name, value, number(value / 1e6) + " MB")
                 for name, value in (("table", figures["table_bytes"]),
                                     ("index", figures["index_bytes"]))])


def gallery(figures):
    """Return one row for the first query of each class."""
    classes, labels = figures["classes"], figures["labels"]
    rows = []
    for label, name in enumerate(classes):
        query = int(np.argmax(figures["query_labels"] == label))
        tiles, matches = [], 0
        for image in figures["answers"][query]:
            found = classes[labels[image]]
            matches += found == name
            tiles.append('<li class="%s">%s<span>%s</span></li>' % (
                "match" if found == name else "other",
                picture(figures["images"][image], found), found))
        rows.append(
            '<article><figure>%s<figcaption>%s<small>%d of %d match</small>'
            "</figcaption></figure><ol>%s</ol></article>" % (
                picture(figures["queries"][query], "query: " + name),
                name, matches, len(tiles), "".join(tiles)))
    return "\n".join(rows)


def write(path, figures):
    """Fill the template in."""
    n = len(figures["images"])
    milliseconds = 1000 * figures["latencies"]
    median = float(np.median(figures["latencies"]))
    values = {
        "rows": number(n),
        "sample": number(figures["sample"]),
        "queries": number(len(figures["queries"])),
        "build": duration(figures["build_seconds"]),
        "build_rate": number(n / figures["build_seconds"]),
        "copy": duration(figures["copy_seconds"]),
        "recall": "%.1f %%" % (100 * figures["recall"]),
        "median": duration(median),
        "p99": "%.2f ms" % np.percentile(milliseconds, 99),
        "exact": duration(figures["exact_seconds"]),
        "speedup": number(figures["exact_seconds"] / median),
        "throughput": number(figures["throughput"]),
        "voted": "%.1f %%" % (100 * figures["voted"]),
        "index_share": "%.0f %%" % (
            100 * figures["index_bytes"] / figures["table_bytes"]),
        "gallery": gallery(figures),
        "recall_plot": plot_recall(figures),
        "latency_plot": plot_latency(figures),
        "phases": phase_bars(figures),
        "sizes": size_bars(figures),
    }
    for key in ("using", "ef", "ef_setting", "cores", "cpu", "exact_scans",
                "load_seconds", "date", "server", "extension",
                "extension_name"):
        values[key] = html.escape(str(figures[key]))
    with open(TEMPLATE, encoding="utf-8") as f:
        page = string.Template(f.read()).substitute(values)
    with open(path, "w", encoding="utf-8") as f:
        f.write(page)


plt.rcParams.update(STYLE)
