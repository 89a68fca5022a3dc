"""`/api/v1/layers/{id}/features/bulk`: many features at once, all or none."""

import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from time import monotonic
from typing import Any, TextIO

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection

from samsyn_admin.imports.readers.geojson.geometry import parse_geometries
from samsyn_admin.imports.readers.geojson.text import GeoJSONText
from samsyn_admin.imports.sources.layer import BATCH_FEATURES
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import (
    Fault,
    MalformedBodyError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.writing import feature_faults
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.validation import MAX_FAULTS, text_faults
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.geography.crs import CRS84, ReferenceSystem, reference_system
from samsyn_provider.geography.crs_member import crs_member
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires, spend
from samsyn_provider.http.problems import problem
from samsyn_provider.http.request_body import refuse
from samsyn_provider.items.feature_body import as_stored
from samsyn_provider.query.parameters import parse_boolean, single_values
from samsyn_provider.rates.rate_limits import Rate

MAX_IDS = 10_000
"""The maximum number of new feature ids in a response."""
MAX_FEATURE = 64 * 1024**2
"""The maximum length of one feature as JSON in characters."""
MEDIA_TYPES = (
    *("application/geo+json", "application/json"),
    *("application/geo+json-seq", "application/json-seq", "application/x-ndjson"),
)

bp = Blueprint("bulk_import", __name__, url_prefix="/api/v1/layers")

_LAST_ID = "SELECT last_value FROM layer_features_id_seq"

# The ids of one COPY follow its order; other transactions may have ids in between.
_NEW_IDS = """
SELECT id FROM layer_features
WHERE layer_id = %(layer)s AND id >= %(last_id)s AND xmin = pg_current_xact_id()::xid
ORDER BY id LIMIT %(limit)s"""


@bp.post("/<layer_id>/features/bulk")
@requires(Action.WRITE_FEATURES)
def import_features(layer_id: str) -> Response | tuple[Response, HTTPStatus]:
    """Add the features of a GeoJSON collection or text sequence; `dry_run=true` only checks."""
    values = single_values(request.args, {"dry_run"})
    dry_run = parse_boolean("dry_run", values.get("dry_run", "false"))
    spend(Rate.UPLOADS)
    engine = deployment().engine
    with reading(engine) as connection:  # before the body is read
        collection = find_collection(connection, principal(), layer_id, Action.WRITE_FEATURES)
    with _received_body() as body:
        settings = deployment().settings
        timeout = settings.bulk_timeout
        features = _CheckedFeatures(
            collection, body, monotonic() + timeout, settings.max_bulk_features
        )
        if dry_run:
            count = sum(len(batch.properties) for batch in features.batches())
            return features.problem_response() or jsonify(success=True, valid_count=count)
        try:
            with writing(engine, via="import") as connection:
                set_in_transaction(
                    connection, lock_timeout=LOCK_TIMEOUT, statement_timeout=f"{timeout}s"
                )
                count, ids = _copy(connection, layer_id, features)
        except _RefusedError:
            return features.problem_response() or problem(HTTPStatus.UNPROCESSABLE_ENTITY, "")
    return jsonify(success=True, created_count=count, feature_ids=ids), HTTPStatus.CREATED


class _FeatureError(Exception):
    """A feature of a batch has an invalid geometry."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = f"{reason}."


class _RefusedError(Exception):
    """Some features have faults: the transaction has to be rolled back."""


def _copy(
    connection: Connection, layer_id: str, features: "_CheckedFeatures"
) -> tuple[int, list[int]]:
    from samsyn_model.features.bulk_copy import copy_features  # noqa: PLC0415 - loads Arrow, 44 MB

    last_id = run(connection, _LAST_ID).scalar_one()
    features.collection = collection = find_collection(
        connection, principal(), layer_id, Action.WRITE_FEATURES, lock="KEY SHARE"
    )
    user_id = require_user(principal())
    copied = copy_features(
        connection,
        collection.id,
        features.batches(),
        created_by=user_id,
        checks_validity=False,  # which takes quadratic time, and is not in the response
    )
    if features.error_count:
        raise _RefusedError
    values = {"layer": collection.id, "last_id": last_id, "limit": MAX_IDS}
    ids = list(run(connection, _NEW_IDS, values).scalars())
    settings = deployment().settings
    refuse_excess_features(connection, settings, collection.id, of_account=True)
    return copied.feature_count, ids


@contextmanager
def _received_body() -> Iterator[TextIO]:
    """Yield the complete body: a slow client holds no transaction open."""
    if request.mimetype not in MEDIA_TYPES:
        raise UnsupportedMediaTypeError(f"Send this as {' or '.join(MEDIA_TYPES)}.")
    maximum = deployment().settings.max_bulk_size
    request.max_content_length = maximum
    if (request.content_length or 0) > maximum:
        raise TooLargeError(f"The body has more than {maximum:,} bytes.")
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(request.stream, file, 1024 * 1024)
        file.seek(0)
        yield io.TextIOWrapper(file, encoding="utf-8-sig")


@dataclass(slots=True)
class _CheckedFeatures:
    """Features of a body, checked one by one; all faults are counted, the first recorded."""

    collection: Collection
    body: TextIO
    deadline: float
    """When `monotonic` must not have been passed by the last of the features."""
    maximum: int
    """How many there may be."""
    error_count: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def batches(self) -> Iterator[FeatureBatch]:
        """Yield batches until the first fault, then only check the remaining features.

        Raises TooLargeError at the deadline, and for more than the maximum.
        """
        text = GeoJSONText(lambda: self.body, "The body", max_length=MAX_FEATURE)
        features = text.features()
        schema = self.collection.property_schema
        schema_text = None if schema is None else json.dumps(schema)
        first = 1
        while chunk := list(islice(features, BATCH_FEATURES)):
            if monotonic() > self.deadline:
                raise TooLargeError(
                    "The import takes longer than the server's limit (BULK_TIMEOUT): send the"
                    " features in several requests."
                )
            if first - 1 + len(chunk) > self.maximum:
                raise TooLargeError(
                    f"A bulk import has up to {self.maximum:,} features: send them in several."
                )
            crs = self._crs(text.crs_member)
            try:
                chunk = [
                    self._as_stored(first - 1 + index, feature, crs, schema_text)
                    for index, feature in enumerate(chunk)
                ]
            except RecursionError as error:
                raise MalformedBodyError("The body is nested too deeply.") from error
            with validation_deadline():
                properties = [
                    self._properties(first - 1 + index, feature, schema_text)
                    for index, feature in enumerate(chunk)
                ]
            if not self.error_count:
                try:
                    yield _batch(chunk, properties, first)
                except _FeatureError as error:
                    self._record(first - 1 + error.index, Fault("/geometry", error.reason))
            first += len(chunk)
        self._crs(text.crs_member)

    def problem_response(self) -> Response | None:
        """Return the response to a body with faults, None when there are none."""
        if not self.error_count:
            return None
        features = "1 fault" if self.error_count == 1 else f"{self.error_count:,} faults"
        response = problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"Nothing was imported: {features} in the features, the first in number"
            f" {self.errors[0]['index']} (counted from 0): {self.errors[0]['detail']}",
        )
        document = {**json.loads(response.get_data()), "errors": self.errors}
        response.set_data(json.dumps({**document, "error_count": self.error_count}))
        return response

    def _crs(self, member: dict[str, Any]) -> ReferenceSystem | None:
        """Return the CRS of the body's `crs` member; raises InvalidBodyError for another one."""
        crs, faults = crs_member(member, "", self.collection.crs)
        refuse(faults)
        return crs

    def _as_stored(
        self, index: int, feature: Any, crs: ReferenceSystem | None, schema: str | None
    ) -> Any:
        """Return a feature as it is to be stored; its geometry is null in an unknown CRS."""
        own, faults = crs_member(feature, "", self.collection.crs)
        if own and crs and own != crs:
            faults = [Fault("/crs", "This names another CRS than the body.")]
        for fault in faults:
            self._record(index, fault)
        if faults:
            feature = {**feature, "geometry": None}
        return as_stored(feature, own or crs or reference_system(CRS84, "crs"), schema)

    def _properties(self, index: int, feature: Any, schema: str | None) -> str:
        """Return a feature's properties as JSON text; empty where it has faults."""
        text, unstorable = "", []
        faults = list(feature_faults(feature, "", self.collection.geometry_type, schema))
        if not faults:
            try:
                text = json.dumps(
                    feature.get("properties") or {}, ensure_ascii=False, allow_nan=False
                )
                text.encode()
            except ValueError:
                unstorable = [
                    Fault("/properties", "A number is too large, or a text is not valid Unicode.")
                ]
            if "\\u0000" in text:
                unstorable = text_faults(feature.get("properties"), "/properties")
        for fault in (*faults, *unstorable):
            self._record(index, fault)
        return text

    def _record(self, index: int, fault: Fault) -> None:
        self.error_count += 1
        if len(self.errors) < MAX_FAULTS:
            self.errors.append({"index": index, "pointer": fault.pointer, "detail": fault.detail})


def _batch(chunk: list[dict[str, Any]], properties: list[str], first: int) -> FeatureBatch:
    values = [feature.get("geometry") for feature in chunk]
    parsed = parse_geometries(values)
    for index, reason in parsed.reasons.items():
        raise _FeatureError(index, reason)
    return FeatureBatch(parsed.geometries, properties, first)
