"""Machine observations as Darwin Core occurrences (https://dwc.tdwg.org/terms), a CSV file for the tools of GBIF.

Only what is known is told. ``scientificName`` is empty where the label is not the name of a species, ``eventDate``
where the recorder's clock was not set, the coordinates where the recording has none; GBIF wants the first two. Nobody
has verified these identifications, and the rows say so.
"""

from __future__ import annotations

from birddask.detections.query import Columns
from birddask.formats.format import Context, literal, place
from birddask.formats.spreadsheet import Spreadsheet, guarded

_UNKNOWN_SITE = "unknown"


def _columns(context: Context) -> Columns:
    parts = f"{literal(context.model)}, recording, start_us, end_us, label"
    begin, end = "moment(start_time_us)", "moment(start_time_us + end_us - start_us)"
    return {
        # Made of what it is about: the same detection has the same identifier in the next export.
        "occurrenceID": f"'urn:sha256:' || sha256(json_array({parts})::VARCHAR)",
        "basisOfRecord": "'MachineObservation'",
        "eventDate": f"{begin} || '/' || {end}",
        "scientificName": "taxon",
        "vernacularName": guarded("CASE WHEN common_name <> label THEN common_name END"),
        "verbatimIdentification": guarded("label"),
        "identifiedBy": guarded(literal(context.title)),
        "identificationVerificationStatus": "'unverified'",
        "identificationRemarks": f"printf('probability %.4f by %s', probability, {literal(context.model)})",
        "locationID": guarded(f"nullif(site, {literal(_UNKNOWN_SITE)})"),
        "decimalLatitude": "latitude_deg",
        "decimalLongitude": "longitude_deg",
        "geodeticDatum": "CASE WHEN latitude_deg IS NOT NULL THEN 'EPSG:4326' END",
        "samplingProtocol": "'passive acoustic monitoring'",
        "associatedMedia": guarded(place(context)),
    }


FORMAT = Spreadsheet(_columns)
