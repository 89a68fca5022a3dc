"""The CRS of the geometries in a request's body."""

from typing import Any

from flask import request

from samsyn_model.errors import Fault
from samsyn_provider.geography.crs import CRS84, ReferenceSystem, reference_system
from samsyn_provider.geography.crs_member import crs_member
from samsyn_provider.http.request_body import refuse


def content_crs(body: Any, supported: tuple[str, ...]) -> ReferenceSystem:
    """Return the CRS of `Content-Crs`, else of a `crs` member of the body, else CRS84.

    `supported` are the URIs of the CRSs that the collection takes. Raises InvalidParameterError
    for a header, InvalidBodyError for a member that names no such CRS; the latter where both name
    different ones.
    """
    member, faults = crs_member(body, "", supported)
    refuse(faults)
    header = request.headers.get("Content-Crs")
    if header is None:
        return member or reference_system(CRS84, "Content-Crs")
    uri = header.strip().removeprefix("<").removesuffix(">")
    crs = reference_system(uri, "Content-Crs", supported)
    if member is not None and member.uri != crs.uri:
        refuse([Fault("/crs", f"Content-Crs names another CRS: {crs.uri}.")])
    return crs
