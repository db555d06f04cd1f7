"""Write what demo.py measured as one self-contained page."""
import base64
import html
import io
import os
import string

import numpy as np
from matplotlib.ticker import NullFormatter, ScalarFormatter
from PIL import Image

from plot import ACCENT, INK, MUTED, axes, bars, duration, finish, number

HERE = os.path.dirname(os.path.abspath(__file__))


def picture(image, description):
    """Return an image of the data set as an element of the page."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    return '<img alt="%s" width="56" height="56" src="%s">' % (
        html.escape(description), "data:image/png;base64,"
        + base64.b64encode(buffer.getvalue()).decode())


def plot_recall(figures):
    ef, recall, rate, _ = (np.array(x) for x in zip(*figures["sweep"]))
    figure, ax = axes()
    ax.plot(ef, recall, color=ACCENT, linewidth=2, marker="o", markersize=5)
    ax.set_xscale("log")
    ax.set_xticks(ef)
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="x", which="minor", length=0)
    ax.set_xlabel("ef_search")
    ax.set_ylabel("recall@%d" % figures["k"])
    span = max(recall.max() - recall.min(), 0.002)
    ax.margins(x=0.1)
    ax.set_ylim(recall.min() - 0.12 * span, recall.max() + 0.28 * span)
    for x, y, per_second in zip(ef, recall, rate):
        ax.annotate(number(per_second) + "/s", (x, y), color=MUTED,
                    xytext=(0, 8), textcoords="offset points",
                    ha="center", fontsize=8)
    return finish(figure, "Recall over ef_search")


def plot_latency(figures):
    milliseconds = 1000 * figures["latencies"]
    marks = np.percentile(milliseconds, (50, 95, 99))
    limit = 1.2 * marks[-1]
    figure, ax = axes()
    counts, _, _ = ax.hist(milliseconds, bins=48, range=(0, limit),
                           color=ACCENT)
    for height, mark, name in zip((1.18, 1.11, 1.04), marks,
                                  ("median", "95 %", "99 %")):
        ax.axvline(mark, color=INK, linewidth=0.8, linestyle=(0, (3, 3)))
        ax.annotate("%s %.2f" % (name, mark), (mark, height * counts.max()),
                    xytext=(3, 0), textcoords="offset points", fontsize=8,
                    ha="left" if mark < 0.75 * limit else "right")
    ax.set_ylim(0, 1.25 * counts.max())
    ax.set_xlabel("milliseconds")
    ax.set_ylabel("queries")
    return finish(figure, "Histogram of query times")


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
    with open(os.path.join(HERE, "page.css"), encoding="utf-8") as f:
        values["style"] = f.read()
    with open(os.path.join(HERE, "report.html.in"), encoding="utf-8") as f:
        page = string.Template(f.read()).substitute(values)
    with open(path, "w", encoding="utf-8") as f:
        f.write(page)
