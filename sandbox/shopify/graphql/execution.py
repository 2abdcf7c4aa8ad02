"""Runs one GraphQL request: validation, cost, throttling, execution, and the answer's shape."""

from __future__ import annotations

import uuid
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLFormattedError,
    ListValueNode,
    OperationDefinitionNode,
    Visitor,
    execute,
    get_operation_ast,
    parse,
    validate,
    visit,
)

from sandbox.shopify.graphql import (  # noqa: F401  (imported for the resolvers they register)
    bulk,
    customer_fields,
    customer_writes,
    discount_fields,
    discount_writes,
    line_fields,
    metafield_writes,
    order_fields,
    queries,
    refund_fields,
    shop_fields,
)
from sandbox.shopify.graphql.context import Context
from sandbox.shopify.graphql.cost import LARGEST_QUERY, Bucket, Meter
from sandbox.shopify.graphql.schema import schema

LARGEST_ARRAY = 250
Answer = dict[str, Any]


def failed(message: str, code: str, **more: Any) -> dict[str, Any]:
    """One error row with its code."""
    return {"message": message, "extensions": {"code": code, **more}}


def too_long(value: Any, path: str = "") -> str | None:
    """Find an input array with more than 250 items."""
    if isinstance(value, list):
        if len(value) > LARGEST_ARRAY:
            return path or "input"
        return next((found for item in value if (found := too_long(item, path))), None)
    if isinstance(value, dict):
        rows = value.items()
        return next(
            (found for key, item in rows if (found := too_long(item, f"{path}.{key}".strip(".")))), None
        )
    return None


class _Arrays(Visitor):
    """Looks for an array in the text of a query that is longer than an input may be."""

    found = False

    def enter_list_value(self, node: ListValueNode, *_: Any) -> None:
        self.found = self.found or len(node.values) > LARGEST_ARRAY


def written_too_long(document: DocumentNode) -> str | None:
    """The same for arrays that are written out in the query."""
    look = _Arrays()
    visit(document, look)
    return "input" if look.found else None


def _shown(error: GraphQLError, code: str | None) -> GraphQLFormattedError:
    row = error.formatted
    if code is not None and "extensions" not in row:
        row["extensions"] = {"code": code}
    return row


def run(context: Context, bucket: Bucket, request: dict[str, Any], *, throttled: bool) -> Answer:
    """Answer one request body; every problem is an HTTP 200 with `errors`, as in the real API."""
    text, variables = request.get("query"), request.get("variables") or {}
    if not isinstance(text, str) or not text.strip():
        return {"errors": [failed("No query string was present", "BAD_REQUEST")]}
    try:
        document = parse(text)
    except GraphQLError as error:
        return {"errors": [_shown(error, "syntaxError")]}
    problems = validate(schema(), document)
    if problems:
        return {"errors": [_shown(error, "undefinedField") for error in problems]}
    operation = get_operation_ast(document, request.get("operationName"))
    if operation is None:
        return {"errors": [failed("An operation name is required", "BAD_REQUEST")]}
    if not isinstance(variables, dict):
        return {"errors": [failed("Variables must be an object", "BAD_REQUEST")]}
    long = too_long(variables) or written_too_long(document)
    if long is not None:
        message = f"The input array size for {long} is greater than the maximum allowed of {LARGEST_ARRAY}."
        return {"errors": [failed(message, "MAX_INPUT_SIZE_EXCEEDED")]}
    return _paid(context, bucket, document, operation, variables, throttled=throttled)


def _paid(
    context: Context,
    bucket: Bucket,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    *,
    throttled: bool,
) -> Answer:
    meter = Meter.for_document(schema(), document, variables)
    requested = meter.requested(operation)
    if requested > LARGEST_QUERY:
        message = (
            f"Query cost is {requested}, which exceeds the single query max cost limit ({LARGEST_QUERY})."
        )
        more = {"cost": requested, "maxCost": LARGEST_QUERY}
        return {"errors": [failed(message, "MAX_COST_EXCEEDED", **more)]}
    if throttled or not bucket.take(requested):
        cost = {"requestedQueryCost": requested, "actualQueryCost": None, "throttleStatus": bucket.status()}
        return {"errors": [failed("Throttled", "THROTTLED")], "extensions": {"cost": cost}}
    result = execute(
        schema(),
        document,
        context_value=context,
        variable_values=variables,
        operation_name=operation.name.value if operation.name else None,
    )
    if not isinstance(result, ExecutionResult):
        raise TypeError("the schema must resolve without awaiting")
    answer: Answer = {}
    actual = meter.actual(operation, result.data)
    bucket.give_back(max(0, requested - actual))
    if result.errors:
        answer["errors"] = [_shown(error, _code(error)) for error in result.errors]
    if result.data is not None or not result.errors:
        answer["data"] = result.data
    cost = {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": bucket.status()}
    answer["extensions"] = {"cost": cost}
    return answer


def _code(error: GraphQLError) -> str | None:
    """Unexpected exceptions of the sandbox look like Shopify's own, and are re-raised for its developer."""
    if error.original_error is not None and not isinstance(error.original_error, GraphQLError):
        raise error.original_error
    return None if error.path else "INVALID_VARIABLE"


def request_id() -> str:
    """An id for the answer's header."""
    return str(uuid.uuid4())
