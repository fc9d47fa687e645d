"""Asking a Kafka cluster what it has. Every function blocks: call it off the event loop."""

import time
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AdminClient,
    ClusterMetadata,
)

from sluicegate.agents.kafka.connection import Connection
from sluicegate.schemas.errors import BrokerUnavailable, ConfigurationError

ADMIN_TIMEOUT_S = 15.0

_ASK_AGAIN_S: Final = 1.0
_NEAR: Final = 0.85
"""From this similarity on, a name may be a typing error for another."""
_REFUSALS: Final = {KafkaError._AUTHENTICATION, KafkaError._SSL}
_CALLBACK_FAILED: Final = "Failed to acquire SASL OAUTHBEARER token: "


class Cluster:
    """Asks a cluster, and distinguishes a cluster that refuses us from one that cannot be reached."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._refusals: list[str] = []
        self._trouble = "no answer"
        self.admin = AdminClient(
            {
                **connection.librdkafka(),
                "client.id": "sluicegate-admin",
                "log_level": 0,  # the library would write to standard error; the exceptions have the errors
                "error_cb": self._note,  # type: ignore[dict-item]  # the stubs forget callbacks
            }
        )

    def metadata(self, timeout_s: float) -> ClusterMetadata:
        """What the cluster has; raises ConfigurationError or BrokerUnavailable."""
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                return self.admin.list_topics(timeout=min(timeout_s, _ASK_AGAIN_S))
            except KafkaException as error:
                self.admin.poll(0)
                if self._refusals:
                    raise ConfigurationError(
                        f"Kafka at {self._connection.servers} refuses us: {self._refusals[0]}: check "
                        "SLUICE_SECURITY_PROTOCOL, SLUICE_SSL_… and SLUICE_SASL_…"
                    ) from error
                if time.monotonic() > give_up:
                    raise BrokerUnavailable(
                        f"cannot reach Kafka at {self._connection.servers} within {timeout_s:g} s: {self._trouble}; "
                        "start it, correct SLUICE_BOOTSTRAP_SERVERS or SLUICE_SECURITY_PROTOCOL, or try everything "
                        "locally with `sluice up`"
                    ) from error

    def refuse_missing(self, metadata: ClusterMetadata, names: Collection[str]) -> None:
        """Raises ConfigurationError when `metadata` lacks a topic."""
        missing = [name for name in names if name not in metadata.topics]
        if not missing:
            return
        others = set(metadata.topics).difference(names)
        meant = sorted({other for name in missing for other in get_close_matches(name, others, 1, _NEAR)})
        raise ConfigurationError(
            f"Kafka at {self._connection.servers} has no topic {', '.join(missing)}"
            f"{', or does not let us see it' if self._connection.secured else ''}: create with `sluice topics create`"
            f"{', unless you meant ' if meant else ''}{', '.join(meant)}"
        )

    def _note(self, error: KafkaError) -> None:
        said = error.str()
        if said.startswith(_CALLBACK_FAILED) and '"error"' not in said:  # not an error of RFC 6749, section 5.2
            self._trouble = f"SLUICE_SASL_TOKEN_URL gives no token: {said.removeprefix(_CALLBACK_FAILED)}"
        elif error.code() in _REFUSALS:
            self._refusals.append(said)
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._trouble = said


def kafka_error(error: KafkaException) -> KafkaError:
    """The reason that librdkafka gave."""
    reason = error.args[0]
    return reason if isinstance(reason, KafkaError) else KafkaError(KafkaError.UNKNOWN, str(error))
