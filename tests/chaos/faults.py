"""The faults that the chaos tests inject, by name. Each function repairs what it broke before it returns."""

import random
import resource
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import cramjam
from confluent_kafka import ElectionType
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs forget to export some public classes
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)

from sluicegate.agents.process.signals import DRAIN, IGNORED, REPORT
from sluicegate.agents.settings import EMBEDDED_MODEL
from tests.chaos.registries import break_registry
from tests.chaos.scenario import PARTITIONS, SESSION_MS, Chaos, Fault
from tests.support.ports import free_port
from tests.support.raw_batches import RawRecord, batch, encoded, produce

_A_WHILE_S: Final = 6.0
_DEGRADED: Final = frozenset({"review"})
_REFUSED: Final = frozenset({"deadletter"})


def kill_worker(chaos: Chaos) -> None:
    chaos.signal(0, signal.SIGKILL)
    chaos.restart(0)


def kill_twenty_times(chaos: Chaos) -> None:
    for turn in range(20):
        time.sleep(3)
        chaos.signal(turn % len(chaos.workers), signal.SIGKILL)
        chaos.restart(turn % len(chaos.workers))


def terminate_worker(chaos: Chaos) -> None:
    chaos.signal(0, signal.SIGTERM)
    chaos.restart(0)


def send_every_signal(chaos: Chaos) -> None:
    """First the signals that must not disturb a worker, then each one that drains it."""
    for number in (REPORT, *IGNORED, REPORT):
        chaos.signal(0, number)
        time.sleep(0.05)
    for number in DRAIN:
        chaos.signal(0, number)
        chaos.restart(0)


def restart_in_turn(chaos: Chaos) -> None:
    for number in range(len(chaos.workers)):
        chaos.signal(number, signal.SIGTERM)
        chaos.restart(number)


def freeze_worker(chaos: Chaos) -> None:
    chaos.signal(0, signal.SIGSTOP)
    time.sleep(SESSION_MS / 1000 + 4)
    chaos.signal(0, signal.SIGCONT)


def join_and_leave(chaos: Chaos) -> None:
    for _ in range(3):
        number = chaos.start_worker()
        chaos.await_ready(number)
        time.sleep(1)
        chaos.remove_worker(number)


def kill_broker(chaos: Chaos) -> None:
    chaos.cluster.processes[0].kill()
    time.sleep(_A_WHILE_S)
    chaos.cluster.start(0)


def move_leaders(chaos: Chaos) -> None:
    chaos.cluster.processes[1].terminate()  # its partitions get other leaders
    chaos.cluster.start(1)
    time.sleep(2)
    admin = _admin(chaos)
    admin.elect_leaders(ElectionType.PREFERRED).result()  # it leads them again


def add_partitions(chaos: Chaos) -> None:
    topic = chaos.stream.topics["raw"]
    admin = _admin(chaos)
    _each(admin.create_partitions([NewPartitions(topic, PARTITIONS + 3)]))


def cut_network(chaos: Chaos) -> None:
    chaos.proxies.cut()
    time.sleep(_A_WHILE_S)
    chaos.proxies.restore()


def slow_network(chaos: Chaos) -> None:
    chaos.proxies.slow(0.2)
    time.sleep(_A_WHILE_S)
    chaos.proxies.restore()


def refuse_large_messages(chaos: Chaos) -> None:
    _configure(chaos, "recall", "max.message.bytes", "64")
    time.sleep(_A_WHILE_S)
    _configure(chaos, "recall", "max.message.bytes", "1048588")


def forbid_an_output(chaos: Chaos) -> None:
    admin, topic = _admin(chaos), chaos.stream.topics["recall"]
    where = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL)
    allow = AclBinding(*where, "User:*", "*", AclOperation.ALL, AclPermissionType.ALLOW)
    deny = AclBinding(*where, f"User:{chaos.cluster.user}", "*", AclOperation.WRITE, AclPermissionType.DENY)
    _each(admin.create_acls([allow, deny]))
    time.sleep(_A_WHILE_S)
    everything: Any = (*where, None, None, AclOperation.ANY, AclPermissionType.ANY)
    _each(admin.delete_acls([AclBindingFilter(*everything)]))


def refuse_without_replicas(chaos: Chaos) -> None:
    _configure(chaos, "recall", "min.insync.replicas", "3")
    kill_broker(chaos)
    _configure(chaos, "recall", "min.insync.replicas", "2")


def fill_disk(chaos: Chaos) -> None:
    """Make every write of a broker that extends a file fail, as on a full disk."""
    broker = chaos.cluster.processes[2]
    resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    broker.wait(60)  # a broker without a usable log directory exits
    chaos.cluster.start(2)


def broken_model(how: str) -> Callable[[Chaos], None]:
    return lambda chaos: chaos.break_model(how, _A_WHILE_S)


def broken_second(how: str) -> Fault:
    """The second model fails. Every event must have the outcome that it has anyway: the verdict of the first stands."""
    return Fault(
        lambda chaos: chaos.break_model(how, _A_WHILE_S, second=True),
        settings={
            "SLUICE_SECOND_MODEL": str(EMBEDDED_MODEL),
            "SLUICE_SECOND_CONFIRMS": "spam",
            "SLUICE_SECOND_DEADLINE_MS": "500",
            "SLUICE_DEADLINE_MS": "15000",  # on a busy machine the screen may be late too, and then nothing is shown
        },
        must_fall_back=True,
    )


def send_raw_bytes(chaos: Chaos) -> None:
    """Send records whose header names are not UTF-8, which no client library does."""
    names = (b"\xff\xfe", b"\xc3", b"a\xed\xa0\x80")
    value = b'{"query": "allow raw", "event_id": "raw"}'
    _send_to_every_partition(chaos, [batch([RawRecord(None, value, [(name, b"\xff")]) for name in names])] * 10)


def send_bombs(chaos: Chaos) -> None:
    """Send a few kilobytes that unpack to more than a worker accepts."""
    bomb = cramjam.zstd.compress(encoded([RawRecord(None, bytes(20 * 1024 * 1024))]))
    _send_to_every_partition(chaos, [batch([RawRecord()], codec=4, payload=bytes(bomb))] * 2)


def wait_a_while(_: Chaos) -> None:
    time.sleep(_A_WHILE_S)


def skewed_clock(rng: random.Random) -> int:
    """A time from five days ago to half an hour ahead, in milliseconds since the epoch."""
    return int((time.time() + rng.uniform(-5 * 86_400, 1_800)) * 1000)


FAULTS: Final[dict[str, Fault]] = {
    "worker killed": Fault(kill_worker),
    "worker terminated": Fault(terminate_worker, no_duplicates=True),
    "every signal": Fault(send_every_signal, no_duplicates=True),
    "three workers restarted in turn": Fault(restart_in_turn, workers=3, no_duplicates=True),
    "worker frozen": Fault(freeze_worker, also_allowed=_DEGRADED | _REFUSED),  # deadlines pass while it is stopped
    "workers join and leave": Fault(join_and_leave),
    "broker killed": Fault(kill_broker, also_allowed=_REFUSED),
    "leaders moved": Fault(move_leaders, also_allowed=_REFUSED),
    "partitions added": Fault(add_partitions),
    "network cut": Fault(cut_network, through_proxy=True, also_allowed=_REFUSED),
    "network slow": Fault(slow_network, through_proxy=True),
    "output too large": Fault(refuse_large_messages, also_allowed=_REFUSED, must_fall_back=True),
    "output forbidden": Fault(forbid_an_output, through_proxy=True, also_allowed=_REFUSED, must_fall_back=True),
    "too few replicas": Fault(refuse_without_replicas, also_allowed=_REFUSED),
    "disk of a broker full": Fault(fill_disk, also_allowed=_REFUSED),
    "model raises": Fault(broken_model("raise"), also_allowed=_DEGRADED, must_fall_back=True),
    "model hangs": Fault(broken_model("hang"), also_allowed=_DEGRADED, must_fall_back=True),
    "model answers garbage": Fault(broken_model("garbage"), also_allowed=_DEGRADED, must_fall_back=True),
    "model out of memory": Fault(broken_model("memory"), also_allowed=_DEGRADED, must_fall_back=True),
    "second model raises": broken_second("raise"),
    "second model hangs": broken_second("hang"),
    "second model answers garbage": broken_second("garbage"),
    "second model out of memory": broken_second("memory"),
    "registry broken": Fault(break_registry, no_duplicates=True),
    "collector down": Fault(wait_a_while, settings={"SLUICE_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}),
    "raw-byte records": Fault(send_raw_bytes, also_allowed=_REFUSED, must_fall_back=True),
    "decompression bombs": Fault(send_bombs),
    "clocks wrong": Fault(wait_a_while, timestamp_of=skewed_clock),
}

TWENTY_KILLS: Final = Fault(kill_twenty_times)

_MIXED: Final = (kill_worker, terminate_worker, freeze_worker, kill_broker, cut_network, slow_network, join_and_leave)


def random_mix(seed: int) -> Fault:
    """Four random faults, one after the other."""
    drawn = random.Random(seed).choices(_MIXED, k=4)

    def inject(chaos: Chaos) -> None:
        for fault in drawn:
            fault(chaos)

    return Fault(inject, through_proxy=True, also_allowed=_REFUSED | _DEGRADED)


def _admin(chaos: Chaos) -> AdminClient:
    return AdminClient({"bootstrap.servers": chaos.cluster.bootstrap_servers, "log_level": 0})


def _configure(chaos: Chaos, event: str, name: str, value: str) -> None:
    admin = _admin(chaos)
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource_ = ConfigResource(ConfigResource.Type.TOPIC, chaos.stream.topics[event], incremental_configs=[entry])
    _each(admin.incremental_alter_configs([resource_]))


def _send_to_every_partition(chaos: Chaos, batches: Sequence[bytes]) -> None:
    topic = chaos.stream.topics["raw"]
    metadata = _admin(chaos).list_topics(topic)
    for number, partition in metadata.topics[topic].partitions.items():
        leader = metadata.brokers[partition.leader]
        for one in batches:
            assert produce(f"{leader.host}:{leader.port}", topic, number, one) == 0


def _each(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result()
