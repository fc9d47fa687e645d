"""What ``sluice calibrate`` measured of a model on a machine, and the throughput that follows from it."""

from pathlib import Path

import msgspec

from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import ConfigurationError


class Profile(msgspec.Struct, frozen=True):
    """The fields of a profile that throughput depends on. A profile may have more."""

    replicas: int
    batch_size: int
    batch_cost: BatchCost

    @classmethod
    def read(cls, path: Path) -> "Profile":
        """The profile in the file `path`.

        Raises:
            ConfigurationError: it cannot be read, or is no profile.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} is no profile: {error}. Write one with `sluice calibrate`.") from None

    def rate(self, length: int) -> float:
        """Queries of `length` tokens that the model decides a second when there is always work."""
        return 1000 * self.replicas * self.batch_size / self.batch_cost.milliseconds(self.batch_size, length, length)


def cascade_rate(screen: float, second: float, share: float) -> float:
    """Queries a second of both models on the same cores, if a `share` of them goes on to the second.

    `screen` and `second` are the rates of each model alone on these cores.
    """
    return 1 / (1 / screen + share / second)
