"""Countries and their states: codes, and the names that people write instead.

Country codes are those of ISO 3166-1 (249 of them); state codes those of the United States Postal Service
(Publication 28, appendix B) and of Canada Post.
"""

import unicodedata

_COUNTRY_CODES = """
    AD:AND AE:ARE AF:AFG AG:ATG AI:AIA AL:ALB AM:ARM AO:AGO AQ:ATA AR:ARG AS:ASM AT:AUT AU:AUS AW:ABW AX:ALA
    AZ:AZE BA:BIH BB:BRB BD:BGD BE:BEL BF:BFA BG:BGR BH:BHR BI:BDI BJ:BEN BL:BLM BM:BMU BN:BRN BO:BOL BQ:BES
    BR:BRA BS:BHS BT:BTN BV:BVT BW:BWA BY:BLR BZ:BLZ CA:CAN CC:CCK CD:COD CF:CAF CG:COG CH:CHE CI:CIV CK:COK
    CL:CHL CM:CMR CN:CHN CO:COL CR:CRI CU:CUB CV:CPV CW:CUW CX:CXR CY:CYP CZ:CZE DE:DEU DJ:DJI DK:DNK DM:DMA
    DO:DOM DZ:DZA EC:ECU EE:EST EG:EGY EH:ESH ER:ERI ES:ESP ET:ETH FI:FIN FJ:FJI FK:FLK FM:FSM FO:FRO FR:FRA
    GA:GAB GB:GBR GD:GRD GE:GEO GF:GUF GG:GGY GH:GHA GI:GIB GL:GRL GM:GMB GN:GIN GP:GLP GQ:GNQ GR:GRC GS:SGS
    GT:GTM GU:GUM GW:GNB GY:GUY HK:HKG HM:HMD HN:HND HR:HRV HT:HTI HU:HUN ID:IDN IE:IRL IL:ISR IM:IMN IN:IND
    IO:IOT IQ:IRQ IR:IRN IS:ISL IT:ITA JE:JEY JM:JAM JO:JOR JP:JPN KE:KEN KG:KGZ KH:KHM KI:KIR KM:COM KN:KNA
    KP:PRK KR:KOR KW:KWT KY:CYM KZ:KAZ LA:LAO LB:LBN LC:LCA LI:LIE LK:LKA LR:LBR LS:LSO LT:LTU LU:LUX LV:LVA
    LY:LBY MA:MAR MC:MCO MD:MDA ME:MNE MF:MAF MG:MDG MH:MHL MK:MKD ML:MLI MM:MMR MN:MNG MO:MAC MP:MNP MQ:MTQ
    MR:MRT MS:MSR MT:MLT MU:MUS MV:MDV MW:MWI MX:MEX MY:MYS MZ:MOZ NA:NAM NC:NCL NE:NER NF:NFK NG:NGA NI:NIC
    NL:NLD NO:NOR NP:NPL NR:NRU NU:NIU NZ:NZL OM:OMN PA:PAN PE:PER PF:PYF PG:PNG PH:PHL PK:PAK PL:POL PM:SPM
    PN:PCN PR:PRI PS:PSE PT:PRT PW:PLW PY:PRY QA:QAT RE:REU RO:ROU RS:SRB RU:RUS RW:RWA SA:SAU SB:SLB SC:SYC
    SD:SDN SE:SWE SG:SGP SH:SHN SI:SVN SJ:SJM SK:SVK SL:SLE SM:SMR SN:SEN SO:SOM SR:SUR SS:SSD ST:STP SV:SLV
    SX:SXM SY:SYR SZ:SWZ TC:TCA TD:TCD TF:ATF TG:TGO TH:THA TJ:TJK TK:TKL TL:TLS TM:TKM TN:TUN TO:TON TR:TUR
    TT:TTO TV:TUV TW:TWN TZ:TZA UA:UKR UG:UGA UM:UMI US:USA UY:URY UZ:UZB VA:VAT VC:VCT VE:VEN VG:VGB VI:VIR
    VN:VNM VU:VUT WF:WLF WS:WSM YE:YEM YT:MYT ZA:ZAF ZM:ZMB ZW:ZWE
"""
# Alpha-3 by alpha-2.
COUNTRIES = dict(pair.split(":") for pair in _COUNTRY_CODES.split())

_COUNTRY_NAMES = {
    "US": "United States; United States of America; the United States; America; U.S. of A.",
    "CA": "Canada",
    "MX": "Mexico; México",
    "GB": "United Kingdom; UK; Great Britain; Britain; England; Scotland; Wales; Northern Ireland",
    "IE": "Ireland; Republic of Ireland; Éire",
    "FR": "France",
    "DE": "Germany; Deutschland",
    "AT": "Austria; Österreich",
    "CH": "Switzerland; Schweiz; Suisse",
    "IT": "Italy; Italia",
    "ES": "Spain; España",
    "PT": "Portugal",
    "NL": "Netherlands; the Netherlands; Holland; Nederland",
    "BE": "Belgium",
    "LU": "Luxembourg",
    "DK": "Denmark; Danmark",
    "SE": "Sweden; Sverige",
    "NO": "Norway; Norge",
    "FI": "Finland; Suomi",
    "IS": "Iceland",
    "PL": "Poland; Polska",
    "CZ": "Czechia; Czech Republic",
    "SK": "Slovakia",
    "HU": "Hungary",
    "RO": "Romania",
    "BG": "Bulgaria",
    "GR": "Greece",
    "HR": "Croatia",
    "SI": "Slovenia",
    "RS": "Serbia",
    "EE": "Estonia",
    "LV": "Latvia",
    "LT": "Lithuania",
    "UA": "Ukraine",
    "RU": "Russia; Russian Federation",
    "TR": "Turkey; Türkiye",
    "CY": "Cyprus",
    "MT": "Malta",
    "IL": "Israel",
    "SA": "Saudi Arabia",
    "AE": "United Arab Emirates; UAE",
    "QA": "Qatar",
    "KW": "Kuwait",
    "EG": "Egypt",
    "MA": "Morocco",
    "ZA": "South Africa",
    "NG": "Nigeria",
    "KE": "Kenya",
    "GH": "Ghana",
    "CI": "Ivory Coast; Côte d'Ivoire",
    "IN": "India",
    "PK": "Pakistan",
    "BD": "Bangladesh",
    "LK": "Sri Lanka",
    "CN": "China; People's Republic of China",
    "HK": "Hong Kong",
    "MO": "Macau; Macao",
    "TW": "Taiwan",
    "JP": "Japan",
    "KR": "South Korea; Korea; Republic of Korea",
    "SG": "Singapore",
    "MY": "Malaysia",
    "TH": "Thailand",
    "VN": "Vietnam; Viet Nam",
    "PH": "Philippines; the Philippines",
    "ID": "Indonesia",
    "AU": "Australia",
    "NZ": "New Zealand; Aotearoa",
    "BR": "Brazil; Brasil",
    "AR": "Argentina",
    "CL": "Chile",
    "CO": "Colombia",
    "PE": "Peru; Perú",
    "EC": "Ecuador",
    "UY": "Uruguay",
    "CR": "Costa Rica",
    "PA": "Panama; Panamá",
    "GT": "Guatemala",
    "DO": "Dominican Republic",
    "JM": "Jamaica",
    "BS": "Bahamas; the Bahamas",
    "TT": "Trinidad and Tobago",
    "PR": "Puerto Rico",
    "VI": "US Virgin Islands; Virgin Islands, U.S.",
    "GU": "Guam",
    "AS": "American Samoa",
    "MP": "Northern Mariana Islands",
}

_US_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia; Washington DC", "FL": "Florida",
    "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts",
    "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana",
    "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico",
    "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma",
    "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
    "PR": "Puerto Rico", "VI": "Virgin Islands; US Virgin Islands", "GU": "Guam", "AS": "American Samoa",
    "MP": "Northern Mariana Islands",
    "AA": "Armed Forces Americas", "AE": "Armed Forces Europe", "AP": "Armed Forces Pacific",
}  # fmt: skip

_CANADIAN_PROVINCES = {
    "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick",
    "NL": "Newfoundland and Labrador", "NS": "Nova Scotia", "NT": "Northwest Territories", "NU": "Nunavut",
    "ON": "Ontario", "PE": "Prince Edward Island", "QC": "Quebec", "SK": "Saskatchewan", "YT": "Yukon",
}  # fmt: skip

# Countries to ISO, states to the Postal Service: their parcels are domestic mail, and the state is the code.
US_TERRITORIES = frozenset({"PR", "VI", "GU", "AS", "MP"})


def squash(text: str) -> str:
    """Only the letters and digits of a text, without accents and case: what is compared of names and headers."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if character.isalnum())


def _by_squashed_name(names: dict[str, str]) -> dict[str, str]:
    known = {squash(name): code for code, written in names.items() for name in written.split(";")}
    return known | {squash(code): code for code in names}


_COUNTRY_BY_NAME = (
    {squash(name): code for code, names in _COUNTRY_NAMES.items() for name in names.split(";")}
    | {alpha3.lower(): alpha2 for alpha2, alpha3 in COUNTRIES.items()}
    | {alpha2.lower(): alpha2 for alpha2 in COUNTRIES}
)
_STATE_BY_NAME = {"US": _by_squashed_name(_US_STATES), "CA": _by_squashed_name(_CANADIAN_PROVINCES)}


def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code for a country written as alpha-2, alpha-3 or a common English name; else None."""
    return _COUNTRY_BY_NAME.get(squash(text))


def state_code(country: str, text: str) -> str | None:
    """The two-letter code of a state or province of the United States (its territories and military post
    offices included) or Canada, written as code or name; None when there is none, or for another country.
    """
    return _STATE_BY_NAME.get(country, {}).get(squash(text))
