"""Settings of the HTTP server that answers the probes."""

from typing import Annotated

from pydantic import BaseModel, Field

Port = Annotated[int, Field(ge=1, le=65_535)]


class HttpSettings(BaseModel, title="HTTP"):
    """Where the probes are served."""

    http_host: str = Field(
        "127.0.0.1", description="Address that /healthz and /readyz listen on. In a container use 0.0.0.0."
    )
    http_port: Port = Field(6066, description="Port that /healthz and /readyz listen on.")
