"""Help for parameters of what imports files and brings volumes and accounts to providers."""

TEXTS = {
    "importnppes": {
        "INPUT": "The monthly file as it was downloaded; the zip need not be unpacked.",
        "SITES": "Further practice addresses. Each becomes a further row of its NPI, numbered in the column site.",
        "UPDATES": "They bring new providers and new addresses. Of all rows of an NPI the newest counts.",
        "DEACTIVATED": "Providers that it lists are left out, unless they came back on that day or later.",
        "ANY_CODE": "A provider is kept where any of its up to 15 codes fits, not only the primary one.",
        "ENTITY": "Keep clinicians, organisations such as hospitals and groups, or both.",
        "ZIPS": "Each provider is put at a place of its own in the polygon of its ZIP, the same in every run.",
        "ACTIVE_ONLY": "Off keeps deactivated NPIs, too. The column active tells them apart.",
        "OUTPUT": "A row for each provider and site. Choose a GeoPackage for more than some hundred thousand.",
    },
    "importclinicians": {
        "INPUT": "The national file that CMS publishes, of any year: CSV, zip or gzip.",
        "ONCE_PER": "The file repeats clinicians for each organisation and address. This says which rows are one.",
        "ANY_SPECIALTY": "A clinician is kept where any of the specialties listed fits, not only the primary one.",
        "ZIPS": "Each clinician is put at a place of its own in the polygon of its ZIP, the same in every run.",
        "OUTPUT": "The clinicians with specialty, organisation, address and practice size, ready for weighting.",
    },
    "addclaimsvolume": {
        "INPUT": "Any layer or table with a column of NPIs, as the two imports write it.",
        "CLAIMS": (
            "Medicare's file of procedures by provider, as it was downloaded; zip and gzip need not be unpacked. A "
            "table of your own works where its columns are plain."
        ),
        "HCPCS": "Codes, ranges or beginnings with a star, with commas between them. Only these procedures count.",
        "HCPCS_TABLE": "For long lists: its codes count beside those that are typed in.",
        "PLACE": "Where the procedure was done. The columns volume_office and volume_facility keep both apart.",
        "DRUGS": (
            "Services of drugs are units, so a milligram counts like a visit. Files of 2012 and 2013 do not mark them."
        ),
        "MEASURE": (
            "What is added up. Beneficiaries count once for each procedure; beneficiary-days once for each day."
        ),
        "MISSING": "Medicare publishes no row of ten or fewer patients, so a volume that is missing need not be 0.",
        "SPECIALTY_FIELD": "Needed when a missing volume is the median of the specialty.",
        "FLOOR": "The volume of a provider without published rows, in the unit of the measure.",
        "SEVERAL_ROWS": "A provider with several sites is in several rows. Sharing keeps the sum of all rows right.",
        "OUTPUT": "The providers with their volume in all, in offices and in facilities, and what of it is assumed.",
    },
    "joinaccounts": {
        "INPUT": "What the accounts are brought to: provider points, ZIP polygons, or a table of either.",
        "ACCOUNTS": "Customers, sales, devices or a competitor's sites: one row for each, a layer or a table.",
        "JOIN_BY": "By location means inside a polygon, or the nearest provider where the first layer has points.",
        "MATCH_FIELD": "The column of the first layer to match by. Not used by location.",
        "ACCOUNT_MATCH_FIELD": "The column of the accounts to match by. Not used by location.",
        "SUM_FIELDS": (
            "Each becomes a column with the sum of its accounts; an account that matches several rows is shared among "
            "them."
        ),
        "COMPETITOR": "A condition such as \"owner\" = 'they'. Accounts that meet it are counted apart and in no sum.",
        "POTENTIAL_FIELD": (
            "What could be sold, such as workload or volume. The first sum, or the number of accounts, is shown as a "
            "percentage of it."
        ),
        "MAX_DISTANCE": "An account farther than this from every provider stays without a match.",
        "OUTPUT": "The rows of the first layer with the number of accounts, whether they are customers, and the sums.",
        "UNMATCHED": "Accounts that belong to no row, each with the reason. Look here first when sums seem low.",
    },
    "aggregatepractices": {
        "INPUT": "Clinicians with their organisation, their address or both, as the imports write them.",
        "GROUP_BY": (
            "What makes clinicians colleagues: whether an organisation at two addresses is two practices or one."
        ),
        "NPI_FIELD": "With it, a clinician with several rows counts once in a practice.",
        "ORGANISATION_FIELD": "A number, such as the one that CMS gives a group, is safer than a name.",
        "ADDRESS_FIELD": "Street and number. Ways to write it, such as Street and ST, are taken for the same.",
        "CITY_FIELD": "The practice gets the one that most of its rows have.",
        "ZIP_FIELD": "Addresses are the same only within a ZIP. ZIP+4 and lost leading zeros are repaired.",
        "SPECIALTY_FIELD": "The practice lists its specialties with the number of clinicians in each.",
        "SUM_FIELDS": "Columns of numbers that are added up for each practice; an empty cell adds nothing.",
        "NAME_FIELD": "Choose it where organisations are told apart by a number.",
        "ENTITY_FIELD": (
            "The column entity of an import. Rows of organisations are kept, but not counted as clinicians."
        ),
        "SUITES": "Off takes all clinicians of a building for one practice.",
        "OUTPUT": (
            "A row for each practice with its clinicians, specialties and sums, at the clinician nearest to its middle."
        ),
    },
}
