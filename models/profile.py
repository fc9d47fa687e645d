"""What ``sluice calibrate`` measured of a model on a machine, and the throughput and latency that follow from it."""

from pathlib import Path
from typing import Final

import msgspec

from sluicegate.models.capacity import simulated_ms
from sluicegate.models.inference.batch_cost import BatchCost
from sluicegate.schemas.errors import ConfigurationError

_REMEDY: Final = "`sluice calibrate --out FILE` writes one"


class Profile(msgspec.Struct, frozen=True):
    """What ``sluice calibrate`` wrote of a model on a machine. A profile may have more fields."""

    threads: int
    replicas: int
    batch_size: int
    batch_cost: BatchCost
    rate: float
    """Queries a second, when there is always work."""
    tokens: int
    """Of one of these queries, on average."""

    @classmethod
    def read(cls, path: Path) -> "Profile":
        """The profile in the file `path`.

        Raises:
            ConfigurationError: it cannot be read, or is not a profile.
        """
        try:
            profile = msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise ConfigurationError(f"cannot read the profile {path}: {error.strerror or error}; {_REMEDY}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} is not a profile: {error}; {_REMEDY}") from None
        for name in ("threads", "replicas", "batch_size", "rate", "tokens"):
            if getattr(profile, name) <= 0:
                raise ConfigurationError(f"{path} is not a profile: `{name}` must be more than 0; {_REMEDY}")
        cost = profile.batch_cost
        if min(cost.call, cost.token, cost.step, cost.member, cost.answer) < 0 or cost.milliseconds(1, 1, 1) <= 0:
            raise ConfigurationError(f"{path} is not a profile: `batch_cost` must be positive; {_REMEDY}")
        return profile

    def rate_of(self, tokens: int) -> float:
        """Queries a second when they have so many tokens and nothing else uses the cores."""
        return self.rate * self._batch_ms(self.tokens) / self._batch_ms(tokens)

    def core_ms(self, tokens: int) -> float:
        """Milliseconds of one core for each query of so many tokens."""
        return 1000 * self.threads * self.replicas / self.rate_of(tokens)

    def p99_ms(self, rate: float, tokens: int, slowed: float) -> float:
        """The 99th percentile at `rate` queries a second, when a batch takes `slowed` times as long."""
        # The cost model has the best times of the engine's calls; the rate has all that a query takes, on average.
        whole = self.core_ms(tokens) * self.batch_size / self.threads / self._batch_ms(tokens)
        slowed *= max(1.0, whole)
        return slowed * simulated_ms(self.batch_cost, rate * slowed, tokens, self.batch_size, self.replicas)[1]

    def _batch_ms(self, tokens: int) -> float:
        return self.batch_cost.milliseconds(self.batch_size, tokens, tokens)


def cascade_rate(screen: float, second: float, share: float) -> float:
    """Queries a second of both models on the same cores, if a `share` of them goes on to the second.

    `screen` and `second` are the rates of each model alone on these cores.
    """
    return 1 / (1 / screen + share / second)
