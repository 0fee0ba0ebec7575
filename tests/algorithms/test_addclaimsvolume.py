"""Add claims volume: sums as pandas has them, old and new column names, and what is withheld is not zero."""

import json

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.benchmarks.nppes_file import check_digits

OLD = ["npi", "provider_type", "place_of_service", "hcpcs_code", "hcpcs_description", "line_srvc_cnt",
       "bene_unique_cnt", "bene_day_srvc_cnt", "average_Medicare_allowed_amt",
       "average_Medicare_payment_amt"]  # fmt: skip
NEW = ["Rndrng_NPI", "Rndrng_Prvdr_Type", "Place_Of_Srvc", "HCPCS_Cd", "HCPCS_Desc", "Tot_Srvcs", "Tot_Benes",
       "Tot_Bene_Day_Srvcs", "Avg_Mdcr_Alowd_Amt", "Avg_Mdcr_Pymt_Amt"]  # fmt: skip
CODES = ["27447", "27130", "99213", "99214", "99215", "J3301", "G0008"]


def numbers(count, start=0):
    first = 200_000_000 + np.arange(start, start + count) * 11
    return (first * 10 + check_digits(first)).astype(str)


@pytest.fixture(scope="module")
def claims():
    """Return 2,000 rows of 60 providers, of whom the layer has 40; every code that begins with J is a drug."""
    rng = np.random.default_rng(9)
    code = rng.choice(CODES, 2000)
    return pd.DataFrame(
        {
            "npi": numbers(60)[rng.integers(0, 60, 2000)],
            "type": "Orthopedic Surgery",
            "place": rng.choice(["O", "F"], 2000),
            "code": code,
            "text": np.where(code == "27447", "Repair, of the knee", "Visit"),
            "services": rng.integers(11, 500, 2000).astype(float),
            "people": rng.integers(11, 99, 2000),
            "days": rng.integers(11, 99, 2000),
            "allowed": rng.integers(100, 9000, 2000) / 100,
            "paid": rng.integers(100, 9000, 2000) / 100,
            "drug": np.where(np.char.startswith(code.astype(str), "J"), "Y", "N"),
        }
    )


def save(claims, folder, names="new"):
    path = folder / "claims.csv"
    if names == "new":
        claims.set_axis([*NEW, "HCPCS_Drug_Ind"], axis=1).to_csv(path, index=False)
        return str(path)
    # the releases of 2012 and 2013: tabs, some at the end of the header, and a row of copyright first
    body = claims.drop(columns="drug").set_axis(OLD, axis=1).to_csv(index=False, sep="\t")
    header, rows = body.split("\n", 1)
    copyright_row = "\t".join(["0000000001", "", "", "", "CPT copyright 2011 somebody", *[""] * 5])
    path.write_text(f"{header}\t\t\n{copyright_row}\n{rows}")
    return str(path)


@pytest.fixture
def layer(memory_layer):
    """Return 40 providers of the claims and 5 that are not in them; two specialties."""
    npis = [*numbers(40), *numbers(5, 1000)]
    return memory_layer(
        {"npi": npis, "specialty": ["knee" if at % 2 else "hip" for at in range(45)]},
        [f"POINT({at} 40)" for at in range(45)],
        kind="Point",
    )


def by_npi(rows, column="value"):
    return rows.groupby("npi")[column].sum()


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("addclaimsvolume")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    assert {
        "INPUT", "NPI_FIELD", "CLAIMS", "HCPCS", "HCPCS_TABLE", "PLACE", "DRUGS", "MEASURE", "MISSING",
        "SPECIALTY_FIELD", "FLOOR", "SEVERAL_ROWS", "OUTPUT", "AUDIT", "AUDIT_JSON",
    } == definitions.keys()  # fmt: skip
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"READ", "KEPT", "DROPPED", "WITH_VOLUME", "WITHOUT_VOLUME", "TOTAL_VOLUME", "ASSUMED_PCT"} <= outputs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"HCPCS": "knee hip"}, ["knee", "hip", "no HCPCS codes"]),
        ({"HCPCS": "99215-99213"}, ["99215-99213"]),
        ({"HCPCS": "00100"}, ["No provider has a row", "another procedure"]),
        ({"NPI_FIELD": "specialty"}, ["specialty", "no", "NPI"]),
        ({"MEASURE": "joy"}, ["joy", "beneficiaries"]),
    ],
)
def test_refusals_say_what_is_wrong(attempt, layer, claims, tmp_path, change, said):
    wish = {"INPUT": layer, "CLAIMS": save(claims, tmp_path), "OUTPUT": "memory:", **change}
    refusal = attempt("addclaimsvolume", wish).refusal
    assert [word for word in said if word.lower() not in refusal.lower()] == []


def test_files_that_cannot_serve(attempt, layer, claims, tmp_path):
    wish = {"INPUT": layer, "OUTPUT": "memory:"}
    old = attempt("addclaimsvolume", {**wish, "CLAIMS": save(claims, tmp_path, "old"), "DRUGS": "exclude"})
    assert "no drug indicator" in old.refusal
    (tmp_path / "other.csv").write_text("NPI,Entity Type Code\n1,2\n")
    assert "NPPES" in attempt("addclaimsvolume", {**wish, "CLAIMS": str(tmp_path / "other.csv")}).refusal


@pytest.mark.parametrize("names", ["new", "old"])
@pytest.mark.parametrize(
    ("wish", "value", "chosen"),
    [
        ({}, "days", slice(None)),
        ({"MEASURE": "services", "HCPCS": "27447, 27130"}, "services", ["27447", "27130"]),
        ({"MEASURE": "beneficiaries", "HCPCS": "99213 - 99214 99215"}, "people", ["99213", "99214", "99215"]),
        ({"MEASURE": "allowed", "HCPCS": "J*; G0008"}, "allowed", ["J3301", "G0008"]),
        ({"MEASURE": "paid", "PLACE": "office"}, "paid", slice(None)),
        ({"PLACE": "facility"}, "days", slice(None)),
    ],
)
def test_sums_as_pandas_has_them(run, layer, claims, tmp_path, names, wish, value, chosen):
    outcome = run("addclaimsvolume", {
        "INPUT": layer, "CLAIMS": save(claims, tmp_path, names), "OUTPUT": "memory:",
        "AUDIT_JSON": str(tmp_path / "books.json"), **wish,
    })  # fmt: skip
    rows = claims if isinstance(chosen, slice) else claims[claims["code"].isin(chosen)]
    if "PLACE" in wish:
        rows = rows[rows["place"] == wish["PLACE"][0].upper()]
    rows = rows.assign(value=rows[value] * (rows["services"] if value in ("allowed", "paid") else 1))
    expected = by_npi(rows)
    office = by_npi(rows[rows["place"] == "O"])
    for row in outcome.rows():
        if row["npi"] in expected.index:
            assert row["volume"] == pytest.approx(expected[row["npi"]])
            assert row["volume_office"] == pytest.approx(office.get(row["npi"], 0))
            assert row["volume_office"] + row["volume_facility"] == pytest.approx(row["volume"])
            assert row["volume_rows"] == (rows["npi"] == row["npi"]).sum()
        else:
            assert row["volume"] is row["volume_office"] is None
            assert row["volume_note"]
    inside = rows[rows["npi"].isin(numbers(40))]
    assert outcome.results["TOTAL_VOLUME"] == pytest.approx(inside["value"].sum())
    (audit,) = json.loads((tmp_path / "books.json").read_text())
    assert audit["read"] == 2000 + (names == "old") == audit["kept"] + sum(audit["dropped_because"].values())
    assert audit["kept"] == len(inside)


@pytest.mark.parametrize(("drugs", "keep"), [("exclude", "N"), ("only", "Y")])
def test_drugs(run, layer, claims, tmp_path, drugs, keep):
    wish = {"INPUT": layer, "CLAIMS": save(claims, tmp_path), "DRUGS": drugs, "OUTPUT": "memory:"}
    inside = claims[claims["npi"].isin(numbers(40)) & (claims["drug"] == keep)]
    assert run("addclaimsvolume", wish).results["TOTAL_VOLUME"] == pytest.approx(inside["days"].sum())
    told = run("addclaimsvolume", {**wish, "MEASURE": "services"}).infos
    assert ("services are units" in told) == (drugs == "only")


def test_codes_from_a_table(run, layer, claims, tmp_path, memory_layer):
    table = memory_layer({"HCPCS": ["27447", "99213-99214"]})
    outcome = run("addclaimsvolume", {
        "INPUT": layer, "CLAIMS": save(claims, tmp_path), "HCPCS": "G0008", "HCPCS_TABLE": table, "OUTPUT": "memory:",
    })  # fmt: skip
    inside = claims[claims["npi"].isin(numbers(40)) & claims["code"].isin(["27447", "99213", "99214", "G0008"])]
    assert outcome.results["TOTAL_VOLUME"] == pytest.approx(inside["days"].sum())


@pytest.mark.parametrize("missing", ["leave", "floor", "median"])
def test_withheld_is_not_zero(run, layer, claims, tmp_path, missing):
    """A provider whose rows all have other codes, and five that the file does not have."""
    one = numbers(1)[0]
    thinned = claims[(claims["npi"] != one) | (claims["code"] == "G0008")]
    outcome = run("addclaimsvolume", {
        "INPUT": layer, "CLAIMS": save(thinned, tmp_path), "HCPCS": "27447", "MISSING": missing,
        "SPECIALTY_FIELD": "specialty", "OUTPUT": "memory:",
    })  # fmt: skip
    known = by_npi(thinned[(thinned["code"] == "27447") & thinned["npi"].isin(numbers(40))], "days")
    rows = outcome.rows()
    special = {row["npi"]: row["specialty"] for row in rows}
    medians = known.groupby(known.index.map(special)).median()
    without = [row for row in rows if row["npi"] not in known.index]
    assert {row["npi"] for row in without} == {one, *numbers(5, 1000)}
    for row in without:
        stands_in = {"leave": None, "floor": known.min(), "median": medians[row["specialty"]]}[missing]
        assert row["volume"] == (None if stands_in is None else pytest.approx(stands_in))
        assert row["volume_assumed"] == (missing != "leave")
        assert ("withheld" if row["npi"] == one else "not in the claims file") in row["volume_note"]
        assert missing == "leave" or "counts as" in row["volume_note"]
        assert row["volume_rows"] == 0
    assert {row["volume_assumed"] for row in rows if row["npi"] in known.index} == {False}
    assert outcome.results["WITHOUT_VOLUME"] == 6
    assert "6 providers of 45" in outcome.warnings
    assumed = sum(row["volume"] for row in rows if row["volume_assumed"])
    share = 100 * assumed / outcome.results["TOTAL_VOLUME"]
    assert outcome.results["ASSUMED_PCT"] == pytest.approx(share)
    assert (f"{share:.1f} % of the total volume is assumed" in outcome.warnings) == (missing != "leave")


def test_where_most_volume_is_assumed_the_log_and_the_audit_say_so(run, layer, claims, tmp_path):
    few = claims[claims["npi"].isin(numbers(2))]
    outcome = run("addclaimsvolume", {
        "INPUT": layer, "CLAIMS": save(few, tmp_path), "MISSING": "median", "OUTPUT": "memory:",
        "AUDIT": str(tmp_path / "books.html"), "AUDIT_JSON": str(tmp_path / "books.json"),
    })  # fmt: skip
    assert outcome.results["ASSUMED_PCT"] == pytest.approx(100 * 43 / 45)
    assert "95.6 % of the total volume is assumed, 4.4 % is published" in outcome.warnings
    assert "counts providers rather than what they do" in outcome.warnings
    assert "the median of all providers stands in" in outcome.warnings  # no specialty field was given
    notes = json.loads((tmp_path / "books.json").read_text())[0]["notes"]
    assert notes["rows of the layer with a published volume"] == 2
    assert notes["rows of the layer whose volume is assumed: 95.6 % of the total volume"] == 43
    assert "95.6 % of the total volume" in (tmp_path / "books.html").read_text()


def test_a_floor_of_ones_own(run, layer, claims, tmp_path):
    rows = run("addclaimsvolume", {
        "INPUT": layer, "CLAIMS": save(claims, tmp_path), "MISSING": "floor", "FLOOR": 7, "OUTPUT": "memory:",
    }).rows()  # fmt: skip
    assert [row["volume"] for row in rows[40:]] == [7] * 5


def test_rows_with_the_same_npi_share_its_volume(run, claims, tmp_path, memory_layer):
    one, two = numbers(2)
    twice = memory_layer({"npi": [one, two, one, None]}, ["POINT(0 0)"] * 4, kind="Point")
    wish = {"INPUT": twice, "CLAIMS": save(claims, tmp_path), "OUTPUT": "memory:"}
    whole = by_npi(claims, "days")
    shared = [row["volume"] for row in run("addclaimsvolume", wish).rows()]
    assert shared == [pytest.approx(whole[one] / 2), pytest.approx(whole[two]), pytest.approx(whole[one] / 2), None]
    each = [row["volume"] for row in run("addclaimsvolume", {**wish, "SEVERAL_ROWS": "repeat"}).rows()]
    assert each == [whole[one], whole[two], whole[one], None]


def test_twenty_runs_in_the_thread_pool(pool_runs, layer, claims, tmp_path):
    from qgis.core import QgsProject

    QgsProject.instance().addMapLayer(layer)
    results = pool_runs("territories:addclaimsvolume", {
        "INPUT": layer.id(), "CLAIMS": save(claims, tmp_path), "OUTPUT": "TEMPORARY_OUTPUT",
    })  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    assert len({result["TOTAL_VOLUME"] for result in results}) == 1


@pytest.mark.parametrize("by_json", [False, True])
def test_the_true_file_of_2012_through_qgis_process(qgis_process, shared_data, tmp_path, by_json):
    path = shared_data / "providers" / "cms_partb_puf2012_npi_hcpcs_pos.csv.gz"
    frame = pd.read_csv(path, dtype={"npi": str, "hcpcs_code": str})
    pd.DataFrame({"npi": sorted(set(frame["npi"]))[::2], "rep": "Ana"}).to_csv(tmp_path / "providers.csv", index=False)
    (tmp_path / "providers.csvt").write_text('"String","String"')
    done = qgis_process(
        "territories:addclaimsvolume",
        {
            "INPUT": str(tmp_path / "providers.csv"), "CLAIMS": str(path), "HCPCS": "99201-99499", "PLACE": "office",
            "MEASURE": "allowed", "OUTPUT": str(tmp_path / "out.gpkg"),
        },
        by_json=by_json,
    )  # fmt: skip
    assert done.status == 0, done.messages
    rows = frame[
        frame["npi"].isin(sorted(set(frame["npi"]))[::2])
        & frame["hcpcs_code"].between("99201", "99499")
        & (frame["place_of_service"] == "O")
    ]
    total = (rows["line_srvc_cnt"] * rows["average_Medicare_allowed_amt"]).sum()
    assert done.results["TOTAL_VOLUME"] == pytest.approx(total)
    assert (done.results["KEPT"], done.results["WITH_VOLUME"]) == (len(rows), rows["npi"].nunique())
    assert done.results["READ"] == len(frame)


@pytest.fixture
def small(tmp_path, memory_layer):
    """Return a function that runs over providers with these NPIs and claims of three of them."""
    path = tmp_path / "small.csv"
    path.write_text(",".join(NEW) + "\n" + "".join(f"{npi},x,O,142,x,1,1,10,1,1\n" for npi in numbers(3)))

    def wish(npis, **more):
        layer = memory_layer({"npi": npis}, ["POINT(0 0)"] * len(npis), kind="Point")
        return {"INPUT": layer, "CLAIMS": str(path), "OUTPUT": "memory:", **more}

    return wish


def test_npis_of_the_layer_that_a_spreadsheet_rounded_are_refused_by_row(attempt, small):
    refusal = attempt("addclaimsvolume", small([*numbers(2), "1.23457E+09", "1.23457E+09"])).refusal
    assert "row 3 (“1.23457E+09”), row 4" in refusal
    assert "npi" in refusal


def test_npis_of_the_layer_that_have_lost_their_last_digits_are_told_and_match_nothing(run, small):
    outcome = run("addclaimsvolume", small([*numbers(2), "1234570000.0", "1234570000"]))
    assert [row["volume"] for row in outcome.rows()] == [10, 10, None, None]
    assert "2 NPIs have lost the last digits to a spreadsheet" in outcome.warnings
    assert "row 3 (1234570000.0), row 4 (1234570000)" in outcome.warnings


@pytest.mark.parametrize("codes", [{"HCPCS": "142"}, {"HCPCS": "140-145"}, "142", "140 - 145", "00142, 27447", 142.0])
def test_codes_have_their_zeros_also_from_a_table(run, small, memory_layer, codes):
    if not isinstance(codes, dict):
        codes = {"HCPCS_TABLE": memory_layer({"cpt": [codes]})}
    outcome = run("addclaimsvolume", small(list(numbers(3)), **codes))
    assert outcome.results["TOTAL_VOLUME"] == 30
    assert "lost its zeros" in outcome.infos


def test_a_vendors_table_is_read_or_says_what_to_rename(run, attempt, small, tmp_path):
    path = tmp_path / "vendor.csv"
    one, two = numbers(2)
    path.write_text(
        "npi,cpt,year,site_of_service,claim_count,patient_count,charges\n"
        f"{one},27447,2024,ASC,20,18,1000\n{two},27447,2024,OFFICE,21,19,1000\n"
    )
    wish = small([one, two], CLAIMS=str(path))
    refusal = attempt("addclaimsvolume", wish).refusal
    assert "beneficiaries" in refusal
    assert "claim_count" in refusal
    rows = run("addclaimsvolume", {**wish, "MEASURE": "beneficiaries"}).rows()
    assert [(row["volume"], row["volume_office"], row["volume_facility"]) for row in rows] == [(18, 0, 18), (19, 19, 0)]
