"""What a connection gives to clients of librdkafka, and what it hides."""

from pathlib import Path

from sluicegate.agents.kafka.connection import Connection
from sluicegate.agents.settings import load_settings


def test_a_plaintext_connection_has_servers_and_nothing_else() -> None:
    connection = Connection.of(load_settings(bootstrap_servers="one:9092,two:9092"))
    assert connection == Connection.plaintext("one:9092,two:9092")
    assert connection.librdkafka() == {"bootstrap.servers": "one:9092,two:9092"}
    assert not connection.secured


def test_a_login_travels_with_the_servers_and_is_not_shown() -> None:
    connection = Connection.of(
        load_settings(security_protocol="sasl_plaintext", sasl_username="worker", sasl_password="correct-horse")
    )
    assert connection.librdkafka() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": "correct-horse",
    }
    assert connection.secured
    assert "horse" not in repr(connection)


def test_a_password_file_is_read_for_each_client(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    connection = Connection.of(
        load_settings(security_protocol="sasl_plaintext", sasl_username="worker", sasl_password_file=file)
    )
    assert connection.librdkafka()["sasl.password"] == "first"
    file.write_text("second\n")
    assert connection.librdkafka()["sasl.password"] == "second"
