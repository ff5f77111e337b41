#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A church comes in from a simulated Planning Center before your eyes.

Starts a temporary Postgres, librdkafka's in-process broker, the Planning Center simulator, a scheduler, the change reader and two
workers; connects one church under the API's real limit (100 requests in 20 s); shows it coming in; edits a record on each side and shows
both arriving, then a conflict and its explanation; compares both sides. Everything is in a temporary folder and gone at the end.
"""
import argparse
import math
import os
import shutil
import sys
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(REPO, "tests", "support"))

import compare  # noqa: E402
import pco_expect  # noqa: E402
from harness import ACTIVE, Cluster, HarnessError, Skip, handle_signals  # noqa: E402

ORG = "grace-church"
LIMIT, PERIOD = 100, 20
# types that come in the pages of another one, and types that cost one request per parent
WITH_OTHERS = {"Email", "PhoneNumber", "Address", "FieldDatum", "FieldOption", "Designation", "HouseholdMembership"}
BY_TIME = {"Campus": 2, "Person": 5, "Batch": 2, "Donation": 3}
REFERENCES = ("MaritalStatus", "InactiveReason", "NamePrefix", "NameSuffix")
PER_PARENT = {"Membership": "Group"}
STUCK_S = 120


def parse_args():
    parser = argparse.ArgumentParser(prog="deploy/local/demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2000, metavar="N", help="size of the church (default 2000)")
    parser.add_argument("--no-limit", action="store_true", help="the simulator and the workers know no limit")
    parser.add_argument("--real-kafka", action="store_true", help="Apache Kafka (Java, from Maven Central) as the broker")
    parser.add_argument("--latency-ms", type=int, default=100, metavar="MS", help="of each answer (default 100)")
    parser.add_argument("--keep", action="store_true",
                        help="leave it running until Ctrl-C, and print the environment to use openfaithctl with")
    parser.add_argument("--mode", choices=["bidirectional", "openfaith", "chms"], default="bidirectional")
    return parser.parse_args()


def say(text=""):
    print(text, flush=True)


def expected_requests(counts):
    """Pages of each list, and a request per parent where the API has no list. The run's last look reads lists again that cannot be
    asked what changed; the others cost a request or three (changed since, merged, how many)."""
    total = 0
    for name, n in counts.items():
        if name in PER_PARENT:
            total += 2 * counts[PER_PARENT[name]]
        elif name in BY_TIME:
            total += math.ceil(n / 99) + BY_TIME[name]
        elif name not in WITH_OTHERS:
            total += (1 if name in REFERENCES else 2) * max(1, math.ceil(n / 99))
    return total


def expected_seconds(requests, latency_s):
    full_windows = (requests - 1) // LIMIT
    return full_windows * (PERIOD + latency_s) + 2


class Progress:
    """A bar on a terminal, plain lines otherwise."""

    def __init__(self):
        self.tty, self.last, self.begin = sys.stdout.isatty(), "", time.monotonic()

    def show(self, status, requests):
        types = status["entityTypes"]
        ended = sum(1 for t in types if t["state"].startswith("Active"))
        elapsed = time.monotonic() - self.begin
        if self.tty:
            width = max(20, min(40, shutil.get_terminal_size().columns - 70))
            done = int(width * ended / max(1, len(types)))
            bar = "#" * done + "." * (width - done)
            columns = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K[{bar}] {ended:2}/{len(types)} types {elapsed:4.0f} s {requests:4} requests  "
                  f"{status['message']}"[:columns + 4], end="", flush=True)
        elif status["message"] != self.last:
            self.last = status["message"]
            say(f"  {elapsed:5.1f} s  {ended:2} of {len(types)} types  {requests:4} requests  {status['message']}")

    def end(self):
        if self.tty:
            print("\r\033[K", end="", flush=True)


def api_requests(cluster):
    stats = cluster.sim.stats()
    return int(stats.get("requests", 0)), int(stats.get("refused", 0))


def follow(cluster):
    """Until the church is active; seconds it took."""
    progress, begin = Progress(), time.monotonic()
    moved, seen = begin, None
    while True:
        status = cluster.status(ORG)
        if status is None:
            raise HarnessError(f"status knows no {ORG}")
        requests, _ = api_requests(cluster)
        progress.show(status, requests)
        if status["state"] == ACTIVE:
            progress.end()
            return time.monotonic() - begin
        now = (status["message"], requests)
        if now != seen:
            moved, seen = time.monotonic(), now
        if time.monotonic() - moved > STUCK_S:
            progress.end()
            raise HarnessError(f"nothing has moved for {STUCK_S} s: {status['message']}\n{cluster.owed()}")
        for proc in cluster.programs():
            if not proc.alive():
                progress.end()
                raise HarnessError(f"{proc.name} ended with {proc.popen.returncode}")
        time.sleep(0.3)


def permits_share(cluster, limited):
    """Share of the permits used in the periods that had passed when the last request came."""
    if not limited:
        return "no limit"
    times = sorted(e["t_ms"] / 1000 for e in cluster.sim.requests())
    if not times:
        return "no request"
    periods = int((times[-1] - times[0]) // PERIOD)
    if periods == 0:
        return f"done within the first {PERIOD} s"
    used = sum(1 for t in times if t < times[0] + periods * PERIOD)
    return f"{100 * used / (periods * LIMIT):.0f} %"


def show_records(cluster, people):
    """A few records on both sides."""
    picked = [r for r in people if r["attributes"].get("first_name") and r["attributes"].get("birthdate")][:3]
    say("A few records, there and here:")
    for record in picked or people[:3]:
        attrs = record["attributes"]
        row = cluster.query(
            'SELECT p.id, p."firstName", p."lastName", p.birthdate, p."updatedAt", p."customFields" '
            "FROM sync.external_link l JOIN openfaith_people p ON p.id = l.entity_id "
            "WHERE l.org_id = %s AND l.external_type = 'Person' AND l.external_id = %s", ORG, record["id"])
        say(f"  Planning Center Person {record['id']}: {attrs.get('first_name')} {attrs.get('last_name')}, born "
            f"{attrs.get('birthdate')}, nickname {attrs.get('nickname')}, updated {attrs.get('updated_at')}")
        for ident, first, last, birth, updated, custom in row:
            nick = [e["value"] for e in custom if e.get("name") == "pco_nickname"]
            say(f"    OpenFaith {ident}: {first} {last}, born {birth}, nickname {nick[0] if nick else None}, "
                f"updated {updated:%Y-%m-%dT%H:%M:%SZ}")
            for kind, target in cluster.query(
                    'SELECT e."relationshipType", coalesce(m.address, n.number, h.name, g.name, c.name) '
                    "FROM openfaith_edges e "
                    'CROSS JOIN LATERAL (SELECT CASE WHEN e."sourceEntityId" = %s THEN e."targetEntityId" '
                    'ELSE e."sourceEntityId" END AS id) o '
                    'LEFT JOIN openfaith_emails m ON m.id = o.id LEFT JOIN "openfaith_phoneNumbers" n ON n.id = o.id '
                    "LEFT JOIN openfaith_households h ON h.id = o.id LEFT JOIN openfaith_groups g ON g.id = o.id "
                    "LEFT JOIN openfaith_campuses c ON c.id = o.id "
                    'WHERE e."orgId" = %s AND %s IN (e."sourceEntityId", e."targetEntityId") '
                    'AND e."deletedAt" IS NULL ORDER BY 1, 2 LIMIT 6', ident, ORG, ident):
                say(f"      {kind}" + (f": {target}" if target else ""))


def wait_for(what, check, timeout=60):
    """Seconds until check() is true."""
    begin = time.monotonic()
    while not check():
        if time.monotonic() - begin > timeout:
            raise HarnessError(f"{what}: not within {timeout} s")
        time.sleep(0.02)
    return time.monotonic() - begin


class Hands:
    """Somebody in OpenFaith and somebody in Planning Center, who work on the same people."""

    def __init__(self, cluster):
        self.c = cluster
        self.people = cluster.query(
            "SELECT l.entity_id, l.external_id, p.name FROM sync.external_link l JOIN openfaith_people p ON p.id = l.entity_id "
            "WHERE l.org_id = %s AND l.external_type = 'Person' AND l.state = 'linked' AND p.\"firstName\" IS NOT NULL "
            "AND p.membership IS NOT NULL ORDER BY length(l.external_id), l.external_id LIMIT 3", ORG)

    def here(self, person, column, value=None):
        """Reads, or writes as OpenFaith's application does."""
        if value is not None:
            self.c.query(f'UPDATE openfaith_people SET "{column}" = %s, "updatedAt" = now(), "updatedBy" = \'user_office\' WHERE id = %s',
                         value, person)
        return self.c.value(f'SELECT "{column}" FROM openfaith_people WHERE id = %s', person)

    def there(self, external, attribute, value=None):
        if value is not None:
            self.c.sim.do("PATCH", f"/people/v2/people/{external}", {attribute: value})
        return next(r for r in self.c.sim.dump(1, "Person") if r["id"] == external)["attributes"][attribute]


def show_changes(cluster, limited):
    """A record edited on each side, and one on both."""
    hands = Hands(cluster)
    if len(hands.people) < 3:
        say("(too few people to show changes with)")
        return
    (one, one_there, one_name), (two, two_there, two_name), (both, both_there, both_name) = hands.people
    say(f"Edited in OpenFaith: membership of {one_name} is now \"Elder\".")
    hands.here(one, "membership", "Elder")
    took = wait_for("the edit in Planning Center", lambda: hands.there(one_there, "membership") == "Elder", 120)
    last = [e for e in cluster.sim.writes(1) if e["target"].startswith(f"/people/v2/people/{one_there}")][-1]
    say(f"  Planning Center has it {1000 * took:.0f} ms later: {last['method']} {last['target'].split('?')[0]}, only {last['names']}"
        + (" (it may have waited for a permit)." if limited and took > 1 else "."))
    say(f"Edited in Planning Center: membership of {two_name} is now \"Deacon\". It arrives with the next poll (every 15 minutes); "
        "`openfaithctl poll` asks now.")
    hands.there(two_there, "membership", "Deacon")
    cluster.ctl("poll", ORG, "pco")
    took = wait_for("their edit in OpenFaith", lambda: hands.here(two, "membership") == "Deacon", 120)
    say(f"  OpenFaith has it {took:.1f} s later, and nothing is sent back.")
    say(f"A conflict: membership of {both_name}, \"Ushers\" there and \"Choir\" here at once; of this field Planning Center has the last word:")
    say(f"  $ openfaithctl set {ORG} pco --strategy Person.membership=chms_wins")
    cluster.ctl("set", ORG, "pco", "--strategy", "Person.membership=chms_wins")
    hands.there(both_there, "membership", "Ushers")
    hands.here(both, "membership", "Choir")
    wait_for("the conflict to be decided", lambda: hands.here(both, "membership") == "Ushers", 120)
    say(f"  $ openfaithctl explain {ORG} {both} membership")
    for line in cluster.ctl("explain", ORG, both, "membership").stdout.splitlines():
        say(f"    {line}")
    cluster.ctl("set", ORG, "pco", "--strategy", "Person.membership=default")
    wait_for("nothing more to send", lambda: not cluster.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND direction = 'out' "
                                                              "AND state IN ('ready', 'leased', 'waiting')", ORG), 120)


def show_environment(cluster):
    say("It goes on until Ctrl-C. In another terminal:")
    for key in ("OF_DATABASE_URL", "OF_KAFKA_BROKERS", "OF_KEYRING_FILE"):
        say(f"  export {key}={cluster.env()[key]}")
    ctl = os.path.join(os.environ.get("OF_BUILD", "build/release"), "bin", "openfaithctl")
    say(f"  {ctl} status")
    say(f"  {ctl} watch {ORG} pco")
    say(f"  psql \"$OF_DATABASE_URL\"                      (tables openfaith_*, sync.*)")
    say(f"  curl {cluster.sim.base_url}/people/v2/people -u app-1:secret-1")
    say(f"  logs: {cluster.box.logs}")


def run(args):
    limited = not args.no_limit
    with Cluster("openfaith-demo", kafka="real" if args.real_kafka else "mock", people=args.people, workers=2,
                 rate=f"{LIMIT}/{PERIOD}" if limited else "off", latency_ms=args.latency_ms, quick=False) as cluster:
        say(f"Running: Postgres, {'Apache Kafka' if args.real_kafka else 'in-process broker'}, Planning Center simulator, "
            "1 scheduler, 1 change reader, 2 workers.")
        counts = cluster.sim.get("/_sim/orgs/1/counts")
        counts = {name: counts[name] for name in pco_expect.KINDS}
        records = sum(counts.values())
        requests = expected_requests(counts)
        say(f"Connecting a church of {counts['Person']} people ({records} records) in mode {args.mode}.")
        if limited:
            say(f"About {requests} requests at {LIMIT} in {PERIOD} s: expect "
                f"{expected_seconds(requests, args.latency_ms / 1000):.0f} s or a little more.")
        else:
            say(f"About {requests} requests, no limit.")
        cluster.connect(ORG, 1, mode=args.mode, rate=f"{LIMIT}/{PERIOD}" if limited else "off")
        seconds = follow(cluster)
        requests, refused = api_requests(cluster)
        say(f'{ORG}: "{cluster.status(ORG)["message"]}"')
        members_left = cluster.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND record_type = "
                                     "'HouseholdMembership'", ORG) or 0
        if not limited:
            cluster.settle(ORG, timeout=600)
            members_left = 0
        say()
        show_records(cluster, cluster.sim.dump(1, "Person"))
        say()
        here = cluster.value("SELECT count(*) FROM sync.external_link WHERE org_id = %s AND state = 'linked'", ORG)
        say(f"Records {here} · requests {requests} · refused {refused} · {seconds:.1f} s · "
            f"share of the permits used: {permits_share(cluster, limited)}")
        if members_left:
            say(f"(role and pending of household members are read later, with permits that nobody else wants: "
                f"{members_left} left)")
        say("Comparing both sides, field by field and edge by edge ...")
        found = compare.compare(cluster.pg.url(cluster.database), cluster.sim, 1, ORG, mode=args.mode,
                                members_read=not limited)
        if not found:
            say("No difference.")
            say()
            show_changes(cluster, limited)
            say("Comparing both sides once more ...")
            found = compare.compare(cluster.pg.url(cluster.database), cluster.sim, 1, ORG, mode=args.mode, members_read=False, both=True)
        if found:
            say(f"{len(found)} differences:")
            say("\n".join("  " + text for text in found[:100]))
        else:
            say("No difference.")
        say()
        say("Where to look: README.md, ARCHITECTURE.md, docs/; deploy/local/demo --keep leaves all of this running.")
        if args.keep:
            show_environment(cluster)
            while True:
                time.sleep(3600)
        return 1 if found else 0


def main():
    args = parse_args()
    if args.people < 1:
        print("demo: --people must be at least 1", file=sys.stderr)
        return 64
    handle_signals()
    os.environ.setdefault("OF_TEST_DISCARD", "1")
    try:
        return run(args)
    except (HarnessError, AssertionError, Skip) as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 70


if __name__ == "__main__":
    sys.exit(main())
