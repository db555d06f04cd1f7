"""How long something may take before it counts as hung.

The limits are for a machine that has a core to spare.  Where others come
first, the driver is told to be more patient.
"""
import time

factor = 1.0


def limit(seconds):
    """Return a limit in seconds, as long as it is on this machine."""
    return seconds * factor


def timeout(seconds):
    """Return a statement that sets statement_timeout to a limit."""
    return "SET statement_timeout = %d" % (1000 * limit(seconds))


def attempts(seconds, pause=0.01):
    """Yield until the limit is reached, with pauses in between."""
    end = time.monotonic() + limit(seconds)
    while time.monotonic() < end:
        yield
        time.sleep(pause)
