"""Wrong values: each case is one mistake, and the exact line that the user reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.settings_lines import REMOVED, lines

VALUES = {
    "environment missing": (
        {"environment": REMOVED},
        "pipe:environment = (not set): must be dev, test, staging or prod; for example environment: dev",
    ),
    "environment empty, as Pulumi.yaml gives it": (
        {"environment": ""},
        "pipe:environment = (not set): must be dev, test, staging or prod; for example environment: dev",
    ),
    "environment unknown": (
        {"environment": "production"},
        "pipe:environment = production: must be dev, test, staging or prod; for example environment: dev",
    ),
    "protect not a boolean": (
        {"protect": "sure"},
        "pipe:protect = sure: must be true or false; remove it for the default, false",
    ),
    "section not a map": (
        {"consensus": "3"},
        "pipe:consensus = 3: must be a map of members, memory_mb; write one key a line under it",
    ),
    "section a list": (
        {"consensus": [3]},
        "pipe:consensus = [3]: must be a map of members, memory_mb; write one key a line under it",
    ),
    "unknown section": (
        {"databse": {"replicas": 1}},
        'pipe:databse = {"replicas": 1}: no such setting; did you mean pipe:database?',
    ),
    "unknown key without a close one": (
        {"colour": "red"},
        "pipe:colour = red: no such setting; known here: backup, certificates, consensus, credentials, data, "
        "database, environment, "
        "failover, network, protect, proxy, restore, s3, sftp",
    ),
    "unknown nested key": (
        {"database.replica": 2},
        "pipe:database.replica = 2: no such setting; did you mean pipe:database.replicas?",
    ),
    "unknown nested key without a close one": (
        {"consensus.colour": 2},
        "pipe:consensus.colour = 2: no such setting; known here: members, memory_mb",
    ),
    "another major version": (
        {"database.version": 18},
        "pipe:database.version = 18: must be 17, that of the images; another one cannot read the data that is there; "
        "a new stack takes the data over, see docs/major-upgrade.md",
    ),
    "port_base missing": (
        {"network": {}},
        "pipe:network.port_base = (not set): must be a whole number from 1024 to 32752; for example port_base: 15400",
    ),
    "port_base privileged": (
        {"network.port_base": 80},
        "pipe:network.port_base = 80: must be a whole number from 1024 to 32752; for example port_base: 15400",
    ),
    "port_base in the ephemeral range": (
        {"network.port_base": 40000},
        "pipe:network.port_base = 40000: must be a whole number from 1024 to 32752; for example port_base: 15400",
    ),
    "port_base whose last port is in the ephemeral range": (
        {"network.port_base": 32753},
        "pipe:network.port_base = 32753: must be a whole number from 1024 to 32752; for example port_base: 15400",
    ),
    "bind_address a name": (
        {"network.bind_address": "localhost"},
        "pipe:network.bind_address = localhost: must be an IPv4 address; for example 127.0.0.1",
    ),
    "bind_address not loopback without names": (
        {"network.bind_address": "0.0.0.0"},
        "pipe:network.bind_address = 0.0.0.0: needs network.hostnames when it is not a loopback address, or no client "
        "can verify the certificate; for example hostnames: [db.example.com]",
    ),
    "hostnames a text": (
        {"network.hostnames": "db.example.com"},
        "pipe:network.hostnames = db.example.com: must be a list of texts; for example hostnames: [db.example.com], "
        "or remove it for the default, none",
    ),
    "hostnames with a wildcard": (
        {"network.hostnames": ["*.example.com"]},
        'pipe:network.hostnames = ["*.example.com"]: must be a DNS name without wildcard, or an IP address; '
        "for example db.example.com",
    ),
    "hostnames with half an address": (
        {"network.hostnames": ["10.0.0"]},
        'pipe:network.hostnames = ["10.0.0"]: must be a DNS name without wildcard, or an IP address; '
        "for example db.example.com",
    ),
    "hostnames with a number": (
        {"network.hostnames": ["a", 5]},
        'pipe:network.hostnames = ["a", 5]: entry 2 must be a text; for example hostnames: [db.example.com], '
        "or remove it for the default, none",
    ),
    "replicas too many": (
        {"database.replicas": 9},
        "pipe:database.replicas = 9: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "replicas negative": (
        {"database.replicas": -1},
        "pipe:database.replicas = -1: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "replicas a fraction": (
        {"database.replicas": 1.5},
        "pipe:database.replicas = 1.5: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "replicas a boolean": (
        {"database.replicas": True},
        "pipe:database.replicas = true: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "replicas a word": (
        {"database.replicas": "two"},
        "pipe:database.replicas = two: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "replicas null": (
        {"database.replicas": None},
        "pipe:database.replicas = null: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "months until export a word": (
        {"data.audit_export_after_months": "never"},
        "pipe:data.audit_export_after_months = never: must be a whole number from 2 to 600 months or null; for example "
        "audit_export_after_months: 84, or remove it for none",
    ),
    "replicas infinite": (
        {"database.replicas": float("inf")},
        "pipe:database.replicas = Infinity: must be a whole number from 0 to 5 members; remove it for the default, 1",
    ),
    "cpus zero": (
        {"database.cpus": 0},
        "pipe:database.cpus = 0: must be a number from 0.1 to 256 cores; remove it for the default, 1.0",
    ),
    "memory with a unit": (
        {"database.memory_mb": "1GB"},
        "pipe:database.memory_mb = 1GB: must be a whole number from 256 to 1048576 MB; remove it for the default, 512",
    ),
    "memory too small for the sessions": (
        {"database.memory_mb": 300},
        "pipe:database.memory_mb = 300: must be at least 360 MB for max_connections 100; set 360 or more, or "
        "max_connections to 70 or less",
    ),
    "shared memory larger than half": (
        {"database.shm_mb": 400},
        "pipe:database.shm_mb = 400: must be at most 256, half of memory_mb, which it is part of; set 256 or less, "
        "or raise memory_mb",
    ),
    "restart unknown": (
        {"database.restart": "never"},
        "pipe:database.restart = never: must be rolling or pending; remove it for the default, pending",
    ),
    "two etcd members": (
        {"consensus.members": 2},
        "pipe:consensus.members = 2: must be 1 or 3; remove it for the default, 1",
    ),
    "ttl below Patroni's least": (
        {"failover.ttl": 10},
        "pipe:failover.ttl = 10: must be a whole number from 20 to 600 s; remove it for the default, 30",
    ),
    "ttl too short for the retries": (
        {"failover.ttl": 24},
        "pipe:failover.ttl = 24: must be at least loop_wait + 2 × retry_timeout = 25, or a healthy primary may be "
        "replaced; set 25, or lower loop_wait or retry_timeout",
    ),
    "instant failover without synchronous mode": (
        {"failover.primary_start_timeout": 0},
        "pipe:failover.primary_start_timeout = 0: 0 needs synchronous on or strict, or a crash loses commits that no "
        "replica has yet; set synchronous: on, or 1 or more here",
    ),
    "synchronous unknown": (
        {"failover.synchronous": "maybe"},
        "pipe:failover.synchronous = maybe: must be off, on or strict; remove it for the default, off",
    ),
    "synchronous without a replica": (
        {"failover.synchronous": "on", "database.replicas": 0},
        "pipe:failover.synchronous = on: needs database.replicas 1 or more (it is 0), or nothing is synchronous; "
        "set replicas: 1, or synchronous: off",
    ),
    "strict with one replica": (
        {"failover.synchronous": "strict"},
        "pipe:failover.synchronous = strict: needs database.replicas 2 or more (it is 1), or losing one stops every "
        "write; set replicas: 2, or synchronous: off",
    ),
    "synchronous mode undone by a parameter": (
        {"failover.synchronous": "on", "database.parameters.synchronous_commit": "off"},
        "pipe:database.parameters.synchronous_commit = off: must be on, remote_write or remote_apply with "
        "failover.synchronous on; remove it, or set synchronous: off",
    ),
    "proxy without memory for its connections": (
        {"proxy.max_connections": 2000},
        "pipe:proxy.memory_mb = 128: must be at least 224 MB for max_connections 2000; set 224 or more, or "
        "max_connections to 1040 or less",
    ),
    "read_only_fallback a word": (
        {"proxy.read_only_fallback": "maybe"},
        "pipe:proxy.read_only_fallback = maybe: must be true or false; remove it for the default, true",
    ),
    "schedule with four fields": (
        {"backup.full_schedule": "0 0 * *"},
        "pipe:backup.full_schedule = 0 0 * *: must be five cron fields (minute hour day month weekday), not 4; "
        'for example "0 0 * * *"',
    ),
    "schedule at hour 24": (
        {"backup.full_schedule": "0 24 * * *"},
        "pipe:backup.full_schedule = 0 24 * * *: hour '24' must be made of *, numbers from 0 to 23, lists, ranges and "
        '/steps; for example "0 0 * * *"',
    ),
    "schedule with a backward range": (
        {"backup.full_schedule": "0 5-3 * * *"},
        "pipe:backup.full_schedule = 0 5-3 * * *: hour '5-3' must be made of *, numbers from 0 to 23, lists, ranges "
        'and /steps; for example "0 0 * * *"',
    ),
    "schedule that never comes": (
        {"backup.full_schedule": "0 0 31 2 *"},
        'pipe:backup.full_schedule = 0 0 31 2 *: must name a day that its months have; for example "0 0 * * *"',
    ),
    "differential without full": (
        {"backup.full_schedule": None, "backup.differential_schedule": "0 12 * * *"},
        "pipe:backup.full_schedule = null: must be a text; remove it for the default, 0 0 * * *",
    ),
    "differential at the same time as the full": (
        {"backup.differential_schedule": "0  0 * * *"},
        "pipe:backup.differential_schedule = 0  0 * * *: must be at another time than the other schedules, or "
        'both start at once; for example "0 12 * * *"',
    ),
    "incremental at the same time as the differential": (
        {"backup.differential_schedule": "0 12 * * *", "backup.incremental_schedule": "0 12 * * *"},
        "pipe:backup.incremental_schedule = 0 12 * * *: must be at another time than the other schedules, or both "
        'start at once; for example "0 12 * * *"',
    ),
    "a delayed replica without a replica": (
        {"database.delayed_replica_s": 60, "database.replicas": 0},
        "pipe:database.delayed_replica_s = 60: needs database.replicas 1 or more (it is 0); set replicas: 1, or "
        "delayed_replica_s: null",
    ),
    "a delayed replica that synchronous commits need": (
        {"database.delayed_replica_s": 60, "failover.synchronous": "on"},
        "pipe:database.delayed_replica_s = 60: needs database.replicas 2 or more (it is 1); set replicas: 2, or "
        "delayed_replica_s: null",
    ),
    "differential not a text": (
        {"backup.differential_schedule": 12},
        "pipe:backup.differential_schedule = 12: must be a text or null; for example "
        'differential_schedule: "0 12 * * *", or remove it for none',
    ),
    "time zone unknown": (
        {"backup.time_zone": "Europe/Berln"},
        "pipe:backup.time_zone = Europe/Berln: must be a zone of the time zone database; for example Europe/Berlin",
    ),
    "time zone outside the database": (
        {"backup.time_zone": "../../etc/passwd"},
        "pipe:backup.time_zone = ../../etc/passwd: must be a zone of the time zone database; for example Europe/Berlin",
    ),
    "retention 0": (
        {"backup.retention_days": 0},
        "pipe:backup.retention_days = 0: must be a whole number from 1 to 3650 days; remove it for the default, 30",
    ),
    "archive_timeout 0": (
        {"backup.archive_timeout_s": 0},
        "pipe:backup.archive_timeout_s = 0: must be a whole number from 10 to 3600 s; remove it for the default, 60",
    ),
    "compression unknown": (
        {"backup.compress": "zip"},
        "pipe:backup.compress = zip: must be zst, lz4 or gz; remove it for the default, zst",
    ),
    "backup without memory for its processes": (
        {"backup.process_max": 8},
        "pipe:backup.memory_mb = 256: must be at least 352 MB for process_max 8; set 352 or more, or process_max to 5 "
        "or less",
    ),
    "certificates that are renewed at once": (
        {"certificates.validity_days": 60},
        "pipe:certificates.renew_before_days = 90: must be less than validity_days 60, or every `up` makes new "
        "certificates; set 30 or less",
    ),
    "authority shorter than its certificates": (
        {"certificates.ca_validity_days": 800},
        "pipe:certificates.ca_validity_days = 800: must be more than validity_days 825; raise it, "
        "or lower validity_days",
    ),
}


@pytest.mark.parametrize(("changes", "text"), VALUES.values(), ids=list(VALUES))
def test_a_wrong_value_is_one_line(changes: dict[str, Any], text: str) -> None:
    assert lines(changes) == [text]
