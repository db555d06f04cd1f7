"""The access methods that can be measured, and what they need."""
import math

USUAL = 40                      # ef_search, the default of omen and hnsw

class Method:
    """An access method: how to build its index and how to set its effort.

    effort is the setting that trades recall for speed, and efforts the values
    that are tried, ascending; usual is one in the middle, for other tests.
    Those that know L1 distance say so.
    """

    def __init__(self, name, extension, effort, efforts, options=None,
                 l1=False):
        self.name = name
        self.extension = extension
        self.effort = effort
        self.efforts = efforts
        self.usual = (USUAL if USUAL in efforts
                      else efforts[len(efforts) // 2])
        self.options = options or (lambda rows, metric: "")
        self.l1 = l1

    def create(self, table, rows, metric):
        """Return the command that makes the index of a table of some rows."""
        return "CREATE INDEX %s_v_idx ON %s USING %s (v vector_%s_ops)%s" % (
            table, table, self.name, metric, self.options(rows, metric))


def lists(rows):
    """Return the number of inverted lists that pgvector recommends."""
    return max(1, rows // 1000 if rows <= 1000000 else math.isqrt(rows))


def ivfflat_options(rows, metric):
    return " WITH (lists = %d)" % lists(rows)


def vchordrq_options(rows, metric):
    return (" WITH (options = $$residual_quantization = %s\n"
            "[build.internal]\nlists = [%d]\nspherical_centroids = %s\n"
            "build_threads = 1\n$$)") % (
                "true" if metric == "l2" else "false", lists(rows),
                "false" if metric == "l2" else "true")


def probes(rows):
    """Return numbers of lists to look into, up to all."""
    values = [2 ** i for i in range(10) if 2 ** i < lists(rows)]
    return values + [lists(rows)]


def known(ef, rows):
    """Return all methods by name; ef are the values of ef_search."""
    return {method.name: method for method in (
        Method("omen", "omenvec", "omen.ef_search", ef, l1=True),
        Method("hnsw", "vector", "hnsw.ef_search", ef, l1=True),
        Method("ivfflat", "vector", "ivfflat.probes", probes(rows),
               ivfflat_options),
        Method("vchordrq", "vchord", "vchordrq.probes", probes(rows),
               vchordrq_options),
        Method("diskann", "vectorscale", "diskann.query_search_list_size",
               ef))}
