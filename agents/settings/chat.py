"""Settings of chat over HTTP: how many at a time, and how long."""

from pydantic import BaseModel, Field


class ChatSettings(BaseModel, title="Chat"):
    """What `/v1/chat/completions` may cost. It needs a Qwen3 model."""

    chat_slots: int = Field(
        1, ge=1, le=64, description="Chats that are answered at the same time. They never wait for the gate, nor it."
    )
    chat_queue_size: int = Field(
        8, ge=0, le=1024, description="Maximum number of chats that wait. More are answered with 429."
    )
    chat_max_prompt_tokens: int = Field(
        4096, ge=64, le=32_768, description="Maximum tokens of a conversation. A longer one is answered with 400."
    )
    chat_max_tokens: int = Field(1024, ge=1, le=32_768, description="Maximum tokens of a chat's answer.")
