"""QGIS without widgets: layers to frames and back, output fields, styles."""
