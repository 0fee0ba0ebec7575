"""The plugin's rooms: `engine` computes, `gis` speaks QGIS, `plugin` registers."""
