"""Help for parameters that mean the same in several algorithms."""

TEXTS = {
    # files and places
    "STATES": (
        "States of the practice address, by name or by their letters, with commas between them. Others are left out."
    ),
    "SPECIALTIES": (
        "Codes, beginnings of codes, or names of specialties and presets, with commas between them. A provider is kept "
        "where any of them fits."
    ),
    "ZIP_CODES": "ZIPs of the practice address, or beginnings with a star. A column of them can be pasted.",
    "ZIPS": "Polygons of the ZIPs (ZCTAs) that the territories are made of. They need a coordinate system.",
    "ZIP_FIELD": "The column of the polygons with the five digits. Lost leading zeros and ZIP+4 are repaired.",
    "LATITUDE_COLUMN": "Its name in the header of the file, which then says where providers stand. In degrees, WGS 84.",
    "LONGITUDE_COLUMN": "Its name in the header of the file. In degrees, WGS 84, negative west of Greenwich.",
    "UNPLACED": "Providers of the file that were kept, but whose ZIP has no polygon, each with the reason.",
    "AUDIT": (
        "A web page that says for each file how many rows were read, kept and left out, by reason. The numbers add up."
    ),
    "AUDIT_JSON": "The numbers of the audit page for another program, such as a check that runs each month.",
    "CROSSWALK": (
        "A table that says to which polygon (ZCTA) a ZIP without one belongs, such as a PO box: the file of UDS Mapper "
        "or HUD as it is."
    ),
    "CROSSWALK_ZIP_FIELD": "The column with the ZIPs as they are mailed to. Choose it where its name is unusual.",
    "CROSSWALK_UNIT_FIELD": "The column with the ZIP that has a polygon. Choose it where its name is unusual.",
    "CROSSWALK_RATIO_FIELD": (
        "Where a ZIP has several rows, the one with the largest number in this column counts. Choose it where its name "
        "is unusual."
    ),
    # providers
    "NPI_FIELD": "The column with the ten digits that a provider is registered under.",
    "PROVIDER_ZIP_FIELD": "ZIP+4 and lost leading zeros are repaired. Without it, points count where they lie.",
    "TAXONOMY": "The table that NUCC publishes, as it is. It lets you name specialties by their classification.",
    # units
    "UNITS": "Polygons with one row for each ZIP and a number to balance, as “Sum providers to ZIPs” writes them.",
    "UNIT_FIELD": "The column that names each polygon once. It is read as text, so leading zeros count.",
    "WORKLOAD_FIELDS": (
        "One or several columns of numbers of at least 0; an empty one counts as 0. Several are each divided by their "
        "mean and then mixed."
    ),
    "SHARES": "How much each workload field counts in the mix, in their order. They need not add up to 100.",
    "EDGES": (
        "The layer that “Build adjacency graph” writes, also after you edited it. Which units are neighbours is then "
        "as that layer says."
    ),
    "PROVIDERS_FIELD": "It is added up for each territory as information and does not change the balance.",
    "CONTIGUITY": "With a shared border only, units that meet in a single point are not neighbours.",
    "BRIDGE": "How units that water separates are joined. Without bridges each island needs a territory of its own.",
    "BRIDGE_DISTANCE": "The widest gap that is crossed, used when islands are bridged within a distance.",
    "SLIVER_TOLERANCE": (
        "Gaps and overlaps up to this width are taken for inexact drawing, not for distance. Raise it for maps whose "
        "borders do not match."
    ),
    "MAX_DISTANCE": "A point that lies in no polygon goes to the nearest one, unless that is farther than this.",
    # plans
    "TOLERANCE": "How far a territory may be from its fair share of the workload, in percent of that share.",
    "PLAN": "Runs with names are easier to compare. Empty: a usual one, such as Balanced territories.",
    "REPORT": "A web page with a map, the measures, what needs a look, and how the plan was made, to print or send.",
    "REPS": (
        "A table or points with a row for each rep; only an id is needed. Columns are found by their usual names: see "
        "the guide."
    ),
    "EFFORT": "Quick is for trying things out; thorough takes longest, for the plan that you keep.",
    "SEED": "Another number searches along another path. The same number gives the same territories.",
    "TIME_LIMIT": "The search stops then and the best plan so far is written. The log says when it was cut short.",
    "LOCK_FIELD": "Yes keeps a unit in its territory of today; an id gives it to that rep. Empty cells are free.",
    "LOCKED": (
        "ZIPs are found by their column, points by the unit they lie in. Tick “Selected features only” to lock what is "
        "selected on the map."
    ),
    "LOCKED_REP_FIELD": "The column of the locked layer with the id of the rep or the name of the territory.",
    "BORDER_FIELDS": "Each state, county or other region in these columns gets a whole number of territories.",
    "WHOLE_FIELDS": "A territory line may run through such a region, at a price. The log names the regions it divides.",
    "WHOLE_PRICE": "0 ignores the regions. Raise it when too many are divided, at the cost of longer travel.",
    "TOLERANCES": "In percent, one number for each workload field in their order, with commas between them.",
    "TRAVEL": (
        "A table from “Travel times over roads” or another routing tool. Pairs that it lacks are estimated from "
        "distance, and counted in the log."
    ),
    "MAX_TRAVEL": "It needs reps with homes. Empty is no limit. Where no rep is near enough, the log says so.",
    "OVERSIZE": "What becomes of a single ZIP with more workload than a territory should have.",
    "ASSIGNMENT": "Each ZIP polygon with its own columns and its territory: the list that goes to the reps.",
    "ZIP_TABLE": "A table of all ZIPs for your CRM, also of those without a polygon that a crosswalk brings in.",
}
