"""The group axioms, checked on a Cayley table."""

import numpy as np


def axiom_violations(product: np.ndarray) -> list[str]:
    """What keeps a Cayley table from being a group's; empty if it is one.

    Closure, associativity, identity and inverse are checked for every element, associativity by
    Light's test: (as)b = a(sb) for all a, b and all s of a generating set.

    Args:
      product: integer table, `product[g, h]` the index of gh.
    """
    table = np.asarray(product)
    n = len(table)
    if table.shape != (n, n):
        return [f"a Cayley table is square, this one is {table.shape}"]
    outside = np.argwhere((table < 0) | (table >= n))
    if len(outside):
        g, h = outside[0]
        return [f"closure fails: {g}·{h} = {table[g, h]} is none of the {n} elements"]
    found = []
    for s in _table_generators(table):
        wrong = np.argwhere(table[table[:, s], :] != table[:, table[s, :]])
        if len(wrong):
            a, b = wrong[0]
            found.append(f"associativity fails: ({a}·{s})·{b} is not {a}·({s}·{b})")
            break
    every = np.arange(n)
    identities = [e for e in range(n) if (table[e] == every).all() and (table[:, e] == every).all()]
    if not identities:
        return [*found, "identity fails: no element e has eg = g = ge for all g"]
    without = np.flatnonzero(~((table == identities[0]) & (table.T == identities[0])).any(axis=1))
    if len(without):
        found.append(f"inverse fails: element {without[0]} has none")
    return found


def _table_generators(table: np.ndarray) -> list[int]:
    """Elements whose products, in some bracketing, give all others; needs no associativity."""
    chosen: list[int] = []
    reached = np.zeros(len(table), dtype=bool)
    for s in range(len(table)):
        if reached[s]:
            continue
        chosen.append(s)
        reached[s] = True
        size = 0
        while size < reached.sum():
            size = reached.sum()
            reached[table[np.ix_(reached, reached)]] = True
    return chosen
