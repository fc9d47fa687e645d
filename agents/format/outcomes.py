"""Turns what a formatter wrote into the event to publish. Pure, but for the time of processing."""

import json
from collections.abc import Sequence

from sluicegate.agents.deciding.ledger_record import Stamp
from sluicegate.agents.formatting.grounding import followed, grounding_of
from sluicegate.models.formatting.formatter import Formatted
from sluicegate.models.formatting.schema import FormatSchema
from sluicegate.schemas.events import Context, FormattedAction, Position, RawAction, Tokens


def make_formatted_action(
    action: RawAction,
    formatted: Formatted,
    schema: FormatSchema,
    stamp: Stamp,
    source: Position,
    reason_codes: Sequence[str],
) -> FormattedAction:
    """The output for `action`. `source` is where the raw action is."""
    return FormattedAction(
        **stamp.fields(),
        value=json.loads(formatted.value),
        json_schema=followed(schema),
        grounding=grounding_of(formatted),
        ungrounded=list(formatted.ungrounded),
        tokens=Tokens(input=formatted.input_tokens, output=formatted.output_tokens),
        reason_codes=list(reason_codes),
        context=Context(
            user_id=action.user_id, session_id=action.session_id, locale=action.locale, surface=action.surface
        ),
        source=source,
    )
