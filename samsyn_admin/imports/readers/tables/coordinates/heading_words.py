"""Words in the headings of columns of coordinates, in the languages of European waters.

They are written in small letters without accents; `æ` is `ae`, `ø` is `o`.
"""


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


LATITUDES = words(
    """
lat latitude latitud latitudine latitudinea decimallatitude latitudedecimal latdd ddlat
declat latdec latdecimal latdeg latwgs84 wgs84lat lati gpslat gpslatitude ylat laty
breddgrad breddgrader breddegrad breddegrader breiddargrad breiddargrada breitengrad
geobreite geogrbreite geographischebreite breedtegraad geografischebreedte leveysaste
leveyspiiri laiuskraad geograafilinelaius platums geografiskaisplatums geografineplatuma
platuma szerokoscgeograficzna szergeogr szergeo zemepisnasirka zemepisnasirina
geografskasirina zemljepisnasirina szelessegifok enlem gjeresi ledveden широта πλατος
"""
)
LONGITUDES = words(
    """
lon lng long longitude longitud longitudine longitudinea decimallongitude longitudedecimal
londd longdd ddlon ddlong declon declong londec longdec londecimal londeg longdeg lonwgs84
wgs84lon longi gpslon gpslong gpslongitude xlon xlong lonx longx langdgrad langdgrader
laengdgrad lengdegrad lengdegrader laengdegrad laengdegrader lengdargrad lengdargrada
langengrad laengengrad geolange geolaenge geogrlange geogrlaenge geographischelange
geographischelaenge lengtegraad geografischelengte pituusaste pituuspiiri pikkuskraad
geograafilinepikkus garums geografiskaisgarums geografineilguma ilguma dlugoscgeograficzna
dlgeogr dlgeo zemepisnadelka zemepisnadlzka geografskaduzina geografskaduljina
zemljepisnadolzina hosszusagifok boylam gjatesi hydredh долгота довгота дължина μηκος
"""
)
AMBIGUOUS = (
    ("lange", "breite"),
    ("laenge", "breite"),
    ("langd", "bredd"),
    ("lengde", "bredde"),
    ("laengde", "bredde"),
    ("langde", "bredde"),
    ("lengd", "breidd"),
    ("lengte", "breedte"),
    ("pituus", "leveys"),
    ("pikkus", "laius"),
    ("dlugosc", "szerokosc"),
    ("delka", "sirka"),
    ("dlzka", "sirka"),
    ("duzina", "sirina"),
    ("dolzina", "sirina"),
    ("hosszusag", "szelesseg"),
)
"""Longitude and latitude in languages where the words are length and width too: taken as a pair of
one language, and only where no other columns fit."""
NORTH_EAST = (
    (
        words(
            """
e east easting eastings eastcoord est ost oest ostlig ostlich ostwert ita itakoordinaatti
este oriente oost ida austrumi rytai wschod
"""
        ),
        words(
            """
n north northing northings northcoord nord norr nordlig nordlich nordwert pohjoinen
pohjoiskoordinaatti norte noord pohi ziemeli siaure polnoc
"""
        ),
    ),
    (words("rechtswert rechts rw"), words("hochwert hoch hw")),
)
"""East and north of projected coordinates."""
WKT = words(
    """
wkt ewkt wktgeom wktgeometry geomwkt geometrywkt thegeom geom geometry geometri geometria
geometrie geometrija shape geomtext geojson wkb ewkb wkbgeom geomwkb hexwkb wkbgeometry
wkbhex hexewkb geomjson geometryjson geogeojson polygonwkt pointwkt linewkt
"""
)
QUALIFIERS = words(
    """
dd dms deg degree degrees decimal dec decimaldegrees grad grader gps koord koordinat
koordinater koordinaatti coord coords coordinate coordinates coordenada coordonnee
coordonnees koordinata koordinate koordinaat coordinata coordinaat wspolrzedna point pos
position punkt m meter metres
"""
)
DEGREES = words("d deg degree degrees grad grader graden aste astetta stopnie")
MINUTES = words("min mins minut minute minutes minuter minuten minutter minuutit minuty")
SYSTEMS: dict[str, int | None] = {
    "sweref99tm": 3006,
    "sweref991200": 3007,
    "sweref991330": 3008,
    "sweref991500": 3009,
    "sweref991630": 3010,
    "sweref991800": 3011,
    "sweref99": None,
    "sweref": None,
    "sw99tm": 3006,
    "rt90": None,
    "utm": None,
    **{f"utm{zone}": None for zone in range(28, 38)},
    **{f"utm{zone}n": None for zone in range(28, 38)},
    **{f"utmzone{zone}": None for zone in range(28, 38)},
    **{f"etrs89utm{zone}n": 25800 + zone for zone in range(28, 38)},
    **{f"etrs89utm{zone}": 25800 + zone for zone in range(28, 38)},
    **{f"euref89utm{zone}": 25800 + zone for zone in range(28, 38)},
    **{f"euref89utm{zone}n": 25800 + zone for zone in range(28, 38)},
    **{f"wgs84utm{zone}n": 32600 + zone for zone in range(28, 38)},
    "etrstm35fin": 3067,
    "etrs89tm35fin": 3067,
    "tm35fin": 3067,
    "etrs89laea": 3035,
    "laea": 3035,
    "lambert93": 2154,
    "tm": None,
    "lks92": 3059,
    "lks94": 3346,
    "lest97": 3301,
    "etrs": None,
    "etrs89": None,
    "euref89": None,
    "wgs": None,
    "wgs84": None,
    "84": None,
    "epsg": None,
    "4326": None,
    "3006": 3006,
    "3035": 3035,
    "3067": 3067,
    "3857": 3857,
    "25832": 25832,
    "25833": 25833,
    "32632": 32632,
    "32633": 32633,
}
"""Names of CRS within headings, and the EPSG code of those that are one CRS."""
