"""Several NPPES files: of all rows of one NPI the newest counts, and the books of each file add up."""

import itertools

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.benchmarks import nppes_file
from healthcare_territories.territory_plugin.engine import audit as reasons
from healthcare_territories.territory_plugin.engine import deactivated, newest, nppes
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.nppes import Wishes, read_providers
from healthcare_territories.territory_plugin.engine.nppes_rows import PRACTICE

A, B, C, D = ("1234567802", "1234567810", "1234567828", "1234567836")
STREET = "Provider First Line Business Practice Location Address"
SHORT = {
    "street": STREET, "state": f"{PRACTICE} State Name", "zip": f"{PRACTICE} Postal Code",
    "updated": "Last Update Date", "off": "NPI Deactivation Date", "on": "NPI Reactivation Date",
}  # fmt: skip


def row(npi, updated="", **more):
    return {
        "NPI": npi, "Entity Type Code": "1", SHORT["state"]: "NY", SHORT["zip"]: "109600000",
        "Healthcare Provider Taxonomy Code_1": "207X00000X", "Healthcare Provider Primary Taxonomy Switch_1": "Y",
        SHORT["updated"]: updated, **{SHORT.get(name, name): value for name, value in more.items()},
    }  # fmt: skip


def stub(npi, off):
    return {"NPI": npi, SHORT["off"]: off}


def write(path, rows):
    frame = pd.DataFrame(rows, columns=nppes_file.header()).fillna("")
    frame.to_csv(path, index=False, quoting=1)
    return path


def kept_of(frame):
    return list(zip(frame["npi"], frame["address"]))


def adds_up(audits):
    return all(audit.read == audit.kept + sum(audit.dropped.values()) for audit in audits)


@pytest.fixture
def month(tmp_path):
    return write(
        tmp_path / "npidata_pfile_20050523-20260208.csv",
        [row(npi, "01/05/2020", street=f"{npi[-2:]} OLD") for npi in (A, B, C, D)],
    )


@pytest.fixture
def week_1(tmp_path):
    rows = [row(A, "02/09/2026", street="A ONE"), row("1234567844", "02/10/2026", street="NEW")]
    return write(tmp_path / "npidata_pfile_20260209-20260215.csv", rows)


@pytest.fixture
def week_2(tmp_path):
    rows = [row(A, "02/17/2026", street="A TWO"), stub(B, "02/18/2026"), row(C, "01/01/2019", street="C OLDER")]
    return write(tmp_path / "npidata_pfile_20260216-20260222.csv", rows)


@pytest.mark.parametrize("turned", [False, True])
def test_the_newest_row_counts_in_whatever_order_the_weeks_are_given(month, week_1, week_2, turned):
    updates = [week_2, week_1] if turned else [week_1, week_2]
    kept, audits = read_providers(month, Wishes(), updates=updates)
    assert kept_of(kept) == [(C, "28 OLD"), (D, "36 OLD"), ("1234567844", "NEW"), (A, "A TWO")]
    assert [(audit.file[14:22], audit.read, audit.kept, audit.dropped) for audit in audits] == [
        ("20050523", 4, 2, {reasons.TWICE: 2}),
        ("20260209", 2, 1, {reasons.TWICE: 1}),
        ("20260216", 3, 1, {reasons.DEACTIVATED: 1, reasons.TWICE: 1}),
    ]
    assert adds_up(audits)


def test_within_one_file_joined_of_several_the_newest_counts(month, week_1, week_2, tmp_path):
    joined = tmp_path / "joined.csv"
    joined.write_bytes(b"".join(path.read_bytes() for path in (week_2, month, week_1)))
    kept, (audit,) = read_providers(joined, Wishes())
    assert kept_of(kept) == [(A, "A TWO"), (C, "28 OLD"), (D, "36 OLD"), ("1234567844", "NEW")]
    assert audit.dropped == {reasons.HEADER_AGAIN: 2, reasons.DEACTIVATED: 1, reasons.TWICE: 4}
    assert adds_up([audit])


@pytest.mark.parametrize(("first", "second"), [("02/01/2026", "02/01/2026"), ("", ""), ("soon", "")])
def test_of_equal_or_missing_dates_the_later_row_counts_and_the_later_file(tmp_path, first, second):
    rows = [row(A, first, street="FIRST"), row(A, second, street="SECOND")]
    both = write(tmp_path / "both.csv", rows)
    assert kept_of(read_providers(both, Wishes())[0]) == [(A, "SECOND")]
    one, two = (write(tmp_path / f"{number}.csv", [row]) for number, row in enumerate(rows))
    assert kept_of(read_providers(one, Wishes(), updates=[two])[0]) == [(A, "SECOND")]
    three = write(tmp_path / "3.csv", [row(A, second, street="THIRD")])
    assert kept_of(read_providers(one, Wishes(), updates=[two, three])[0]) == [(A, "THIRD")]


def test_the_newest_of_the_three_dates_decides(tmp_path):
    path = write(tmp_path / "file.csv", [
        row(A, "01/01/2019", off="03/01/2020", on="05/01/2024", street="BACK"), row(A, "2023-06-30", street="OLDER"),
        row(B, "06/30/2023", street="OLDER"), row(B, "01/01/2019", off="05/01/2024"),
    ])  # fmt: skip
    kept, (audit,) = read_providers(path, Wishes())
    assert kept_of(kept) == [(A, "BACK")]
    assert audit.dropped == {reasons.DEACTIVATED: 1, reasons.TWICE: 2}


def test_a_provider_who_moved_away_is_not_kept_at_the_old_place(month, tmp_path):
    week = write(tmp_path / "week.csv", [row(A, "02/17/2026", state="CA", zip="900010000")])
    kept, audits = read_providers(month, Wishes(states=frozenset({"NY"})), updates=[week])
    assert kept["npi"].tolist() == [B, C, D]
    assert audits[0].dropped == {reasons.TWICE: 1}
    assert audits[1].dropped == {reasons.OTHER_STATE: 1}
    assert adds_up(audits)


REPORT = ["NPI", "NPPES Deactivation Date"]


@pytest.mark.parametrize("active_only", [True, False])
def test_the_report_takes_providers_out_unless_they_came_back_later(tmp_path, active_only):
    path = write(tmp_path / "file.csv", [
        row(A, "01/01/2026"), row(B, off="03/01/2020", on="05/01/2024"), row(C, off="03/01/2020", on="05/01/2024"),
        row(D),
    ])  # fmt: skip
    report = deactivated.read_deactivated(
        REPORT, [[A, "12/01/2025"], [B, "2025-01-01"], [C, "05/01/2024"], [1003000126, "01/01/2020"]], "report"
    )
    kept, audits = read_providers(path, Wishes(active_only=active_only), deactivated=report)
    assert kept.loc[kept["active"].astype(bool), "npi"].tolist() == [C, D]
    assert len(kept) == (2 if active_only else 4)
    assert audits[0].dropped == ({reasons.REPORTED: 2} if active_only else {})
    assert (audits[1].read, audits[1].kept) == (4, 4)
    assert adds_up(audits)


def test_a_report_with_titles_dates_of_a_spreadsheet_and_empty_rows():
    names = ["NPPES Deactivated NPI Report as of Feb 9 2026", "Field2"]
    rows = [[None, None], REPORT, [A, "46000"], [None, ""], ["", None], [f"{B}.0", None], ["x", "01/01/2020"]]
    days, audit = deactivated.read_deactivated(names, rows, "report.xlsx")
    assert days == {A.encode(): 20251209, B.encode(): deactivated.ALWAYS}
    assert (audit.read, audit.kept, audit.dropped) == (3, 2, {reasons.NO_NPI: 1})


@pytest.mark.parametrize(
    ("names", "rows", "said"),
    [
        (["a", "b"], [["1", "2"]], "needs the columns NPI and NPPES Deactivation Date"),
        (REPORT, [], "holds no NPI"),
        (REPORT, [["1.23457E+09", "01/01/2020"]], r"row 1 \(“1.23457E\+09”\)"),
        (REPORT, [[A, "01/01/2020"], [B, "soon"]], r"1 date that cannot be read: row 2 \(“soon”\)"),
    ],
)
def test_reports_that_cannot_serve(names, rows, said):
    with pytest.raises(TerritoryError, match=said):
        deactivated.read_deactivated(names, rows, "report")


def test_secondary_sites_stay_with_their_provider(month, week_2, tmp_path):
    site = "Provider Secondary Practice Location Address"
    sites = tmp_path / "pl_pfile_1.csv"
    pd.DataFrame(
        [(npi, f"{npi[-2:]} SITE", "FLOOR 2", "NY", "10960") for npi in (A, B, D)],
        columns=["NPI", f"{site}- Address Line 1", f"{site}-  Address Line 2", f"{site} - State Name",
                 f"{site} - Postal Code"],
    ).to_csv(sites, index=False)  # fmt: skip
    kept, audits = read_providers(month, Wishes(), updates=[week_2], sites=sites)
    assert list(zip(kept["npi"], kept["site"], kept["address"])) == [
        (C, 0, "28 OLD"), (D, 0, "36 OLD"), (D, 1, "36 SITE, FLOOR 2"), (A, 0, "A TWO"), (A, 1, "02 SITE, FLOOR 2"),
    ]  # fmt: skip
    assert [(audit.read, audit.kept) for audit in audits] == [(4, 2), (3, 1), (3, 2)]
    assert audits[2].dropped == {nppes.NOT_KEPT: 1}
    assert adds_up(audits)


def test_files_with_other_columns_joined_are_refused(month, tmp_path):
    turned = pd.read_csv(month, dtype=str).fillna("")
    names = list(turned.columns)
    at = names.index(STREET)
    names[at], names[at + 1] = names[at + 1], names[at]
    turned[names].to_csv(tmp_path / "turned.csv", index=False, quoting=1)
    joined = tmp_path / "joined.csv"
    joined.write_bytes(month.read_bytes() + (tmp_path / "turned.csv").read_bytes())
    with pytest.raises(TerritoryError, match="another header in row 5, with “Provider Second Line"):
        read_providers(joined, Wishes())


def test_a_wrong_update_is_told_before_the_large_file_is_read(month, tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("NPI,Endpoint Type\n1,2\n")
    heard = []
    with pytest.raises(TerritoryError, match=r"weekly NPPES file \(wrong.csv\).*endpoint file"):
        read_providers(month, Wishes(), updates=[wrong], progress=lambda share, text: heard.append(text))
    assert not heard


def test_a_week_without_rows_is_no_mistake(month, tmp_path):
    empty = write(tmp_path / "npidata_pfile_20260209-20260215.csv", [])
    kept, audits = read_providers(month, Wishes(), updates=[empty])
    assert (len(kept), audits[1].read, audits[1].title) == (4, 0, f"Providers of {empty.name}")


def test_a_geocoded_month_takes_updates_that_are_not(month, week_1, tmp_path):
    frame = pd.read_csv(month, dtype=str).fillna("").assign(north="41.5", east="-73.5")
    frame.to_csv(tmp_path / "geocoded.csv", index=False, quoting=1)
    kept, _ = read_providers(tmp_path / "geocoded.csv", Wishes(), updates=[week_1], latitude="north", longitude="east")
    assert kept["longitude"].notna().tolist() == [True] * 3 + [False] * 2


@pytest.mark.parametrize("most", [newest.MOST_WATCHED, 3])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_agrees_with_a_plain_computation(tmp_path, monkeypatch, seed, most):
    """Three files with 60 NPIs, each several times, some in another state, some deactivated; most rows of one day."""
    monkeypatch.setattr(newest, "MOST_WATCHED", most)
    monkeypatch.setattr(nppes, "MOST_WATCHED", most)
    rng = np.random.default_rng(seed)
    npis = newest.with_check_digit(123_456_000 + np.arange(60)).astype(str)
    rows, number = [], itertools.count()
    for _ in range(300):
        npi, day = rng.choice(npis), rng.integers(1, 9)
        kind = rng.choice(["here", "away", "off"], p=[0.7, 0.2, 0.1])
        rows.append((npi, 20260100 + day if kind != "off" or day < 5 else 0, kind, str(next(number))))
    cut = sorted(rng.integers(0, 300, 2))
    files = []
    for at, (start, end) in enumerate(zip([0, *cut], [*cut, 300])):
        lines = [
            stub(npi, f"01/{day % 100:02d}/2026" if day else "bad")
            if kind == "off"
            else row(npi, f"01/{day % 100:02d}/2026", street=text, state="NY" if kind == "here" else "NJ")
            for npi, day, kind, text in rows[start:end]
        ]
        files.append(write(tmp_path / f"{at}.csv", lines or [row("1234567890")]))
    kept, audits = read_providers(files[0], Wishes(states=frozenset({"NY"})), updates=files[1:])
    last = {}
    for at, (npi, day, kind, text) in enumerate(rows):
        last[npi] = max(last.get(npi, (-1,)), (day, at, kind, text))
    expected = sorted((at, npi, text) for npi, (_, at, kind, text) in last.items() if kind == "here")
    assert kept_of(kept) == [(npi, text) for _, npi, text in expected]
    assert adds_up(audits)
    assert sum(audit.read for audit in audits) >= 300
