"""Healthcare Territories: balanced sales territories in QGIS."""


def classFactory(iface):  # the name QGIS calls
    """Return the plugin; QGIS calls this once when it loads the plugin."""
    from .territory_plugin.plugin import TerritoriesPlugin

    return TerritoriesPlugin(iface)
