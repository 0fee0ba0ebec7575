"""An expression that names what is not there is refused, wherever one can be given: it would be NULL for everyone."""

from __future__ import annotations

import pytest
from healthcare_territories.processing import checks
from qgis.core import QgsField, QgsFields, QgsProcessingFeatureSourceDefinition, QgsProject, QgsProperty
from qgis.PyQt.QtCore import QMetaType


@pytest.fixture
def accounts(memory_layer):
    return memory_layer({"npi": ["1003000126"], "owner": ["they"], "Sales": [5.0]})


@pytest.fixture
def joined(accounts, memory_layer):
    """Return ``joined(expression)``: the parameters of a join with competitors."""
    layer = memory_layer({"npi": ["1003000126"]})
    return lambda expression: {
        "INPUT": layer, "ACCOUNTS": accounts, "MATCH_FIELD": "npi", "ACCOUNT_MATCH_FIELD": "npi",
        "COMPETITOR": expression,
    }  # fmt: skip


WRONG = {
    "\"ownr\" = 'they'": ("no field “ownr”", "do you mean “owner”"),
    "ownr = 'they'": ("no field “ownr”", "do you mean “owner”"),
    "attribute('ownr') = 'they'": ("no field “ownr”", "do you mean “owner”"),
    "attribute($currentfeature, 'ownr') = 'they'": ("no field “ownr”",),
    "\"owner\" = \"them\"": ("no field “them”", "put it in single quotes"),
    "CASE WHEN \"owner\" = 'x' THEN \"sale\" > 3 ELSE \"amount\" IS NULL END": ("“sale”", "“Sales”", "“amount”"),
    "\"typ\" IN ('a', \"tpy\")": ("“typ”", "“tpy”"), "NOT \"x1\" BETWEEN \"x2\" AND \"x3\"": ("“x1”", "“x2”", "“x3”"),
    "sum(\"sals\") > 3": ("“sals”",), "array(\"q\")[\"p\"] = 1": ("“q”", "“p”"),
    "upper(trim(\"onwer\")) = 'X'": ("“onwer”",),
    "coalesce(nosuch(1), 0)": ("nosuch",), "\"owner\" = ": ("syntax error",), "\"owner\" == 'they')": ("syntax error",),
}  # fmt: skip


def told(message):
    """Return a message as QGIS 3.40 words it: later ones call an expression that ends too early incomplete."""
    return message.replace("Incomplete expression", "syntax error")


@pytest.mark.parametrize(("expression", "words"), WRONG.items(), ids=range(len(WRONG)))
def test_competitors(refused, joined, expression, words):
    message = told(refused("joinaccounts", joined(expression)))
    assert "competitor" in message and [word for word in words if word not in message] == [], message


@pytest.mark.parametrize("expression", [
    "\"owner\" = 'they'", "\"OWNER\" = 'they'", "owner = 'they'", "attribute('owner') = 'they'", "true",
    "with_variable('k', \"owner\", @k = 'they')",
    "array_contains(array_filter(array(1, 2), @element > 1), 2)", "  ",
    "CASE WHEN \"sales\" > 3 THEN true ELSE false END", "\"owner\" LIKE '%e%' AND \"Sales\" IS NOT NULL",
])  # fmt: skip
def test_expressions_that_are_right(run, joined, expression):
    outcome = run("joinaccounts", {**joined(expression), "OUTPUT": "memory:"})
    assert outcome.rows()[0].get("competitors", 1) == 1


def test_a_field_of_another_layer_is_not_looked_for_in_this_one(run, joined, memory_layer):
    QgsProject.instance().addMapLayer(memory_layer({"beds": [7]}))
    text = "aggregate('made for a test', 'sum', \"beds\") = 7"
    outcome = run("joinaccounts", {**joined(text), "OUTPUT": "memory:"})
    QgsProject.instance().removeAllMapLayers()
    assert outcome.rows()[0]["competitors"] == 1


def test_a_workload_may_name_the_factors(run, refused, memory_layer):
    layer = memory_layer({"size": [2.0, 3.0], "size_factor": [9.0, 9.0]})
    parameters = {"INPUT": layer, "SIZE_FIELD": "size", "SIZE_SCALE": "linear"}
    for expression, expected in (
        ("specialty_weight * size_factor + value_factor", [3, 4]), ("\"size_factor_before\"", [9, 9]),
        ("coalesce(specialty_pattern, 'none') = 'none'", None),
    ):  # fmt: skip
        outcome = {**parameters, "WORKLOAD_EXPRESSION": expression, "OUTPUT": "memory:"}
        if expected:
            assert [row["workload"] for row in run("weightproviders", outcome).rows()] == expected
    message = refused("weightproviders", {**parameters, "WORKLOAD_EXPRESSION": "size_facter * sice"})
    assert "“size_facter”" in message and "“size_factor”" in message and "“sice”" in message
    assert "do you mean “size”" in message


@pytest.mark.parametrize("expression", ['"workload" > 0 AND "stat" = \'NY\'', 'nosuch("zip")', '"zip" ='])
def test_the_filter_of_a_source(refused, board, expression):
    layer = board("1 1\n1 1", state=["NY"] * 4)
    QgsProject.instance().addMapLayer(layer)
    source = QgsProcessingFeatureSourceDefinition(layer.id(), False)
    source.filterExpression = expression
    message = refused("buildadjacencygraph", {"INPUT": source, "UNIT_FIELD": "zip"})
    QgsProject.instance().removeAllMapLayers()
    assert "Units (ZIP polygons), filter: " in message
    assert "“state”" in message or "nosuch" in message or "syntax error" in told(message)


def test_every_wrong_expression_is_told_at_once(refused, accounts, joined):
    QgsProject.instance().addMapLayer(accounts)
    source = QgsProcessingFeatureSourceDefinition(accounts.id(), False)
    source.filterExpression = '"sails" > 0'
    message = refused("joinaccounts", {**joined('"ownr" = 1 OR "ownar" = 2'), "ACCOUNTS": source})
    QgsProject.instance().takeMapLayer(accounts)
    assert all(word in message for word in ("“sails”", "“ownr”", "“ownar”"))


def test_a_number_that_an_expression_computes(refused, board):
    parameters = {
        "UNITS": board("1 1\n1 1"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2,
        "TOLERANCE": QgsProperty.fromExpression("nosuch(5)"),
    }  # fmt: skip
    assert "nosuch" in refused("balanceterritories", parameters)


def test_fields_that_look_alike_are_suggested(refused, board):
    message = refused("buildadjacencygraph", {"INPUT": board("1 1", region=["a", "b"]), "UNIT_FIELD": "regoin"})
    assert "no field “regoin” (do you mean “region”?); it has zip" in message


def test_all_kinds_of_nodes_are_walked():
    fields = QgsFields()
    fields.append(QgsField("a", QMetaType.Type.Int))
    assert checks.expression_complaints("x", '-"a" + "a" * 2', fields) == []
    assert len(checks.expression_complaints("x", '-"b" + ("c" || \'d\')', fields)) == 2
