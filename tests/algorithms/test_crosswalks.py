"""The crosswalk: the same parameters in every algorithm that takes one, and one unit for each ZIP."""

import pytest

FIELDS = {"CROSSWALK_ZIP_FIELD", "CROSSWALK_UNIT_FIELD", "CROSSWALK_RATIO_FIELD"}
TAKERS = {
    "importnppes", "importclinicians", "sumproviderstozips", "splitheavyzips", "joinaccounts", "balanceterritories",
    "rebalanceterritories",
}  # fmt: skip


def test_whoever_takes_a_crosswalk_lets_its_columns_be_named(territories_provider):
    from qgis.core import QgsProcessingModelAlgorithm

    takers = {}
    for algorithm in territories_provider.algorithms():
        definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
        if "CROSSWALK" in definitions and not isinstance(algorithm, QgsProcessingModelAlgorithm):
            takers[algorithm.name()] = definitions.keys()
            assert all(definitions[name].flags() & definitions[name].Flag.FlagAdvanced for name in FIELDS)
            assert all(definitions[name].parentLayerParameterName() == "CROSSWALK" for name in FIELDS)
    assert takers.keys() == TAKERS


def test_a_zip_in_two_units_goes_where_most_of_it_is(run, board, memory_layer):
    """
    1 1     00000 and 00001, ten providers in ZIP 00777 that lies in both
    """
    units = board("_\n" * 6 + "1 1")  # 00600 and 00601
    providers = memory_layer({"zip": ["00777"] * 10, "load": [1.0] * 10})
    table = memory_layer({"ZIP CODE": ["777", "777"], "ZCTA5": ["00600", "00601"], "RES_RATIO": ["0.97", "0.03"]})
    outcome = run("sumproviderstozips", {
        "PROVIDERS": providers, "PROVIDER_ZIP_FIELD": "zip", "ZIPS": units, "ZIP_FIELD": "zip", "CROSSWALK": table,
        "OUTPUT": "memory:",
    })  # fmt: skip
    assert [row["providers"] for row in outcome.rows()] == [10, 0]
    for word in ("“ZIP CODE”", "“ZCTA5”", "00777 goes to 00600 (0.97), not to 00601 (0.03)"):
        assert word in outcome.infos


@pytest.mark.parametrize("ratio", [None, [0.5, 0.5]])
def test_a_zip_that_nothing_decides_is_refused(refused, board, memory_layer, ratio):
    units = board("_\n" * 6 + "1 1")
    columns = {"zip": ["777", "777"], "zcta": ["00600", "00601"], **({"tot_ratio": ratio} if ratio else {})}
    message = refused("sumproviderstozips", {
        "PROVIDERS": memory_layer({"zip": ["00777"]}), "PROVIDER_ZIP_FIELD": "zip", "ZIPS": units, "ZIP_FIELD": "zip",
        "CROSSWALK": memory_layer(columns),
    })  # fmt: skip
    for word in ("00777 (00600, 00601)", "CROSSWALK_RATIO_FIELD"):
        assert word in message
