"""Lets LiteLLM's own guardrail client judge texts as its proxy does, and prints what came of each.

    python tests/support/litellm_client.py GUARDRAIL TEXT...

`GUARDRAIL` is an entry of `guardrails` in the proxy's configuration, as JSON. The interpreter has LiteLLM and nothing
of ours.
"""

import asyncio
import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no download of prices


async def main(guardrail: dict[str, Any], texts: list[str]) -> list[dict[str, Any]]:
    """What LiteLLM does with each of `texts`: the texts that it goes on with, or the error that its caller gets."""
    from litellm.exceptions import GuardrailRaisedException
    from litellm.proxy.guardrails.guardrail_hooks.generic_guardrail_api import initialize_guardrail
    from litellm.types.guardrails import LitellmParams

    client = initialize_guardrail(LitellmParams(**guardrail["litellm_params"]), guardrail)
    results: list[dict[str, Any]] = []
    for text in texts:
        try:
            done = await client.apply_guardrail(inputs={"texts": [text]}, request_data={}, input_type="request")
            results.append({"texts": done["texts"]})
        except GuardrailRaisedException as error:
            results.append({"blocked": str(error)})
    return results


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2:]))))  # noqa: T201 - the result
