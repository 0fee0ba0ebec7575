"""All ZIPs by territory: with a polygon, through the crosswalk, without a place."""

from healthcare_territories.territory_plugin.engine.zip_table import all_zips, told, units_of

UNITS, PLAN, TODAY = ["60601", "60602-1", "60602-2"], ["A", "B", "B"], ["A", "A", None]


def rows(*given, **wishes):
    table = all_zips(*given, **wishes)
    return {row.zip: (row.unit, row.territory, row.territory_today, row.how) for row in table.itertuples()}


def test_zips_that_the_crosswalk_puts_into_the_market():
    crosswalk = {"60680": "60601", "60681": "60602", "60601": "60602", "60602": "60602", "90001": "90002"}
    assert units_of(crosswalk, UNITS, [1, 2, 5]) == {
        "60680": ("60601", "through the crosswalk"),
        "60681": ("60602-2", "through the crosswalk, to the heaviest piece of 60602"),
    }
    assert units_of(None, UNITS, [1, 2, 5]) == {}


def test_a_row_for_each_zip_and_every_one_says_how():
    beside = {"60680": ("60602-1", "through the crosswalk"), "60681": ("60601", "through the crosswalk")}
    apart = {"60680": "A", "60690": "A", "60691": "Gone", "60692": "Far", "60693": None}
    found = rows(UNITS, PLAN, beside, [*TODAY[:2], "Gone"], apart, {"A": "New 1", "B": "B"})
    assert found == {
        "60601": ("60601", "A", "A", "own polygon"),
        "60602-1": ("60602-1", "B", "A", "own polygon"),
        "60602-2": ("60602-2", "B", "Gone", "own polygon"),
        "60680": ("60602-1", "B", "A", "through the crosswalk"),
        "60681": ("60601", "A", None, "through the crosswalk"),
        "60690": (None, "New 1", "A", "no polygon: stays with today's territory"),
        "60691": (None, None, "Gone", "no polygon, and today's territory is no more"),
        "60692": (None, "Far", "Far", "no polygon: its territory has no unit in this market, and stays"),
        "60693": (None, None, None, "no polygon, and no territory today"),
    }


def test_the_totals_are_told():
    beside = {"60680": ("60602-1", "through the crosswalk")}
    text = told(all_zips(UNITS, PLAN, beside, TODAY, {"60680": "A", "60690": "A", "60691": None}, {"A": "A", "B": "B"}))
    for word in ("6 ZIPs, 3 with a polygon", "1 through the crosswalk", "1 without a polygon, with today's",
                 "1 without a polygon and a territory", "1 ZIP goes with the polygon", "60680 (A → B)"):  # fmt: skip
        assert word in text
