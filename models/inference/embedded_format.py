"""The language of the `embedded` prompt style: control tokens that only training and the prompt builder write.

    query <|gate|>                                                   the prompt
    query <|hint|> query as probably meant <|gate|>                  the prompt where `models.text.lexicon` has a hint
    <|allow|> <|intent:travel|> <|keep|> … <|end|>                   the query needs no rewrite
    <|allow|> <|intent:travel|> <|hint|> … <|end|>                   the hint is the rewrite
    <|allow|> <|intent:travel|> <|rewrite|> tokens … <|end|>         the rewrite is neither
      … = (<|synonym|> tokens | <|category|> tokens | …)*            expansions, if any: a token per kind of facet
    <|hate|>                                                         an unsafe label: the answer is one token long

The verdict is one token, so one prefill gives the probability of every label, and a blocked query costs no decoding.
Thanks to `<|keep|>`, the common case of a clean query costs three decoded tokens instead of a copy of itself;
`<|hint|>` does the same for a common misspelling.
The text of a query can never become one of these tokens: see `models.inference.tokenizer`.
"""

from typing import Final

from sluicegate.models.inference.labels import LABELS, Intent

GATE: Final = "<|gate|>"
HINT: Final = "<|hint|>"
KEEP: Final = "<|keep|>"
REWRITE: Final = "<|rewrite|>"
SYNONYM: Final = "<|synonym|>"
FACETS: Final = {kind: f"<|{kind}|>" for kind in ("category", "colour")}
"""The token of each kind of facet: `category:shoes` is ``<|category|> shoes``."""
END: Final = "<|end|>"

LABEL_TOKENS: Final = tuple(f"<|{label}|>" for label in LABELS)
INTENT_TOKENS: Final = tuple(f"<|intent:{intent}|>" for intent in Intent)

CONTROL_TOKENS: Final = (END, GATE, HINT, KEEP, REWRITE, SYNONYM, *FACETS.values(), *LABEL_TOKENS, *INTENT_TOKENS)
"""Every control token, in the order of their ids in an embedded model's vocabulary (0 is `END`)."""
