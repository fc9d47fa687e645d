"""What a batch costs the engine, so that the micro-batcher can weigh one big batch against two small ones.

CTranslate2 prefills a batch up to its shortest prompt in one pass and feeds it the rest of the longer ones token by
token, each of which is a decoding step of the whole batch (its documentation of `generate_batch`). So

    milliseconds = call + token · members · (shortest + suffix) + (step + member · members) · steps
    steps        = calls · (longest - shortest) + answer

where `suffix` is the number of tokens of the prompt that follow a query, `answer` the number of steps of an answer, and
`calls` how often the queries are read: once where one generation gives verdict and answer, else twice. What precedes a
query is computed once and kept.

A draft of the answer can be verified in one pass (`models.inference.read_ahead`). It pads the shorter queries, and
computes the logits of every token:

    milliseconds = draft_call + draft_token · members · (longest + 3)

so it costs less in small batches. ``sluice calibrate`` measures the numbers of a machine.
"""

from typing import Final

import msgspec


class BatchCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All in milliseconds, except `answer`, which is in steps, `suffix`, in tokens, and `calls`, a count.

    `draft_token` is 0 where the model is not asked to verify drafts.
    """

    call: float
    token: float
    step: float
    member: float
    answer: float
    calls: int = 1
    suffix: int = 0
    draft_call: float = 0
    draft_token: float = 0

    def milliseconds(self, members: int, shortest: int, longest: int) -> float:
        """The cost of a batch of `members` queries of `shortest` to `longest` tokens, in the cheaper way."""
        decoded = self.decoded(members, shortest, longest)
        return min(decoded, self.drafted(members, longest)) if self.draft_token else decoded

    def decoded(self, members: int, shortest: int, longest: int) -> float:
        """The cost of a batch whose answers are decoded step by step."""
        steps = self.calls * (longest - shortest) + self.answer
        return self.call + self.token * members * (shortest + self.suffix) + (self.step + self.member * members) * steps

    def drafted(self, members: int, longest: int) -> float:
        """The cost of a batch whose drafts are verified, and right."""
        return self.draft_call + self.draft_token * members * (longest + DRAFT_TOKENS)

    def draft_pays(self, members: int, shortest: int, longest: int, accepted: float) -> bool:
        """Whether drafts, of which the share `accepted` is right, are cheaper than decoding.

        Where one is wrong, its answer is decoded after the pass.
        """
        if not self.draft_token:
            return False
        again = (1 - accepted**members) * self.decoded(1, longest, longest)
        return self.drafted(members, longest) + again < self.decoded(members, shortest, longest)


DRAFT_TOKENS: Final = 3
"""The tokens after a query whose draft is verified: the end of the query and two of the answer."""

ENCODER_COST: Final = BatchCost(call=0.4, token=0.045, step=0.0, member=0.045, answer=0)
LARGE_COST: Final = BatchCost(call=78, token=1.9, step=50, member=2.5, answer=2, draft_call=25, draft_token=2.8)
INSTRUCTED_COST: Final = BatchCost(call=300, token=4.0, step=60, member=5.0, answer=12, calls=2)
GUARD_COST: Final = BatchCost(call=1, token=3.8, step=34, member=40, answer=0)
"""The defaults: measured with the embedded model, and with Qwen3-0.6B in int8 without and with an instruction, on two
cores. Only the proportions matter for making up batches."""
