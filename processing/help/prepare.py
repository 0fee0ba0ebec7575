"""Help for parameters of what prepares: workload, ZIPs, neighbours, travel."""

TEXTS = {
    "weightproviders": {
        "INPUT": "One row for each provider or practice: a layer or a table.",
        "SPECIALTY_FIELD": "The provider's taxonomy code, or the name of the specialty, that is weighted.",
        "SPECIALTY_PRESET": "A start for a common market. Weights from the table and typed ones win over it.",
        "SPECIALTY_MATRIX": (
            "Rows of a pattern (code, beginning of a code, name, or a star for all others) and its weight. The most "
            "specific pattern that fits counts."
        ),
        "SPECIALTY_WEIGHTS": (
            "What a provider of each specialty counts; the longest pattern that fits a code wins. Without any "
            "weights all count 1."
        ),
        "UNMATCHED": "What a provider counts whose specialty is in none of the weights. The log lists them.",
        "SIZE_FIELD": "The number of clinicians who practise together. Without it, size does not count.",
        "SIZE_SCALE": (
            "Linear makes a practice of nine count nine times a single clinician, the square root three times. Bands "
            "are in the advanced parameters."
        ),
        "VALUE_FIELDS": "Procedures, claims or revenue: what is above the mean counts for more.",
        "VALUE_SHARES": "How much each of several value fields counts, in their order. They need not add up to 100.",
        "WORKLOAD_IS": "Hours come from the call plan: calls per year and minutes per call of the provider's segment.",
        "WORKLOAD_EXPRESSION": "It is computed for each provider and replaces the product of the factors.",
        "CLASSIFICATION_FIELD": "A column with the name that NUCC gives a code, for patterns that are such names.",
        "DEFAULT_WEIGHT": "The weight of specialties that no pattern fits, where they count with it.",
        "SIZE_CAP": "Larger practices count like this many clinicians. Empty: all of them count.",
        "SIZE_BANDS": (
            "Rows of a number of clinicians and the factor that counts from there on, used when size counts in bands."
        ),
        "MISSING_SIZE": (
            "How an empty cell in the column of the practice size is read. The log says how many there are."
        ),
        "MISSING_VALUE": "How an empty cell in a value field is read. The log says how many there are.",
        "VALUE_SCALE": "The mean keeps proportions; rank makes one very large provider count less.",
        "VALUE_CAP": "From 0 to 100: with 95, the largest twentieth all count alike. Empty: nothing is cut off.",
        "SEGMENT_FIELD": "A column with the names used in the call plan, such as A, B and C. Only for hours of calls.",
        "SEGMENT_SHARES": "In percent, when segments follow the product of the factors. Only for hours of calls.",
        "CALL_PLAN": "Rows of a segment, its calls per year and the minutes of one call. Only for hours of calls.",
        "NAME_FIELD": "The page lists the ten heaviest by it. Empty: by the number of the row.",
        "OUTPUT": "The providers with their workload and each factor that it is made of, as columns.",
        "SUMMARY": "A web page that shows whether a few providers hold most of the workload.",
    },
    "sumproviderstozips": {
        "PROVIDERS": "Weighted providers or practices: points, or a table with a column of ZIPs.",
        "WORKLOAD_FIELDS": (
            "Columns of numbers that are added up for each ZIP, such as workload; an empty cell adds nothing."
        ),
        "OUTPUT": "All ZIP polygons with the number of their providers and the sums, also those without any.",
        "UNMATCHED": (
            "Providers that belong to no polygon, with the reason. Their workload is in no territory; with those "
            "placed it adds up to all."
        ),
    },
    "splitheavyzips": {
        "ZIPS": "The polygons that “Sum providers to ZIPs” writes, or any with a number to balance.",
        "WORKLOAD_FIELD": "The column of numbers that decides which ZIPs are too heavy, and is divided with them.",
        "PROVIDERS": "Points. The pieces are drawn around their places.",
        "PROVIDER_WORKLOAD_FIELD": "It decides how much of a ZIP's workload each of its pieces gets.",
        "TERRITORIES": "How many you will balance into, which gives the target. Not needed with a limit of your own.",
        "SHARE": "A smaller share makes more pieces and a finer balance.",
        "LIMIT": "In the unit of the workload. Heavier ZIPs are divided until no piece holds more.",
        "SHARED_FIELDS": (
            "Numbers to divide like the workload. Columns that you do not name are repeated in every piece."
        ),
        "OUTPUT": "Take it in place of the ZIPs from here on. Pieces are named 10001-1, 10001-2 and so on.",
        "PROVIDERS_OUTPUT": "The providers with the column zip_piece, to be given as their ZIP when you sum again.",
    },
    "buildadjacencygraph": {
        "INPUT": "Polygons with one row for each ZIP, in any coordinate system that is known.",
        "BARRIERS": "Rivers, ridges or motorways that nobody crosses. Contacts across them are closed, not removed.",
        "OUTPUT": (
            "A line for each pair of neighbours, with shared border and distance, and the bridges to islands. The next "
            "steps cross no line whose column open is no."
        ),
        "ISOLATES": "Units that touch no other and are not bridged either.",
    },
    "traveltimes": {
        "ROADS": "Lines that share a vertex where they meet. A bridge without one does not join the road below.",
        "UNITS": "The places to reach: the centres of polygons, or points.",
        "ORIGINS": "Points, or polygons whose centres count. Without them, each unit is an origin, too.",
        "ORIGIN_FIELD": "The column that names each origin once; give it the ids of the reps table.",
        "MAX_MINUTES": "Pairs farther apart than this are not in the table. A lower number is quicker and smaller.",
        "SPEED_FIELD": "A column of numbers, or of texts such as 30 mph, in which no unit means the one chosen.",
        "DEFAULT_SPEED": "For roads without one, and for the straight way from a place to the nearest road.",
        "SPEED_UNIT": "The unit of the default speed, and of numbers in the column of speeds.",
        "DIRECTION_FIELD": (
            "A column that marks one-way streets by the values below. Without it, all roads go both ways."
        ),
        "VALUE_FORWARD": "What the column holds for streets that are open from the first vertex to the last only.",
        "VALUE_BACKWARD": "What the column holds for streets that are open from the last vertex to the first only.",
        "VALUE_BOTH": "What the column holds for streets that are open both ways.",
        "DEFAULT_DIRECTION": "For roads whose column is empty or holds another value.",
        "MAX_ACCESS": "Places farther away count as not reached. A straight line joins the others to the road.",
        "TOPOLOGY_TOLERANCE": "In the unit of the road layer. Raise it where roads that should meet end just apart.",
        "OUTPUT": "A table of origin, destination, minutes and kilometres, which balancing takes as travel times.",
        "UNREACHED": "Origins and units that no road leads to, with the reason.",
    },
}
