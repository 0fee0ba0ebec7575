"""The groups of the toolbox, in the order of the work; QGIS sorts them by name, hence the numbers."""

IMPORT = "1 Import"
PREPARE = "2 Prepare"
DESIGN = "3 Design"
REVIEW = "4 Review"
