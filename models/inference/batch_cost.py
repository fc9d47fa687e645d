"""What a batch costs the engine, so that the micro-batcher can weigh one big batch against two small ones.

CTranslate2 prefills a batch up to its shortest prompt in one pass and feeds it the rest of the longer ones token by
token, each of which is a decoding step of the whole batch (its documentation of `generate_batch`). So

    milliseconds = call + token · members · (shortest + suffix) + (step + member · members) · steps
    steps        = calls · (longest - shortest) + answer

where `suffix` is the number of tokens of the prompt that follow a query, `answer` the number of steps of an answer, and
`calls` how often the queries are read: once where one generation gives verdict and answer, else twice. What precedes a
query is computed once and kept. ``sluice calibrate`` measures the numbers of a machine.
"""

from typing import Final

import msgspec


class BatchCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All in milliseconds, except `answer`, which is in steps, `suffix`, in tokens, and `calls`, a count."""

    call: float
    token: float
    step: float
    member: float
    answer: float
    calls: int = 1
    suffix: int = 0

    def milliseconds(self, members: int, shortest: int, longest: int) -> float:
        """The cost of a batch of `members` queries of `shortest` to `longest` tokens."""
        steps = self.calls * (longest - shortest) + self.answer
        return self.call + self.token * members * (shortest + self.suffix) + (self.step + self.member * members) * steps


ENCODER_COST: Final = BatchCost(call=0.4, token=0.045, step=0.0, member=0.045, answer=0)
LARGE_COST: Final = BatchCost(call=60, token=2.3, step=46, member=4.6, answer=2)
INSTRUCTED_COST: Final = BatchCost(call=300, token=4.0, step=60, member=5.0, answer=12, calls=2)
GUARD_COST: Final = BatchCost(call=1, token=3.8, step=34, member=40, answer=0)
"""The defaults: measured with the embedded model, and with Qwen3-0.6B in int8 without and with an instruction, on two
cores. Only the proportions matter for making up batches."""
