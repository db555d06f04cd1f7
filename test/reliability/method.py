"""What is special about each access method that can be tested."""
import hnsw


class Method:
    """An access method.

    full are settings under which a scan without LIMIT returns all rows that
    the index knows; complete says whether it promises that these are all.
    """

    def __init__(self, name, extension, full, complete, preload,
                 load="", options=""):
        self.name = name
        self.extension = extension
        self.full = full
        self.complete = complete
        self.preload = preload
        self.load = load
        self.options = options

    def create(self, name, table="tab", opclass="vector_l2_ops", how=""):
        return "CREATE INDEX %s %s ON %s USING %s (v %s)%s" % (
            how, name, table, self.name, opclass, self.options)

    def findings(self, cursor, index, quiet=True):
        """Return what a checker says; quiet: nobody works on the index."""
        if self.name == "hnsw":
            return hnsw.check(cursor, index) if quiet else []
        cursor.execute("SELECT * FROM omen_check(%s, true)", (index,))
        return cursor.fetchall()


METHODS = {
    "omen": Method(
        "omen", "omenvec",
        ["omen.ef_search = 10000", "omen.max_scan_tuples = 1000000",
         "omen.iterative_scan = relaxed_order", "work_mem = '1GB'"],
        complete=True, preload="omenvec",
        load="SET omen.pending_limit = 1000"),
    # Small lists and many layers bring out races sooner.
    "hnsw": Method(
        "hnsw", "vector",
        ["hnsw.ef_search = 1000", "hnsw.max_scan_tuples = 1000000",
         "hnsw.iterative_scan = relaxed_order", "work_mem = '1GB'"],
        complete=False, preload="vector",
        options=" WITH (m = 4, ef_construction = 10)"),
}
