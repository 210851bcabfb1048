"""The org's refusals: one exception, and the errors that several places raise.

Facts: docs/vendors/salesforce.md#errors. The forms of the body (array, ``statusCode``) are created
with the answer, in :mod:`.rest` and :mod:`.collections_api`.
"""

from collections.abc import Mapping, Sequence

from pagerforce.errors import PagerforceError
from pagerforce.sandbox.salesforce.schema import Field


class ApiError(PagerforceError):
    """One refusal.

    Attributes:
        status: HTTP status of a plain REST answer.
        code: the ``errorCode`` word.
        message: the sentence beside it.
        fields: API names of the fields in the answer; None if the answer has no such list.
        detail: further parts of the answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        fields: Sequence[str] | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = None if fields is None else tuple(fields)
        self.detail = dict(detail or {})


def not_found(message: str = "The requested resource does not exist") -> ApiError:
    """No such resource, or one this user may not see: Salesforce does not distinguish them."""
    return ApiError("NOT_FOUND", message, status=404)


def entity_is_deleted() -> ApiError:
    """The row is in the Recycle Bin."""
    return ApiError("ENTITY_IS_DELETED", "entity is deleted", status=404)


def unknown_object(name: str) -> ApiError:
    """A query names an object that does not exist or is not readable."""
    return ApiError(
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, "
        "be sure to append the '__c' after the entity name. Please reference your WSDL or the "
        "describe call for the appropriate names.",
    )


def unknown_column(name: str, entity: str) -> ApiError:
    """A field that does not exist, or is hidden by field-level security: the answer is the same."""
    return ApiError(
        "INVALID_FIELD",
        f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom "
        "field, be sure to append the '__c' after the custom field name. Please reference your "
        "WSDL or the describe call for the appropriate names.",
    )


def validation_failed(message: str, *fields: str) -> ApiError:
    """A validation rule of the org refuses."""
    return ApiError("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, fields=fields or None)


def too_long(field: Field, given: str, limit: int) -> ApiError:
    """A text is too long; the platform repeats it (``salesforce.too-long-repeats-the-text``)."""
    return ApiError(
        "STRING_TOO_LONG",
        f"{field.label}: data value too large: {given} (max length={limit})",
        fields=[field.name],
    )


def lock_failed(row_id: str) -> ApiError:
    """Another transaction holds the row."""
    return ApiError(
        "UNABLE_TO_LOCK_ROW",
        f"unable to obtain exclusive access to this record or 1 records: {row_id}",
    )
