"""Where and how a compiled model runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sluicegate.schemas.errors import CompiledModelError

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Placement:
    """The device, the type of its arithmetic, and how many calls run at once with how many threads each."""

    device: Device
    compute_type: str
    threads: int
    replicas: int

    def load(self, model_class: Any, folder: Path) -> Any:
        """The CTranslate2 model of `folder`, an instance of `model_class`.

        Raises:
            CompiledModelError: it cannot be loaded like this.
        """
        try:
            return model_class(
                str(folder),
                device=self.device,
                compute_type=self.compute_type,
                inter_threads=self.replicas,
                intra_threads=self.threads,
            )
        except (RuntimeError, ValueError) as error:
            raise CompiledModelError(
                f"cannot load {folder} on {self.device} as {self.compute_type}: {error}. "
                "Compile the model again, or choose another device or type."
            ) from None
