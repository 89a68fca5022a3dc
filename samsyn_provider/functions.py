"""The functions that filters may call, as clients discover them (OGC API Features Part 3)."""

from typing import Any

from samsyn_provider.cql2.functions import FUNCTIONS


def functions_document() -> dict[str, Any]:
    """Return the functions beside those of CQL2: /req/filter/get-functions-response-json."""
    return {
        "functions": [
            {
                "name": function.name,
                "description": function.description,
                "arguments": [
                    {
                        "title": argument.title,
                        "description": argument.description,
                        "type": [argument.kind.value],
                    }
                    for argument in function.arguments
                ],
                "returns": [function.returns.value],
            }
            for function in FUNCTIONS.values()
        ]
    }
