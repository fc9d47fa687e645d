"""Settings of the guardrail for LiteLLM."""

from typing import Literal

from pydantic import BaseModel, Field


class GuardrailSettings(BaseModel, title="LiteLLM guardrail"):
    """What the guardrail does besides blocking. A caller cannot change it."""

    guardrail_review: Literal["block", "pass"] = Field(
        "block",
        description="What the guardrail, and a chat with SLUICE_UPSTREAM, do with a text whose verdict is review: "
        "their callers know only blocked or not.",
    )
    guardrail_rewrite: bool = Field(
        True,
        description="Replace short requests of one line with their corrected and cleaned form. Longer texts, texts of "
        "several lines, and answers of a model are never changed.",
    )
