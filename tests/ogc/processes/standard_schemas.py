"""The schemas of OGC API Processes Part 1 (OGC 18-062r2), as far as its documents are used here."""

from typing import Any

from jsonschema_rs import Draft202012Validator

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_LINK = {
    "type": "object",
    "required": ["href"],
    "properties": {"href": {**_TEXT, "format": "uri"}, "rel": _TEXT, "type": _TEXT, "title": _TEXT},
}
_LINKS = {"type": "array", "items": _LINK}
_STATUS = {"enum": ["accepted", "running", "successful", "failed", "dismissed"]}
_SUMMARY = {
    "type": "object",
    "required": ["id", "version"],
    "properties": {
        "id": _TEXT,
        "version": _TEXT,
        "title": _TEXT,
        "description": _TEXT,
        "keywords": {"type": "array", "items": _TEXT},
        "jobControlOptions": {
            "type": "array",
            "items": {"enum": ["sync-execute", "async-execute", "dismiss"]},
        },
        "outputTransmission": {"type": "array", "items": {"enum": ["value", "reference"]}},
        "links": _LINKS,
    },
}
_SCHEMA_MEMBER = {"schema": {"type": "object"}, "title": _TEXT, "description": _TEXT}
_STATUS_INFO = {
    "type": "object",
    "required": ["jobID", "status", "type"],
    "properties": {
        "processID": _TEXT,
        "type": {"enum": ["process"]},
        "jobID": _TEXT,
        "status": _STATUS,
        "message": _TEXT,
        "created": _TIME,
        "started": _TIME,
        "finished": _TIME,
        "updated": _TIME,
        "progress": {"type": "integer", "minimum": 0, "maximum": 100},
        "links": _LINKS,
    },
}
_SIMPLE = {"type": ["string", "number", "integer", "boolean", "array"]}
_QUALIFIED = {"type": "object", "required": ["value"]}

_DOCUMENTS: dict[str, dict[str, Any]] = {
    "processList": {
        "type": "object",
        "required": ["processes", "links"],
        "properties": {"processes": {"type": "array", "items": _SUMMARY}, "links": _LINKS},
    },
    "process": {
        **_SUMMARY,
        "properties": {
            **_SUMMARY["properties"],
            "inputs": {
                "additionalProperties": {
                    "type": "object",
                    "required": ["schema"],
                    "properties": {
                        **_SCHEMA_MEMBER,
                        "minOccurs": {"type": "integer"},
                        "maxOccurs": {"anyOf": [{"type": "integer"}, {"enum": ["unbounded"]}]},
                    },
                }
            },
            "outputs": {
                "additionalProperties": {
                    "type": "object",
                    "required": ["schema"],
                    "properties": _SCHEMA_MEMBER,
                }
            },
        },
    },
    "statusInfo": _STATUS_INFO,
    "jobList": {
        "type": "object",
        "required": ["jobs", "links"],
        "properties": {"jobs": {"type": "array", "items": _STATUS_INFO}, "links": _LINKS},
    },
    "results": {"type": "object", "additionalProperties": {"anyOf": [_SIMPLE, _QUALIFIED, _LINK]}},
    "exception": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "instance": _TEXT,
        },
    },
}


def assert_valid(kind: str, document: Any) -> None:
    """Fail where a document is none of this kind of the standard."""
    validator = Draft202012Validator(_DOCUMENTS[kind], validate_formats=True)
    assert [error.message for error in validator.iter_errors(document)] == []
