"""Outputs look right, in the project and in the file, and still do when somebody else opens them."""

from __future__ import annotations

import gc

import pytest
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPalLayerSettings,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRuleBasedRenderer,
    QgsSymbolLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize

BOARD = "\n".join(["3 1 2 4 1 2", "1 5 1 2 2 1", "2 1 4 1 3 2", "1 2 1 3 1 4"])


@pytest.fixture(scope="module")
def styles(qgis_app):
    from healthcare_territories.territory_plugin.gis import styles

    return styles


def balance(board, output, **more):
    return {
        "UNITS": board(BOARD), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 6,
        "TOLERANCE": 20, "EFFORT": "quick", "OUTPUT": output, **more,
    }  # fmt: skip


def colours(layer):
    """Return the fill colour of each category of a layer, by territory; None for units without one."""
    renderer = layer.renderer()
    assert isinstance(renderer, QgsCategorizedSymbolRenderer)
    assert renderer.classAttribute() == "territory"
    return {
        category.value() or None: category.symbol().symbolLayer(category.symbol().symbolLayerCount() - 1).color().name()
        for category in renderer.categories()
        if not str(category.value()).startswith("below a name")  # the line of the legend that says what the numbers are
    }


def assert_neighbours_differ(layer, colour_of):
    polygons = {feature["territory"]: feature.geometry() for feature in layer.getFeatures()}
    touching = 0
    for one, shape in polygons.items():
        for other, its in polygons.items():
            if one < other and shape.intersection(its).length() > 0:
                touching += 1
                assert colour_of[one] != colour_of[other], f"{one} and {other} look alike"
    assert touching >= len(polygons) - 1


# --- in the file


def test_a_geopackage_opens_styled(run, board, tmp_path):
    path = tmp_path / "plan.gpkg"
    units = tmp_path / "units.gpkg"
    run("balanceterritories", balance(board, str(path), ASSIGNMENT=str(units)))
    opened = QgsVectorLayer(f"{path}|layername=plan", "as somebody else opens it", "ogr")
    found = colours(opened)
    assert set(found) == {feature["territory"] for feature in opened.getFeatures()}  # and no “no territory”
    assert len(found) == 6
    assert_neighbours_differ(opened, found)
    assert opened.labelsEnabled()
    text = QgsExpression(opened.labeling().settings().fieldName)
    scope = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(opened))
    feature = next(opened.getFeatures())
    scope.setFeature(feature)
    label = text.evaluate(scope)
    assert not text.hasEvalError()
    assert label.split("\n") == [feature["territory"], str(round(feature["index"]))]
    tinted = QgsVectorLayer(f"{units}|layername=units", "", "ogr")
    assert colours(tinted).keys() == found.keys()


@pytest.mark.parametrize("suffix", [".shp", ".geojson"])
def test_other_files_have_their_style_beside_them(run, board, tmp_path, suffix):
    path = tmp_path / f"plan{suffix}"
    run("balanceterritories", balance(board, str(path)))
    assert path.with_suffix(".qml").is_file()
    opened = QgsVectorLayer(str(path), "", "ogr")
    assert len(colours(opened)) == 6
    assert_neighbours_differ(opened, colours(opened))


def test_each_table_of_a_geopackage_has_its_own_style(run, board, tmp_path):
    path = tmp_path / "all.gpkg"
    run("balanceterritories", balance(board, f"ogr:dbname='{path}' table=\"six\" (geom)"))
    run("balanceterritories", balance(board, f"ogr:dbname='{path}' table=\"three\" (geom)", TERRITORIES=3))
    for table, count in (("six", 6), ("three", 3)):
        assert len(colours(QgsVectorLayer(f"{path}|layername={table}", "", "ogr"))) == count


def test_a_second_run_into_the_same_file_has_the_new_style(run, board, tmp_path):
    path = tmp_path / "plan.gpkg"
    for count in (6, 3):
        run("balanceterritories", balance(board, str(path), TERRITORIES=count))
        assert len(colours(QgsVectorLayer(str(path), "", "ogr"))) == count


def test_headings_are_saved_with_the_style(run, board, tmp_path):
    path = tmp_path / "plan.gpkg"
    run("balanceterritories", balance(board, str(path)))
    opened = QgsVectorLayer(str(path), "", "ogr")
    heading = {field.name(): opened.attributeDisplayName(at) for at, field in enumerate(opened.fields())}
    assert heading["deviation_pct"] == "Deviation from target (%)"
    assert heading["rms_km"] != "rms_km"


# --- in the project


def test_layers_load_named_grouped_ordered_and_styled(run, attempt, board, tmp_path):
    """What QGIS does after a run from the toolbox: it asks for details and calls the post-processor, once collected."""
    project = QgsProject.instance()
    from qgis.core import QgsApplication

    algorithm = QgsApplication.processingRegistry().createAlgorithmById("territories:balanceterritories")
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setProject(project)
    context.setFeedback(feedback)
    from qgis.core import QgsProcessingOutputLayerDefinition

    parameters = balance(
        board, QgsProcessingOutputLayerDefinition("memory:", project),
        ASSIGNMENT=QgsProcessingOutputLayerDefinition(str(tmp_path / "units.gpkg"), project),
    )  # fmt: skip
    _, done = algorithm.run(parameters, context, feedback)
    assert done, feedback.textLog()
    del algorithm
    gc.collect()
    loading = context.layersToLoadOnCompletion()
    assert len(loading) == 2
    order = {}
    for uri, details in loading.items():
        layer = context.getMapLayer(uri)
        if layer is None:
            layer = QgsVectorLayer(uri, details.name, "ogr")
        assert details.groupName.startswith("Balanced territories · 20")
        assert details.postProcessor() is not None
        layer.setRenderer(None)
        details.postProcessor().postProcessLayer(layer, context, feedback)
        assert len(colours(layer)) == 6
        order[details.outputName] = details.layerSortKey
    assert order["OUTPUT"] > order["ASSIGNMENT"]  # territories above the units they are made of


def test_each_style_has_its_place_and_name(styles):
    made = [
        styles.territories({}), styles.units({}, 1.0, "workload"), styles.workload_zips(1.0), styles.providers(1.0),
        styles.edges(), styles.isolates(), styles.unmatched(),
    ]  # fmt: skip
    assert len({style.order for style in made}) == len(made)
    assert len({style.title for style in made}) == len(made)


# --- the looks


def drawn(layer, size=600):
    """Return a layer as an image; one degree is `size` pixels."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    extent = layer.extent()
    settings.setExtent(extent)
    settings.setOutputSize(QSize(round(extent.width() * size), round(extent.height() * size)))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    assert not job.errors(), [error.message for error in job.errors()]
    return job.renderedImage()


def test_units_are_the_deeper_the_more_workload(styles, memory_layer, board):
    layer = board("0 1 4 9 16 25", territory=["T1"] * 6)
    styles.units({"T1": 2}, 25.0, "workload").dress(layer)
    image = drawn(layer)
    lightness = [image.pixelColor(30 + 60 * at, 30).lightness() for at in range(6)]
    assert all(more < less for less, more in zip(lightness, lightness[1:])), lightness
    assert lightness[0] > 220
    assert lightness[-1] > 60  # labels and borders stay readable
    hues = {image.pixelColor(30 + 60 * at, 30).hue() // 12 for at in range(1, 6)}
    assert len(hues) <= 2


def test_a_field_with_an_odd_name_still_tints(styles, board):
    layer = board("0 25", column='Work "load", 2023')
    styles.workload_zips(25.0, 'Work "load", 2023').dress(layer)
    image = drawn(layer)
    assert image.pixelColor(30, 30).lightness() > image.pixelColor(90, 30).lightness() + 40


def test_no_workload_at_all_draws_plain(styles, board):
    layer = board("0 0 .")
    styles.workload_zips(0.0).dress(layer)
    image = drawn(layer)
    assert {image.pixelColor(x, 30).lightness() > 220 for x in (30, 90, 150)} == {True}


def test_edges_are_told_apart(styles, memory_layer):
    rows = [("border", True), ("point", True), ("bridge", True), ("border", False), ("bridge", False), ("border", None)]
    layer = memory_layer(
        {"kind": [kind for kind, _ in rows], "open": [is_open for _, is_open in rows]},
        [f"LINESTRING(0 {at}, 1 {at})" for at in range(len(rows))],
        kind="LineString",
    )
    styles.edges().dress(layer)
    renderer = layer.renderer()
    assert isinstance(renderer, QgsRuleBasedRenderer)
    matched = {}
    for rule in renderer.rootRule().children():
        expression = QgsExpression(rule.filterExpression())
        assert not expression.hasParserError(), expression.parserErrorString()
        scope = QgsExpressionContext()
        for row, feature in enumerate(layer.getFeatures()):
            scope.setFeature(feature)
            if expression.evaluate(scope):
                matched.setdefault(row, []).append(rule.label())
    assert [matched[row] for row in range(len(rows))] == [
        ["Shared border"], ["Corner contact"], ["Bridge"], ["Closed"], ["Closed"], ["Shared border"],
    ]  # fmt: skip
    looks = {
        (
            rule.symbol().color().name(),
            rule.symbol().width(),
            rule.symbol().symbolLayer(0).penStyle(),
        )
        for rule in renderer.rootRule().children()
    }
    assert len(looks) == 4


def test_providers_are_circles_whose_area_is_the_workload(styles, memory_layer):
    layer = memory_layer({"workload": [0.0, 25.0, 100.0, None]}, [f"POINT({x} 0)" for x in range(4)], kind="Point")
    styles.providers(100.0).dress(layer)
    size = layer.renderer().symbol().symbolLayer(0).dataDefinedProperties().property(QgsSymbolLayer.Property.Size)
    sizes = []
    for feature in layer.getFeatures():
        scope = QgsExpressionContext()
        scope.setFeature(feature)
        scope.setFields(layer.fields())
        value, fine = size.valueAsDouble(scope, -1.0)
        assert fine
        sizes.append(value)
    none, quarter, most, missing = sizes
    assert none == missing > 0
    assert quarter - none == pytest.approx((most - none) / 2)


def labels_of(layer):
    """Return the label of the rule that draws each feature, by the text of its first field."""
    found = {}
    for feature in layer.getFeatures():
        scope = QgsExpressionContext()
        scope.setFields(layer.fields())
        scope.setFeature(feature)
        rules = layer.renderer().rootRule().children()
        found[feature[0]] = [rule.label() for rule in rules if QgsExpression(rule.filterExpression()).evaluate(scope)]
    return found


def test_assumed_volume_is_told_from_published_volume(styles, memory_layer):
    columns = {"npi": list("pan"), "volume": [9.0, 4.0, None], "volume_assumed": [False, True, False]}
    layer = memory_layer(columns, ["POINT(0 0)"] * 3, kind="Point")
    styles.with_volume(9.0).dress(layer)
    assert labels_of(layer) == {"p": ["Published volume"], "a": ["Assumed volume"], "n": ["No published volume"]}


@pytest.mark.parametrize(("kind", "shape"), [("Point", "POINT(0 0)"), ("Polygon", "POLYGON((0 0,1 0,1 1,0 0))")])
@pytest.mark.parametrize("rivals", [False, True])
def test_customers_are_told_from_those_whom_only_a_competitor_has(styles, memory_layer, kind, shape, rivals):
    columns = {"npi": list("crbn"), "is_customer": [True, False, True, False]}
    if rivals:
        columns["has_competitor"] = [False, True, True, False]
    layer = memory_layer(columns, [shape] * 4, kind=kind)
    styles.accounts().dress(layer)
    rival = ["Competitor only"] if rivals else ["No account"]
    assert labels_of(layer) == {"c": ["Customer"], "r": rival, "b": ["Customer"], "n": ["No account"]}
    assert len(layer.renderer().rootRule().children()) == 2 + rivals


@pytest.mark.parametrize("made", ["providers", "unmatched"])
def test_tables_have_nothing_to_style_and_no_error(styles, memory_layer, made):
    layer = memory_layer({"workload": [1.0]})
    (styles.providers(1.0) if made == "providers" else styles.unmatched()).dress(layer)


def test_more_territories_than_colours_and_names_that_are_numbers(styles, board):
    layer = board("1 1", territory=["7", None])
    styles.territories({str(at): at for at in range(20)}, some_without=True).dress(layer)
    found = colours(layer)
    assert len(found) == 21
    assert found["0"] == found["8"]


# --- the legend, and what changes hands


def swatch(symbol, size=24):
    """Return the middle of a symbol's swatch on a dark page."""
    from qgis.core import QgsSymbolLayerUtils
    from qgis.PyQt.QtGui import QColor, QPainter, QPixmap

    page = QPixmap(size, size)
    page.fill(QColor("#202020"))
    painter = QPainter(page)
    painter.drawPixmap(0, 0, QgsSymbolLayerUtils.symbolPreviewPixmap(symbol, QSize(size, size)))
    painter.end()
    return page.toImage().pixelColor(size // 2, size // 2)


def test_a_swatch_on_a_dark_page_has_the_colour_that_the_map_has_on_white(styles, board):
    layer = board("1 1", territory=["T1", "T2"])
    styles.territories({"T1": 0, "T2": 2}).dress(layer)
    layer.setLabelsEnabled(False)
    image = drawn(layer)
    for at, name in enumerate(("T1", "T2")):
        (category,) = [each for each in layer.renderer().categories() if each.value() == name]
        shown, on_map = swatch(category.symbol()), image.pixelColor(30 + 60 * at, 30)
        for part in ("red", "green", "blue"):
            assert getattr(shown, part)() == pytest.approx(getattr(on_map, part)(), abs=2)


def test_the_white_of_a_swatch_hides_nothing_on_the_map(styles, board):
    """The map is drawn on nothing: what lies below shows through."""
    from qgis.PyQt.QtGui import QColor

    layer = board("1 1", territory=["T1", "T1"])
    styles.territories({"T1": 0}).dress(layer)
    layer.setLabelsEnabled(False)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(60, 30))
    settings.setBackgroundColor(QColor(0, 0, 0, 0))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    assert job.renderedImage().pixelColor(15, 15).alphaF() == pytest.approx(0.55, abs=0.02)


def legend(layer):
    return [category.label() for category in layer.renderer().categories()]


def test_the_legend_says_what_the_number_is_and_no_territory_only_where_there_is_some(styles, board):
    layer = board("1 1", territory=["T1", None])
    styles.territories({"T1": 0}).dress(layer)
    assert legend(layer) == ["below a name: workload index, average = 100", "T1"]
    styles.territories({"T1": 0}, some_without=True).dress(layer)
    assert legend(layer) == ["below a name: workload index, average = 100", "T1", "no territory"]


def test_what_changes_hands_is_labelled_once_for_each_pair_and_by_unit_only_from_near(styles, memory_layer):
    units = ["1", "2", "3", "4's"]
    layer = memory_layer(
        {"unit": units, "to_territory": ["B", "B", "B", "A"]},
        [f"POLYGON(({at} 0, {at + 1} 0, {at + 1} 1, {at} 1, {at} 0))" for at in range(4)],
    )
    pairs = {"2": ("A → B\n3 ZIPs", 30.0), "4's": ("B → A\n1 ZIP", 10.0)}
    styles.moves({"A": 0, "B": 1}, {"A": "to A", "B": "to B"}, pairs, 500_000).dress(layer)
    pair, unit = layer.labeling().rootRule().children()
    assert (pair.minimumScale(), unit.minimumScale()) == (0, 500_000)
    said, ids, ranks = [], [], []
    for feature in layer.getFeatures():
        scope = QgsExpressionContext()
        scope.setFields(layer.fields())
        scope.setFeature(feature)
        said.append(QgsExpression(pair.settings().fieldName).evaluate(scope))
        ids.append(bool(QgsExpression(unit.filterExpression()).evaluate(scope)))
        rank = pair.settings().dataDefinedProperties().property(QgsPalLayerSettings.Property.Priority)
        ranks.append(rank.valueAsDouble(scope, -1)[0])
    assert [text or None for text in said] == [None, "A → B\n3 ZIPs", None, "B → A\n1 ZIP"]
    assert ids == [True, False, True, False]
    assert ranks[1] > ranks[3] > 5  # above those of the territories


def test_ids_stand_where_units_are_wide_enough(styles):
    """A tenth of a degree is 8.5 km at 40° north: 15 mm at 1 : 570,000."""
    import shapely

    boxes = [shapely.box(at / 10, 40, (at + 1) / 10, 40.1) for at in range(5)]
    assert styles.legible_scale(boxes) == pytest.approx(568_000, rel=0.01)
