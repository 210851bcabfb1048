"""The actions of the Salesforce side as rules may write them."""

from pagerforce.model.action import (
    ActionSpec,
    Cost,
    Errand,
    FieldState,
    Param,
    ParamKind,
    TargetKind,
)
from pagerforce.model.ids import Side

SET_FIELD = ActionSpec(
    do="salesforce.set_field",
    side=Side.SALESFORCE,
    target=TargetKind.RECORD,
    params=(
        Param("field", ParamKind.NAME, required=True, doc="API name of the field to write"),
        Param("value", ParamKind.VALUE, doc='what it becomes; "" clears it'),
        Param("lookup", ParamKind.LOOKUP, doc="finds the Id for a reference field"),
    ),
    doc="Writes one field of the linked records, or of the record itself.",
    exactly_one_of=(("value", "lookup"),),
    batch_size=25,  # parts of a composite request
    is_grouped=True,
    sets=FieldState("field"),
    undone_by=frozenset({"salesforce.set_field"}),  # of the same field
    cost=Cost(calls=3),
)

CREATE_RECORD = ActionSpec(
    do="salesforce.create_record",
    side=Side.SALESFORCE,
    target=TargetKind.NEW_RECORD,
    params=(
        Param("fields", ParamKind.FIELDS, required=True, doc="field = value, or a lookup"),
        Param("object", ParamKind.NAME, doc="object to create; default: the rule's"),
    ),
    doc="Creates and links a record, once per incident and object.",
    is_open_to_doubt=True,
    cost=Cost(calls=2, calls_for_key=1),
)

ADD_COMMENT = ActionSpec(
    do="salesforce.add_comment",
    side=Side.SALESFORCE,
    target=TargetKind.RECORD,
    params=(Param("text", required=True, doc="the comment; goes on in numbered parts"),),
    doc="Adds a comment as configured in [objects.comments].",
    batch_size=200,  # records of a collection
    patience_seconds=10.0,  # nobody is woken by it
    is_open_to_doubt=True,
    cost=Cost(calls=1),
    errand=Errand.COMMENT,
)
