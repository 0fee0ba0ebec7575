"""How much work a search does: counts, never seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much work to do; counts, never seconds, so that the same seed gives the same plan.

    Attributes
    ----------
    starts, rounds : int
        Sets of centres tried, and Lloyd rounds for each.
    tries, sketch : int
        Starts that are annealed, and annealing proposals per unit for each.
    finalists, refine : int
        Best of these that are annealed again, and proposals per unit for each.
    recuts : int
        Recombinations tried per batch of proposals.
    mends : int
        Annealings around the territories that are still outside the tolerance.
    smoothings : int
        Coarse maps that are annealed where borders are dear, the last of them to combine plans; of maps of more than
        1,000 units fewer.
    restarts, retries : int
        Short searches of a small map from other starts and from the best plan, as long as that is within the
        tolerance, and as long as it is not.
    sets : int
        Connected sets that are listed to find, and prove, the least largest deviation of few territories.
    regroups, columns : int
        Choices of all territories of a neighbourhood at once, and sets that there are to choose from, together. Shared
        by the plans that may be balanced: one, and others where that leaves some outside.
    nears : int
        Choices of near sets for all territories around those outside, without gain, that end them.
    covers : int
        Times that the surroundings of territories outside are covered anew in the best way.
    pieces : int
        Pieces of a pocket of the map that are listed to prove that it cannot be within the tolerance.
    """

    starts: int
    rounds: int
    tries: int
    sketch: int
    finalists: int
    refine: int
    recuts: int
    mends: int
    smoothings: int
    restarts: int
    retries: int
    sets: int
    regroups: int
    columns: int
    nears: int
    covers: int
    pieces: int


EFFORTS = {
    "quick": Effort(
        starts=1,
        rounds=15,
        tries=1,
        sketch=80,
        finalists=0,
        refine=0,
        recuts=10,
        mends=3,
        smoothings=7,
        restarts=0,
        retries=6,
        sets=3_000,
        regroups=8,
        columns=8_000,
        nears=1,
        covers=0,
        pieces=3_000,
    ),
    "default": Effort(
        starts=6,
        rounds=30,
        tries=4,
        sketch=100,
        finalists=1,
        refine=300,
        recuts=20,
        mends=21,
        smoothings=80,
        restarts=120,
        retries=40,
        sets=25_000,
        regroups=90,
        columns=120_000,
        nears=3,
        covers=4,
        pieces=60_000,
    ),
    "thorough": Effort(
        starts=16,
        rounds=40,
        tries=10,
        sketch=300,
        finalists=3,
        refine=800,
        recuts=40,
        mends=63,
        smoothings=300,
        restarts=300,
        retries=300,
        sets=400_000,
        regroups=600,
        columns=1_000_000,
        nears=8,
        covers=12,
        pieces=300_000,
    ),
}
