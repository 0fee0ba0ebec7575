"""Specialties: our table is sound, and agrees with NUCC's and CMS's where it says so."""

import csv

import pytest
from healthcare_territories.territory_plugin.engine import taxonomy
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.taxonomy import CodeFilter
from healthcare_territories.territory_plugin.engine.workload import specialty_weights


def test_the_table_is_sound():
    assert taxonomy.check_table() == []
    assert 60 <= len(taxonomy.SPECIALTIES) <= 80


@pytest.mark.parametrize(
    ("wishes", "wanted", "unwanted"),
    [
        ([], ["207X00000X", None], []),
        (["207X"], ["207X00000X", "207XS0114X"], ["207R00000X", None, ""]),
        (["207X*"], ["207X00000X"], ["208X00000X"]),
        (["207XS0114X"], ["207XS0114X"], ["207X00000X"]),
        (["internal medicine"], ["207R00000X", "207RB0002X"], ["207RC0000X", "207RG0100X"]),
        (["207R"], ["207R00000X", "207RC0000X"], ["207X00000X"]),
        (["Cardiology"], ["207RC0000X", "207RI0011X", "207RC0001X"], ["207R00000X"]),
        (["Orthopedics"], ["207X00000X", "207XS0106X", "2086S0105X"], ["208600000X"]),
        (["OB/GYN", "225100000X"], ["207V00000X", "367A00000X", "225100000X"], ["2251X0800X"]),
        (["Obstetrics & Gynecology"], ["207V00000X"], ["207X00000X"]),
    ],
)
def test_codes_that_wishes_mean(wishes, wanted, unwanted):
    fits = CodeFilter(wishes)
    assert [code for code in wanted if not fits(code)] == []
    assert [code for code in unwanted if fits(code)] == []


def test_classifications_of_a_table_of_the_users():
    fits = CodeFilter(["Massage Therapist"], {"225700000X": ("Massage Therapist", "", "Massage Therapist")})
    assert fits("225700000X")
    assert not fits("225100000X")


def test_a_wish_that_is_none_is_told_with_what_reads_alike():
    with pytest.raises(TerritoryError, match=r"Cardiolgy.*Did you mean Cardiology"):
        CodeFilter(["Cardiolgy"])


def test_presets_in_the_weights_table_mean_what_the_filter_means():
    codes = [code for s in taxonomy.SPECIALTIES for p in s.patterns for code in (p, p.ljust(10, "0"))]
    for name in taxonomy.PRESETS:
        patterns, weights = taxonomy.expand_presets([name], [3.0])
        found = specialty_weights(codes, patterns, weights, taxonomy.codes_and_names(codes, None, patterns)[1])
        assert ((found["weight"] == 3).to_numpy() == [CodeFilter([name])(code) for code in codes]).all(), name


def test_a_weights_table_reads_codes_labels_and_names_of_cms_alike():
    given = ["207XS0114X", "ORTHOPEDIC SURGERY", "Orthopaedic surgery", "207RC0000X", "CARDIOLOGY", "Massage", None]
    patterns, weights = taxonomy.expand_presets(["207X", "Cardiology", "massage", "*"], [5, 3, 2, 1])
    codes, names = taxonomy.codes_and_names(given, None, patterns)
    assert specialty_weights(codes, patterns, weights, names)["weight"].tolist() == [5, 5, 5, 3, 3, 2, 1]


def test_a_preset_row_by_row_is_the_preset_and_a_row_less_is_less():
    # a specialty called like its preset would bring back what somebody took out of the table
    codes = ["207RC0000X", "207RI0011X", "207RC0001X", "207X00000X", "207XS0106X"]
    for preset in ("Cardiology", "Orthopaedics"):
        labels = taxonomy.PRESETS[preset]
        assert taxonomy.expand_presets(labels, [1.0] * len(labels))[0] == list(labels)
        left = list(labels[:1])
        patterns, weights = taxonomy.expand_presets(left, [1.0])
        found = specialty_weights(codes, patterns, weights, taxonomy.codes_and_names(codes, None, patterns)[1])
        assert found["pattern"].notna().sum() == 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("OBSTETRICS/GYNECOLOGY", "Obstetrics and gynaecology"),
        ("OBSTETRICS GYNECOLOGY", "Obstetrics and gynaecology"),
        ("Obstetrics & Gynecology", "Obstetrics and gynaecology"),
        ("CARDIOVASCULAR DISEASE (CARDIOLOGY)", "General cardiology"),
        ("Orthopedic Surgery", "Orthopaedic surgery"),
        ("CRNA", "Nurse anaesthesia"),
        ("Hematology/Oncology", "Haematology and oncology"),
    ],
)
def test_names_of_cms(name, label):
    assert taxonomy.from_cms(name).label == label


def test_our_codes_are_codes_of_nucc(shared_data):
    with open(shared_data / "nucc" / "nucc_taxonomy_220.csv", encoding="latin-1", newline="") as file:
        known = {row["Code"] for row in csv.DictReader(file)}
    patterns = [pattern for specialty in taxonomy.SPECIALTIES for pattern in specialty.patterns]
    assert [pattern for pattern in patterns if not any(code.startswith(pattern) for code in known)] == []


def test_names_of_cms_agree_with_its_own_crosswalk(shared_data):
    """Of the names that are in both tables, the code we give is one that CMS lists for the name."""
    path = next((shared_data / "nucc").glob("CROSSWALK*.csv"))
    listed = {}
    with open(path, encoding="latin-1", newline="") as file:
        for row in list(csv.reader(file))[1:]:
            listed.setdefault(taxonomy.cms_key(row[1].partition("/")[2] or row[1]), set()).add(row[2].strip())
    both, wrong = 0, []
    for name, codes in listed.items():
        specialty = taxonomy.from_cms(name)
        if specialty and codes - {""}:
            both += 1
            if not any(taxonomy.specialty_of(code) is specialty for code in codes):
                wrong.append(name)
    assert both > 45
    assert wrong == ["GERIATRIC PSYCHIATRY"]  # CMS gives it a code of family medicine


def test_most_names_in_real_files_are_known(shared_data):
    import pandas as pd

    folder = shared_data / "providers"
    clinicians = pd.read_csv(folder / "dac_sample_10k.csv.gz", dtype=str)["pri_spec"].dropna()
    claims = pd.read_csv(folder / "cms_partb_puf2012_npi_hcpcs_pos.csv.gz", dtype=str)["provider_type"]
    for names, least in ((clinicians, 0.97), (claims, 0.94)):
        assert names.map(lambda name: taxonomy.from_cms(name) is not None).mean() > least
