# SPDX-License-Identifier: Apache-2.0
"""Marked tokens and personal values are nowhere but in the database's own columns for them."""
import os

from harness import Cluster
from runner import test

ORG = "secret-church"
MARK = "zqxmarkzqx"
PERSONAL = MARK.encode()


def needles(org_index):
    return [PERSONAL, f"secret-{org_index}".encode(), f"clientsecret-{org_index}".encode(), b"refresh-", b"access-"]


def search(path, words, skip=()):
    """Files below a path that hold one of the words."""
    found = []
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            if any(part in full for part in skip):
                continue
            with open(full, "rb") as data:
                content = data.read()
            found += [f"{full}: {word.decode()} ...{content[max(0, content.find(word) - 80):content.find(word) + 40]!r}"
                      for word in words if word in content]
    return found


@test(timeout=200)
def nothing_leaks():
    """A sync with faults, bad records, a refresh and a revoked token, at log level debug; then everything is searched."""
    with Cluster("secrets", kafka="real", people=200, orgs=2, workers=2, mark=MARK, log_level="debug") as c:
        for kind in ("bad_types", "bad_utf8", "nul_char", "truncate_json", "html200", "status500html"):
            c.sim.fault(kind, 1, every=13, match="/v2/", times=5)
        c.sim.post("/_sim/expire", {"org": 1})
        c.connect(ORG, 1, kind="oauth")
        c.connect("other", 2)
        c.wait_active(ORG, 90)
        c.wait_active("other", 90)
        c.sim.post("/_sim/revoke", {"org": 1})
        c.ctl("sync", ORG, "pco")
        c.wait_state(ORG, "Reconnect Needed", 60)
        output = []
        for words in (["status"], ["status", "--json"], ["work", "list"], ["dlq", "list"], ["review", "list"],
                      ["dlq", "list", "--json"], ["work", "list", "--json"]):
            done = c.ctl(*words, check=False)
            output.append(done.stdout + done.stderr)
        for proc in c.programs():
            for path in ("/metrics", "/livez", "/readyz"):
                output.append(c.http_get(proc, path)[1])
        seen = c.value('SELECT count(*) FROM openfaith_people WHERE "orgId" = %s AND ("firstName" LIKE %s OR "lastName" LIKE %s '
                       'OR name LIKE %s OR "customFields"::text LIKE %s)', ORG, *[f"%{MARK}%"] * 4)
        assert seen > 0, "the mark is not in the data: this test would say nothing"
        words = needles(1) + needles(2)
        found = [word.decode() for word in words if any(word in text.encode() for text in output)]
        assert not found, f"in the output of ctl or the metrics: {found}"
        c.stop_programs()
        logs = search(c.box.logs, words, skip=("pco-sim", "postgres", "kafka."))
        assert not logs, f"in the logs: {logs[:5]}"
        c.kafka.stop()
        # what a log segment holds uncompressed is what a reader of the topic sees
        messages = search(os.path.join(c.kafka.root, "data"), words)
        assert not messages, f"in Kafka: {messages[:5]}"
        errors = c.query("SELECT coalesce(error, '') || coalesce(reason, '') || coalesce(place, '') FROM sync.work UNION ALL "
                         "SELECT coalesce(error, '') || coalesce(waits, '') FROM sync.phase UNION ALL "
                         "SELECT coalesce(error, '') FROM sync.status UNION ALL SELECT coalesce(reason, '') FROM sync.connection")
        bad = [row[0] for row in errors if any(word.decode() in row[0] for word in words)]
        assert not bad, f"in error texts: {bad[:5]}"
        sealed = c.query("SELECT sealed, prev_sealed FROM sync.token")
        assert not [1 for row in sealed for cell in row if cell and any(word in bytes(cell) for word in words)], "in sync.token"
