"""Help for parameters of what balances, rebalances and evaluates territories."""

TEXTS = {
    "balanceterritories": {
        "TERRITORIES": (
            "You get exactly this many, as many as there are reps. A reps table or a capacity stands in for it."
        ),
        "CAPACITY": (
            "What one rep can work, in the unit of the workload. The number whose average comes nearest is taken."
        ),
        "CAPACITY_MIN": (
            "In the unit of the workload, beside a capacity or a number. Empty: the tolerance alone decides."
        ),
        "CAPACITY_MAX": (
            "In the unit of the workload, beside a capacity or a number. Empty: the tolerance alone decides."
        ),
        "BOUNDARY": "Raise it where borders look ragged. 50 costs some 3 % more travel, 1000 some 8 %.",
        "ON_CANCEL": "QGIS loads nothing of a cancelled run, so the best plan is only kept in outputs that are files.",
        "BOUND_TRAVEL": "Adds to the log how far from the shortest possible travel the plan is at most. Takes longer.",
        "CURRENT_FIELD": (
            "A column of the units with the territory or rep of each. Apart from locked units, the plan is drawn "
            "afresh."
        ),
        "NAME_PREFIX": "The number follows it. Reps and territories that have names of their own keep them.",
        "OUTPUT": (
            "Polygons of the territories with workload, target, deviation, number of units and providers, compactness "
            "and, where something is outside its limits, the reason."
        ),
    },
    "rebalanceterritories": {
        "CURRENT_FIELD": "A column with the territory or rep of each unit. An empty cell is nobody's.",
        "ALIGNMENT": "Which ZIP is whose, one row for each ZIP or for a range or beginning of ZIPs.",
        "ALIGNMENT_UNIT_FIELD": "The column with the ZIPs, ranges or beginnings. Needed with a table.",
        "ALIGNMENT_TERRITORY_FIELD": (
            "The column with the territory or the rep; an empty one is nobody's. Needed with a table."
        ),
        "ALIGNMENT_DATE": (
            "Of rows that begin or end on a day, those of this day count. A table with rows that end needs it."
        ),
        "MAX_DISRUPTION": "The share that may change hands. You get the best balance within it.",
        "DISRUPTION_BY": "Whether moving much workload or moving many accounts is what should be avoided.",
        "ACCOUNTS_FIELD": "A column of the units with numbers. Needed where accounts count as disruption.",
        "ADD": "How many territories are new, for new reps. They come where they help most, with names of their own.",
        "REMOVE": "Their ZIPs go to the others. Write the names as they are today, with commas between them.",
        "FEWER": "How many more are to go, where you do not mind which. The log says which went.",
        "MERGE": "Joined by +, with semicolons between groups. Each becomes one, under the heavier one's name.",
        "SPLIT": "For a rep with too much, or a second rep. Write the names as they are today.",
        "COMPACTNESS": "A higher number moves more ZIPs for shorter travel; a lower one leaves long territories alone.",
        "BOUND_DISRUPTION": "Adds to the log a bound that no plan within the tolerance can beat. Takes some seconds.",
        "OUTPUT": (
            "Polygons of the new territories with workload, target, deviation and, where one is outside, the reason."
        ),
        "ASSIGNMENT": "Each ZIP polygon with its territory now and today, and whether it moves and why.",
        "MOVES": "Each ZIP that goes from one territory to another, with both and the workload that goes along.",
        "GAINED_LOST": "A row for each territory: what it had, gains, loses and has, in ZIPs, workload and accounts.",
        "CURVE": "How balanced the plan can be for 0 to 20 % changing hands. It takes several searches.",
    },
    "evaluateterritories": {
        "UNITS": "Polygons with a workload and the territory of each, whichever tool drew them.",
        "TERRITORY_FIELD": "The column with the territory or rep. Units where it is empty form a row of their own.",
        "TOLERANCE": "Territories that are farther than this from the average workload are flagged.",
        "OUTPUT": "Polygons of the territories with their measures and what needs a look.",
        "PROVIDERS": "A layer or table whose rows are counted in each territory, such as weighted providers.",
        "BREAKDOWN_FIELDS": "Each column gives its own rows: the providers of each of its values in each territory.",
        "BREAKDOWN_MEASURES": "Columns that are added up for each of these rows. Without any, providers are counted.",
        "BREAKDOWN": "A table with the number or sum, its share of the territory, and that share against the market's.",
    },
}
