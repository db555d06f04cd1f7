"""A reader of hnsw's pages, for the positive control.

pgvector has no checker that one could call.  Here is what its format says of
an element's neighbors, as far as a check needs it: an item of type 1 is an
element (level, deleted, version, ten TIDs of rows, place of its neighbors),
one of type 2 a list of (level + 2) * m places of elements, those of the
highest layer first.
"""
import struct

PAGE = 8192
HEADER = 24
ELEMENT, NEIGHBORS = 1, 2
NEIGHBOR_PLACE = 4 + 10 * 6     # of the TID of an element's neighbors


def place(data, offset):
    """Return the (block, offset) of a TID."""
    high, low, item = struct.unpack_from("<HHH", data, offset)
    return high << 16 | low, item


def items(page):
    """Yield (offset number, bytes) of a page's items."""
    lower, = struct.unpack_from("<H", page, 12)
    for number in range((lower - HEADER) // 4):
        pointer, = struct.unpack_from("<I", page, HEADER + number * 4)
        start, length = pointer & 0x7FFF, pointer >> 17
        yield number + 1, page[start:start + length]


def read(cursor, index):
    """Return {place: (type, bytes)} of an index."""
    cursor.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
    cursor.execute("SELECT pg_relation_size(%s::regclass) / 8192", (index,))
    found = {}
    for block in range(1, cursor.fetchone()[0]):
        cursor.execute("SELECT get_raw_page(%s, %s)", (index, block))
        page = bytes(cursor.fetchone()[0])
        for number, data in items(page):
            found[block, number] = data
    return found


def check(cursor, index, m=4):
    """Return what is wrong with the neighbors of live elements.

    Nothing may work on the index meanwhile.
    """
    all_items = read(cursor, index)
    findings = []
    for where, data in sorted(all_items.items()):
        if data[0] != ELEMENT or data[2]:
            continue
        neighbors = all_items.get(place(data, NEIGHBOR_PLACE))
        if neighbors is None or neighbors[0] != NEIGHBORS:
            findings.append((where, "neighbors", "there are none"))
            continue
        start = 0
        for layer in range(data[1], -1, -1):
            size = m * 2 if layer == 0 else m
            linked = [place(neighbors, 4 + 6 * i)
                      for i in range(start, start + size)]
            linked = [link for link in linked if link[1] != 0]
            start += size
            if len(set(linked)) != len(linked):
                findings.append((where, "neighbors", "one is there twice"))
            for link in linked:
                target = all_items.get(link)
                if target is None or target[0] != ELEMENT or target[2]:
                    findings.append((where, "neighbors",
                                     "%s is no live element" % (link,)))
    return findings
