"""What a batch costs the engine, so that the micro-batcher can weigh one big batch against two small ones.

CTranslate2 prefills a batch up to its shortest prompt in one pass and feeds it the rest of the longer ones token by
token, each of which is a decoding step of the whole batch (its documentation of `generate_batch`). So

    milliseconds = call + token · members · shortest + (step + member · members) · steps
    steps        = calls · (longest - shortest) + answer

with `answer` the steps that an answer takes and `calls` how often the queries are read: once where one generation says
verdict and answer, else twice. What a machine really needs is measured by ``sluice tune``.
"""

import msgspec


class BatchCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers, in milliseconds but for `answer`, which is in steps, and `calls`."""

    call: float
    token: float
    step: float
    member: float
    answer: float
    calls: int = 1

    def milliseconds(self, members: int, shortest: int, longest: int) -> float:
        """The cost of a batch of `members` queries of `shortest` to `longest` tokens."""
        steps = self.calls * (longest - shortest) + self.answer
        return self.call + self.token * members * shortest + (self.step + self.member * members) * steps
