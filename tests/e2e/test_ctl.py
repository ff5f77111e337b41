# SPDX-License-Identifier: Apache-2.0
"""openfaithctl as an operator meets it: exit codes, mistakes all at once, migrate, connect, pause, disconnect, status."""
import json
import os
import re
import time

from harness import ACTIVE, Cluster, wait_until
from runner import test

ORG = "ctl-church"
EX_USAGE, EX_CONFIG, EX_TEMPFAIL = 64, 78, 75


def schema(c):
    """All that migrate made: tables, columns, indexes, constraints."""
    return (c.query("SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default FROM "
                    "information_schema.columns WHERE table_schema IN ('sync', 'public') ORDER BY 1, 2, 3"),
            c.query("SELECT schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname IN ('sync', 'public') ORDER BY 1, 2"),
            c.query("SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
                    "WHERE connamespace IN ('sync'::regnamespace, 'public'::regnamespace) ORDER BY 1, 2"))


@test(timeout=60)
def without_settings():
    """--help, --version and keys new need no settings; everything else lists all that is missing."""
    with Cluster("ctl-bare", start=False) as c:
        for words in (["--help"], ["--version"], ["keys", "new"], ["connect", "--help"]):
            done = c.ctl(*words, env={}, check=False)
            assert done.returncode == 0, (words, done)
            assert done.stdout.strip(), words
        line = c.ctl("keys", "new", env={}).stdout.strip()
        assert re.fullmatch(r"\S+ [A-Za-z0-9+/]{43}=", line), "keys new: not '<id> <base64 of 32 bytes>'"
        done = c.ctl("status", env={}, check=False)
        assert done.returncode == EX_CONFIG, done
        for name in ("OF_DATABASE_URL", "OF_KAFKA_BROKERS", "OF_KEYRING_FILE"):
            assert name in done.stderr, f"{name} is not in the list of mistakes: {done.stderr}"
        done = c.ctl("status", env={"OF_DATABASE_URL": "postgresql://x", "OF_LOG_LEVEL": "loud", "OF_HTTP_PORT": "70000",
                                    "OF_KAFKA_BROKERS": "127.0.0.1:1", "OF_KEYRING_FILE": "/nonexistent"}, check=False)
        assert done.returncode == EX_CONFIG, done
        assert "OF_LOG_LEVEL" in done.stderr, done.stderr
        for words in ([], ["nonsense"], ["connect"], ["connect", "x", "nosuch", "--mode", "both"], ["status", "--nonsense"]):
            done = c.ctl(*words, env={}, check=False)
            assert done.returncode in (EX_USAGE, EX_CONFIG) and done.stderr.strip(), (words, done)
            assert done.returncode == EX_USAGE or words, done


@test(timeout=60)
def programs_refuse_bad_settings():
    """Bad settings stop the start of each program with 78 and every mistake listed."""
    import subprocess
    from harness import program
    for name in ("openfaith-worker", "openfaith-scheduler"):
        base = {k: v for k, v in os.environ.items() if not k.startswith("OF_")}
        done = subprocess.run([program(name)], env={**base, "OF_LOG_LEVEL": "loud"}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        text = done.stdout + done.stderr
        assert done.returncode == EX_CONFIG, (name, done)
        for setting in ("OF_DATABASE_URL", "OF_KAFKA_BROKERS", "OF_LOG_LEVEL"):
            assert setting in text, f"{name}: {setting} is not in the list of mistakes: {text}"
        done = subprocess.run([program(name), "--help"], env=base, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        assert done.returncode == 0 and "OF_DATABASE_URL" in done.stdout, done


@test(timeout=90)
def migrate_twice():
    """Run twice migrate changes nothing; two at once do no harm; OpenFaith's own tables stay as they are."""
    with Cluster("ctl-migrate", kafka="real", start=False) as c:
        c.start_servers()
        # a table as OpenFaith's own migrations may have made it: a column more, another index
        c.query('CREATE TABLE openfaith_qualifications (id text PRIMARY KEY, _tag char(13) NOT NULL DEFAULT \'qualification\', '
                '"orgId" text NOT NULL, "externalIds" jsonb NOT NULL DEFAULT \'[]\', "customFields" jsonb NOT NULL DEFAULT \'[]\', '
                'tags jsonb NOT NULL DEFAULT \'[]\', status text NOT NULL DEFAULT \'active\', "createdAt" timestamptz NOT NULL, '
                '"createdBy" text, "updatedBy" text, "deletedBy" text, "inactivatedBy" text, "updatedAt" timestamptz, '
                '"deletedAt" timestamptz, "inactivatedAt" timestamptz, key text NOT NULL, name text NOT NULL, description text, '
                'type text NOT NULL DEFAULT \'default\', "theirOwn" int)')
        import threading
        results = []
        threads = [threading.Thread(target=lambda: results.append(c.ctl("migrate", check=False))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [r.returncode for r in results] == [0, 0], results
        before = schema(c)
        c.ctl("migrate")
        assert schema(c) == before
        assert c.value("SELECT count(*) FROM information_schema.columns WHERE table_name = 'openfaith_qualifications' "
                       "AND column_name = 'theirOwn'") == 1
        assert c.value("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public' AND table_name = "
                       "'openfaith_people'") == 1


@test(timeout=60)
def migrate_without_broker():
    """A broker that cannot be asked is a warning."""
    with Cluster("ctl-nobroker", start=False) as c:
        c.start_servers()
        done = c.ctl("migrate", env=c.env(OF_KAFKA_BROKERS="127.0.0.1:1"), check=False, timeout=60)
        assert done.returncode == 0, done
        assert (done.stdout + done.stderr).strip(), "nothing was said about the broker"
        assert c.value("SELECT count(*) FROM sync.connection") == 0


@test(timeout=60)
def connect_refusals():
    """Credentials that are none, an adapter that is none, a budget that another org uses."""
    with Cluster("ctl-connect", orgs=2, people=20, workers=0, schedulers=0) as c:
        broken = os.path.join(c.box.path, "broken.json")
        with open(broken, "w", encoding="ascii") as out:
            json.dump({"type": "pat", "app_id": "a"}, out)
        done = c.connect(ORG, credentials=broken, check=False)
        assert done.returncode not in (0, 70) and "secret" in done.stderr, done
        done = c.ctl("connect", ORG, "nosuch", "--mode", "bidirectional", "--credentials", broken, check=False)
        assert done.returncode not in (0, 70) and "nosuch" in done.stderr, done
        done = c.connect(ORG, types=["Email", "Nonsense"], check=False)
        assert done.returncode not in (0, 70) and "Nonsense" in done.stderr, done
        done = c.connect(ORG, types=["Email"])
        assert "Person" in done.stdout + done.stderr, "what Email depends on is added, and said"
        done = c.connect("another-church", 1, check=False)
        assert done.returncode not in (0, 70), "the same token for two orgs must be refused"
        assert c.connect("another-church", 2).returncode == 0
        assert c.status(ORG)["state"] == "Pending Initial Sync", c.status(ORG)


@test(timeout=120)
def pause_resume_disconnect():
    with Cluster("ctl-pause", people=400, workers=1, latency_ms=50) as c:
        c.connect(ORG)
        time.sleep(1)
        c.ctl("pause", ORG, "pco")
        assert c.status(ORG)["state"] == "Paused"
        time.sleep(1.5)
        before = c.sim.stats()["requests"]
        time.sleep(1.5)
        assert c.sim.stats()["requests"] == before, "requests although it is paused"
        c.ctl("resume", ORG, "pco")
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        c.assert_mirror(ORG)
        c.ctl("disconnect", ORG, "pco")
        before = c.sim.stats()["requests"]
        done = c.ctl("sync", ORG, "pco", check=False)
        assert done.returncode not in (0, 70), done
        time.sleep(1)
        assert c.sim.stats()["requests"] == before, "requests although it is disconnected"
        c.connect(ORG)
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        c.assert_mirror(ORG)


@test(timeout=120)
def status_words():
    """The sentences that the product promises, and counts that never go backwards."""
    with Cluster("ctl-words", people=1000, workers=1, latency_ms=120) as c:
        c.connect(ORG)
        seen, last = [], {}
        pattern = re.compile(r"Pending Initial Sync|Initial Sync: Processed \d+ of \d+ .+ - "
                             r"(Staging External IDs|Matching Existing|Creating New|Populating Data)|"
                             r"Active - Incremental Sync Enabled|Initial Sync: Processed \d+ .+ - \w+ [\w ]+")

        def look():
            status = c.status(ORG)
            for item in [status] + status["entityTypes"]:
                assert pattern.fullmatch(item["message"]), item
            for item in status["entityTypes"]:
                key = (item["type"], item["state"])
                assert item["processed"] >= last.get(key, 0), (item, last.get(key))
                last[key] = item["processed"]
            if not seen or seen[-1] != status["state"]:
                seen.append(status["state"])
            return status["state"] == ACTIVE
        wait_until(look, 90, "active", 0.1)
        print(seen)
        assert "Initial Sync: Staging External IDs" in seen, seen
        for item in c.status(ORG)["entityTypes"]:
            assert item["state"] == ACTIVE and item["lastSuccessfulPollTimestamp"], item


@test(timeout=90)
def settle_says_what_is_owed():
    """Without workers settle lists what is owed and exits 75."""
    with Cluster("ctl-settle", people=50, workers=0) as c:
        c.connect(ORG)
        begin = time.monotonic()
        done = c.ctl("settle", ORG, "--timeout", "2", check=False)
        assert done.returncode == EX_TEMPFAIL, done
        assert (done.stdout + done.stderr).strip(), "nothing said about what is owed"
        assert time.monotonic() - begin < 20
        c.add_worker()
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)


@test(timeout=120)
def keys_rotate():
    """A new last line of the key ring encrypts; rotate re-encrypts; then the old line may go."""
    with Cluster("ctl-keys", people=50, workers=1) as c:
        c.connect(ORG)
        c.wait_active(ORG, 60)
        old = c.query("SELECT key_id, sealed FROM sync.token WHERE org_id = %s", ORG)[0]
        with open(c.keyring, encoding="ascii") as ring:
            first = ring.read()
        second = c.ctl("keys", "new", env={}).stdout.strip() + "\n"
        with open(c.keyring, "w", encoding="ascii") as ring:
            ring.write(first + second)
        c.ctl("keys", "rotate")
        new = c.query("SELECT key_id, sealed FROM sync.token WHERE org_id = %s", ORG)[0]
        assert new[0] == second.split()[0] != old[0], (old[0], new[0])
        assert bytes(new[1]) != bytes(old[1])
        with open(c.keyring, "w", encoding="ascii") as ring:
            ring.write(second)
        c.workers[0].stop()
        c.workers[0].start()
        c.ctl("sync", ORG, "pco")
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        c.assert_mirror(ORG)


@test(timeout=120)
def revoked_token_parks_and_reconnects():
    """A revoked token: "Reconnect Needed", nothing dies, all goes on after a reconnect."""
    with Cluster("ctl-revoke", people=600, workers=2, latency_ms=60) as c:
        c.connect(ORG, kind="oauth")
        time.sleep(1)
        c.sim.post("/_sim/revoke", {"org": 1})
        c.wait_state(ORG, "Reconnect Needed", 60)
        assert c.value("SELECT count(*) FROM sync.work WHERE state = 'dead'") == 0
        c.sim.post("/_sim/restore", {"org": 1})
        c.connect(ORG)  # with a personal access token this time
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        assert c.value("SELECT count(*) FROM sync.work WHERE state = 'dead'") == 0
        c.assert_mirror(ORG)
