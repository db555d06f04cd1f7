"""Lines and progress bars for a terminal; plain lines where there is none."""
import sys
import time

TERMINAL = sys.stdout.isatty()
BAR = 24
REDRAW_SECONDS = 0.05


def say(text, style=None):
    if style == "title" and TERMINAL:
        text = "\033[1m%s\033[0m" % text
    print(text, flush=True)


class Bar:
    """One line that shows how much of a total is done."""

    def __init__(self, name, total):
        self.name = name
        self.total = total
        self.start = self.drawn = time.perf_counter()

    def show(self, done):
        now = time.perf_counter()
        if TERMINAL and now - self.drawn >= REDRAW_SECONDS:
            self.drawn = now
            self.draw(done, now - self.start)

    def draw(self, done, seconds):
        rate = done / seconds
        left = (self.total - done) / rate if rate else 0
        self.line(done, "%3d %%  %7s  %8s/s  ETA %.1f s" % (
            100 * done // self.total, format(done, ","),
            format(round(rate), ","), left))

    def line(self, done, text):
        eighths = 8 * BAR * min(done, self.total) // self.total
        bar = "█" * (eighths // 8)
        if eighths % 8:
            bar += "▏▎▍▌▋▊▉"[eighths % 8 - 1]
        sys.stdout.write("\r\033[K  %-20s \033[36m%-*s\033[0m %s" % (
            self.name, BAR, bar, text))
        sys.stdout.flush()

    def end(self, text):
        """Leave the line behind, with a last word."""
        if TERMINAL:
            self.line(self.total, text + "\n")
        else:
            print("  %-20s %s" % (self.name, text), flush=True)
