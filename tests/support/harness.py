# SPDX-License-Identifier: Apache-2.0
"""The whole system in a private directory: servers, simulator, our programs, and openfaithctl as a function.

    with Cluster(people=300, kafka="mock", workers=2) as c:
        c.connect("church-1", org_index=1)
        c.wait_active("church-1", timeout=60)
        c.assert_mirror("church-1", org_index=1)
"""
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import compare
from procs import (REPO, HarnessError, Proc, Sandbox, Skip, build_dir, free_port, handle_signals,  # noqa: F401 re-exported
                   program, tail, wait_until)
from servers import Kafka, MockKafka, Postgres, broker_answers  # noqa: F401 re-exported

TOPICS = ("openfaith.tasks.live", "openfaith.tasks.bulk", "openfaith.changes")
ACTIVE = "Active - Incremental Sync Enabled"
# times that would make tests slow
QUICK = {
    "OF_SESSION_TIMEOUT_MS": 3000, "OF_LEASE_MS": 4000, "OF_BUDGET_LEASE_MS": 2000, "OF_REFRESH_LEASE_MS": 3000,
    "OF_BACKOFF_MS": 100, "OF_BACKOFF_MAX_MS": 2000, "OF_WAITING_RECHECK_MS": 2000, "OF_SECOND_LOOK_MS": 1000,
    "OF_HTTP_TIMEOUT_MS": 2500, "OF_STALLED_MS": 120000, "OF_PROBE_MS": 1000, "OF_DRAIN_MS": 5000,
}
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=86:abort_on_error=0:detect_stack_use_after_return=1",
    "LSAN_OPTIONS": "exitcode=86",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "exitcode=87:halt_on_error=0:second_deadlock_stack=1",
}


def topics_with_dead_letters():
    return [name for topic in TOPICS for name in (topic, topic + ".dlq")]


# ---------------------------------------------------------------------------------------------------------------------
class Sim:
    """The simulated Planning Center: a real HTTP server of its own process."""

    def __init__(self, box, orgs=1, people=100, seed=1, latency_ms=0, rate="off", window=None, mark=None, extra=(),
                 name="pco-sim", port=0):
        argv = [program("pco-sim"), "--port", str(port), "--orgs", str(orgs), "--people", str(people),
                "--seed", str(seed), "--latency-ms", str(latency_ms), "--rate", rate]
        if window:
            argv += ["--window", window]
        if mark:
            argv += ["--mark", mark]
        self.argv = argv + [str(word) for word in extra]
        self.proc = Proc(box, name, self.argv, env=SANITIZER_ENV)
        self.address = None

    def start(self, timeout=60):
        self.proc.start()
        self.address = self.proc.wait_log(r"listening (127\.0\.0\.1:\d+)", timeout).group(1)
        if "--port" in self.argv:  # a restart comes back at the same place
            self.argv[self.argv.index("--port") + 1] = self.address.rsplit(":", 1)[1]
            self.proc.argv = self.argv
        return self

    @property
    def base_url(self):
        return f"http://{self.address}"

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, headers, body bytes); HTTP errors are answers."""
        data = None if body is None else json.dumps(body).encode()
        req = urllib.request.Request(self.base_url + path, data=data, method=method, headers=dict(headers or {}))
        if data is not None:
            req.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(req, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()

    def get(self, path):
        status, _, body = self.request("GET", path)
        if status != 200:
            raise HarnessError(f"simulator: GET {path} -> {status}: {body[:300]!r}")
        return json.loads(body) if body.strip() else None

    def post(self, path, body):
        status, _, answer = self.request("POST", path, body)
        if status not in (200, 201, 202, 204):
            raise HarnessError(f"simulator: POST {path} {body} -> {status}: {answer[:300]!r}")
        return json.loads(answer) if answer.strip() else None

    def dump(self, org_index, kind):
        """All living records of a type, as JSON:API resource objects."""
        status, _, body = self.request("GET", f"/_sim/orgs/{org_index}/dump?type={kind}", timeout=300)
        if status != 200:
            raise HarnessError(f"simulator: dump of {kind} -> {status}: {body[:300]!r}")
        return [json.loads(line) for line in body.splitlines() if line.strip()]

    def stats(self, org_index=1):
        return self.get(f"/_sim/stats?org={org_index}")

    def ledger(self):
        """What the simulator was asked, oldest first."""
        status, _, body = self.request("GET", "/_sim/ledger", timeout=300)
        if status != 200:
            raise HarnessError(f"simulator: ledger -> {status}")
        text = body.decode().strip()
        if text.startswith("["):
            return json.loads(text)
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def requests(self, org_index=None):
        """The ledger's requests of the API proper (no tokens, no control), of one org or all."""
        return [e for e in self.ledger() if not e["target"].startswith(("/oauth", "/_sim"))
                and (org_index is None or e["org"] == org_index)]

    def writes(self, org_index=None):
        """The ledger's POST, PATCH and DELETE: method, target, status, done, heard, type, id, names, body if kept."""
        return [e for e in self.requests(org_index) if e["method"] != "GET"]

    def keep_bodies(self, keep=True):
        """Whether the ledger keeps the bodies of writes."""
        return self.post("/_sim/ledger/bodies", {"keep": keep})

    def reset_ledger(self):
        return self.post("/_sim/ledger/reset", {})

    def duplicates(self, org_index=1):
        """Records that the same request created more than once."""
        return self.get(f"/_sim/orgs/{org_index}/duplicates")

    def settings(self, org_index=0, **values):
        """show_after_ms, show_all_late, respell, commit_ms; of one org or of all."""
        return self.post("/_sim/settings", {"org": org_index, **values})

    def do(self, method, path, attributes=None, relationships=None, org_index=1, included=None):
        """What somebody at the church does to a record, by the API's path; no limit, no ledger, no fault. Gives the record, or
        None after a DELETE."""
        data = {"attributes": attributes or {}, "relationships": relationships or {}}
        answer = self.post(f"/_sim/orgs/{org_index}/do", {"method": method, "path": path, "body": {
            "data": data, **({"included": included} if included else {})}})
        if answer["status"] not in (200, 201, 204):
            raise HarnessError(f"simulator: {method} {path} at the church -> {answer}")
        return answer["body"]["data"] if answer["body"] else None

    def merge(self, keep, remove, org_index=1):
        """Somebody at the church makes one person of two (ids)."""
        return self.post(f"/_sim/orgs/{org_index}/merge", {"keep": str(keep), "remove": str(remove)})

    def fault(self, kind, org_index=None, **rule):
        """Adds a fault: match, times, after, every, prob, delay_ms, record, id, arg, once, step (tests/sim/pco/README.md)."""
        if org_index is not None:
            rule["org"] = org_index
        return self.post("/_sim/faults", {"kind": kind, **rule})

    def clear_faults(self):
        status, _, body = self.request("DELETE", "/_sim/faults")
        if status not in (200, 204):
            raise HarnessError(f"simulator: clearing faults -> {status}: {body[:300]!r}")

    def edits(self, op, count=1, every_requests=None, maximum=None, org_index=1):
        """Edits of a kind, now or while it is being listed."""
        body = {"org": org_index, "op": op, "count": count}
        if every_requests is not None:
            body["every_requests"] = every_requests
        if maximum is not None:
            body["max"] = maximum
        return self.post("/_sim/edits", body)

    def api(self, org_index, path, method="GET", body=None, headers=None):
        """A request as an outside user of the API would make it, with the org's personal access token."""
        pair = base64.b64encode(f"app-{org_index}:secret-{org_index}".encode()).decode()
        head = {"Authorization": f"Basic {pair}", "User-Agent": "openfaith-tests"}
        head.update(headers or {})
        return self.request(method, path, body, head)


# ---------------------------------------------------------------------------------------------------------------------
class Cluster:
    """Servers, simulator and programs of one test. `env` goes to every program of ours, `worker_env` to workers only;
    quick=False leaves all times at their defaults."""

    def __init__(self, name="openfaith", kafka="mock", people=100, orgs=1, workers=1, schedulers=1, seed=1, rate="off",
                 latency_ms=0, window=None, sim_extra=(), mark=None, fast=True, env=None, worker_env=None, keep=False,
                 start=True, sim=True, kafka_settings=None, partitions=6, log_level="info",
                 quick=True, cdc=1):
        self.box = Sandbox(name, keep)
        self.kafka_kind, self.partitions = kafka, partitions
        self.env_extra, self.worker_env = {**(QUICK if quick else {}), **(env or {})}, dict(worker_env or {})
        self.log_level = log_level
        self.n_workers, self.n_schedulers = workers, schedulers
        self.n_cdc, self.cdcs = cdc, []
        self.workers, self.schedulers, self.connected = [], [], {}
        self.pg = Postgres(self.box, fast=fast)
        self.kafka = Kafka(self.box, kafka_settings) if kafka == "real" else None
        self.sim_args = dict(orgs=orgs, people=people, seed=seed, rate=rate, latency_ms=latency_ms, window=window,
                             mark=mark, extra=sim_extra) if sim else None
        self.sim = self.database = self.keyring = None
        self._started = start

    # -- life ----------------------------------------------------------------------------------------------------------
    def __enter__(self):
        try:
            if self._started:
                self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            return self.box.__exit__(kind, value, trace)
        try:
            self.stop_programs()
            reports = self.box.sanitizer_reports()
            if reports:
                raise AssertionError("sanitizer findings:\n" + "\n".join(reports))
        except BaseException:
            self.box.__exit__(*sys.exc_info())
            raise
        self.box.close()
        return False

    def start(self):
        self.start_servers()
        self.migrate()
        self.start_programs()
        return self

    def start_servers(self):
        self.pg.start()
        self.database = self.pg.create_database()
        if self.kafka_kind == "real":
            self.kafka.start()
        else:
            self.kafka = MockKafka(self.box, topics_with_dead_letters(), self.partitions).start()
        if self.sim_args is not None:
            self.sim = Sim(self.box, **self.sim_args).start()
        self.keyring = os.path.join(self.box.path, "keyring")
        if not os.path.exists(self.keyring):
            line = self.ctl("keys", "new", env={}).stdout.strip().splitlines()[-1]
            fd = os.open(self.keyring, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as out:
                out.write(line + "\n")
        return self

    def migrate(self):
        return self.ctl("migrate")

    def start_programs(self):
        for _ in range(self.n_schedulers):
            self.add_scheduler()
        for _ in range(self.n_workers):
            self.add_worker()
        for _ in range(self.n_cdc):
            self.add_cdc()

    def stop_programs(self, timeout=30):
        """SIGTERM to all; each must exit 0 in time, unless a test killed it."""
        for proc in self.programs():
            if proc.alive():
                proc.send(18)  # SIGCONT
                proc.send(proc.stop_signal)
        for proc in self.programs():
            if proc.popen is None or proc.killed:
                continue
            try:
                code = proc.wait(timeout)  # a second SIGTERM would mean: leave now
            except HarnessError:
                proc.kill9()
                raise
            if code not in (0, -9):
                raise AssertionError(f"{proc.name} ended with {code}:\n{tail(proc.log_path, 20)}")

    def close(self):
        self.box.close()

    # -- programs ------------------------------------------------------------------------------------------------------
    def env(self, **more):
        """Settings of our programs."""
        env = {
            "OF_DATABASE_URL": self.pg.url(self.database) if self.database else "",
            "OF_KAFKA_BROKERS": self.kafka.brokers if self.kafka and self.kafka.brokers else "",
            "OF_KEYRING_FILE": self.keyring or "", "OF_HTTP_PORT": "0", "OF_LOG_LEVEL": self.log_level,
            "OF_PARTITIONS": self.partitions, "OF_REPLICATION": 1 if self.kafka_kind == "real" else None,
        }
        if self.kafka_kind == "mock":  # it waits for a session's length at every rebalance but the first
            env["OF_SESSION_TIMEOUT_MS"] = 3000
        env.update(SANITIZER_ENV)
        env.update(self.env_extra)
        env.update(more)
        return {key: str(value) for key, value in env.items() if value is not None}

    def add_worker(self, **env):
        proc = Proc(self.box, f"worker-{len(self.workers)}", [program("openfaith-worker")],
                    env=self.env(**{**self.worker_env, **env}))
        self.workers.append(proc.start())
        return proc

    def add_scheduler(self, **env):
        proc = Proc(self.box, f"scheduler-{len(self.schedulers)}", [program("openfaith-scheduler")],
                    env=self.env(**env))
        self.schedulers.append(proc.start())
        return proc

    def add_sim(self, name, **settings):
        """One more simulator, of the same size unless told otherwise; its base_url goes to connect."""
        return Sim(self.box, name=name, **{**self.sim_args, **settings}).start()

    def add_cdc(self, **env):
        """The change reader; a second copy waits for the first."""
        proc = Proc(self.box, f"cdc-{len(self.cdcs)}", [program("openfaith-cdc")],
                    env=self.env(OF_CDC_SPILL_DIR=self.box.path, **env))
        self.cdcs.append(proc.start())
        return proc

    def programs(self):
        return self.workers + self.schedulers + self.cdcs

    # -- openfaithctl --------------------------------------------------------------------------------------------------
    def ctl(self, *args, check=True, env=None, timeout=120):
        """Runs openfaithctl; a CompletedProcess with text output. `env` replaces the settings when given."""
        settings = self.env() if env is None else {**SANITIZER_ENV, **env}
        base = {k: v for k, v in os.environ.items() if not k.startswith("OF_")}
        done = subprocess.run([program("openfaithctl"), *[str(a) for a in args]], env={**base, **settings},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout, cwd=self.box.path, check=False)
        if done.returncode in (86, 87) or "runtime error:" in done.stderr:
            raise AssertionError(f"openfaithctl {args}: sanitizer finding:\n{done.stderr[-4000:]}")
        if check and done.returncode != 0:
            raise HarnessError(f"openfaithctl {' '.join(map(str, args))} ended with {done.returncode}:\n"
                               f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def ctl_json(self, *args, check=True, timeout=120):
        """As ctl with --json, and the answer parsed (an array, an object, or the list of objects, one a line)."""
        text = self.ctl(*args, "--json", check=check, timeout=timeout).stdout.strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]

    # -- connections ---------------------------------------------------------------------------------------------------
    def credentials_file(self, org_index, kind="pat", **more):
        path = os.path.join(self.box.path, f"credentials-{org_index}-{kind}.json")
        mark = (self.sim_args or {}).get("mark") or ""  # ends every secret
        if kind == "pat":
            value = {"type": "pat", "app_id": f"app-{org_index}", "secret": f"secret-{org_index}{mark}"}
        else:
            value = {"type": "oauth", "client_id": f"client-{org_index}", "client_secret": f"clientsecret-{org_index}{mark}",
                     "refresh_token": f"refresh-{org_index}-0{mark}", "access_token": f"access-{org_index}-0{mark}",
                     "expires_at": int(time.time()) + 7200}
        value.update(more)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as out:
            json.dump(value, out)
        return path

    def connect(self, org, org_index=1, mode="bidirectional", types=None, rate="off", kind="pat", base_url=None,
                credentials=None, check=True, extra=(), adapter="pco"):
        path = credentials or self.credentials_file(org_index, kind)
        args = ["connect", org, adapter, "--mode", mode, "--credentials", path, "--base-url",
                base_url or self.sim.base_url, "--rate", rate]
        if types:
            args += ["--types", ",".join(types)]
        done = self.ctl(*args, *extra, check=check)
        if adapter == "pco":
            self.connected[org] = {"index": org_index, "mode": mode, "types": types}
        return done

    def status(self, org, adapter="pco"):
        """The one connection's object of `status --json`."""
        found = [item for item in (self.ctl_json("status", org) or [])
                 if item["org"] == org and item.get("adapter", adapter) == adapter]
        return found[0] if found else None

    def wait_state(self, org, state, timeout, adapter="pco"):
        return wait_until(lambda: (lambda s: s if s and s["state"] == state else None)(self.status(org, adapter)), timeout,
                          f"{org}: state {state!r}", interval=0.3)

    def wait_active(self, org, timeout=120, adapter="pco"):
        try:
            return self.wait_state(org, ACTIVE, timeout, adapter)
        except HarnessError as cause:
            raise HarnessError(f"{cause}\nstatus: {json.dumps(self.status(org, adapter), indent=1)}\n{self.owed()}") from None

    def settle(self, org=None, timeout=120):
        args = ["settle"] + ([org] if org else []) + ["--timeout", str(int(timeout))]
        done = self.ctl(*args, check=False, timeout=timeout + 60)
        if done.returncode != 0:
            raise HarnessError(f"settle: exit {done.returncode}, owed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}\n"
                               + self.owed())
        return done

    def owed(self):
        """What Postgres says is not finished: for the text of failures."""
        out = []
        for title, sql in (
                ("phases", "SELECT org_id, external_type, step, seq, emitted_seq, due_at, moved_at, processed, total, attempts, "
                 "waits, error FROM sync.phase WHERE step <> 'done' ORDER BY moved_at LIMIT 30"),
                ("work", "SELECT org_id, direction, record_type, record_id, state, due_at, attempts, reason, waits_for, "
                 "error, place FROM sync.work ORDER BY due_at LIMIT 20")):
            try:
                out.append(f"{title}: " + "\n  ".join(map(str, self.query(sql))))
            except Exception as cause:  # the text of a failure must not hide the failure
                out.append(f"{title}: {str(cause).splitlines()[0] if str(cause) else cause!r}")
        return "\n".join(out)

    def create_roles(self):
        """The roles and grants that README.md lists: role -> its URL. After migrate()."""
        with open(os.path.join(REPO, "README.md"), encoding="utf-8") as text:
            block = re.search(r"## Roles and grants.*?```sql\n(.*?)```", text.read(), re.S)
        assert block, "README.md has no SQL block of grants"
        roles = sorted(set(re.findall(r"\bopenfaith_[a-z]+(?=;)", block.group(1))))
        for role in roles:
            self.query(f"CREATE ROLE {role} LOGIN NOSUPERUSER")
        self.query(block.group(1))
        return {role: self.pg.url(self.database).replace("openfaith@", f"{role}@") for role in roles}

    # -- looking ------------------------------------------------------------------------------------------------------
    def db(self):
        return self.pg.connect(self.database)

    def query(self, sql, *args):
        with contextlib.closing(self.db()) as db, db.cursor() as cur:
            cur.execute(sql, args or None)
            return cur.fetchall() if cur.description else []

    def value(self, sql, *args):
        rows = self.query(sql, *args)
        return rows[0][0] if rows else None

    def differences(self, org, org_index=None, mode=None, types=None, **options):
        known = self.connected.get(org, {})
        return compare.compare(
            self.pg.url(self.database), self.sim, known.get("index", 1) if org_index is None else org_index, org,
            mode=mode or known.get("mode", "bidirectional"), types=types or known.get("types"), **options)

    def assert_mirror(self, org, org_index=None, **options):
        found = self.differences(org, org_index, **options)
        if found:
            raise AssertionError(f"{len(found)} differences between both sides of {org}:\n  " + "\n  ".join(found[:60]))

    def assert_same(self, org, org_index=None, sim=None, duplicates=True, **options):
        """Both sides were edited, all is settled: they are the same, and nothing was created twice there. Options: unlinked,
        follow (compare_both.py), mode, types, adapter, members_read."""
        known = self.connected.get(org, {})
        index = known.get("index", 1) if org_index is None else org_index
        options = {"mode": known.get("mode", "bidirectional"), "types": known.get("types"), "members_read": False, **options}
        found = compare.compare(self.pg.url(self.database), sim or self.sim, index, org, both=True, **options)
        if duplicates:
            found += [f"created {len(twice['ids'])} times: {twice}" for twice in (sim or self.sim).duplicates(index)]
        if found:
            raise AssertionError(f"{len(found)} differences between both sides of {org}:\n  " + "\n  ".join(found[:60]))

    def assert_nothing_owed(self, org=None):
        """No work left in any state, nothing dead. Where nothing is created here (mode openfaith), and at people who wait for a
        review, edges and values stay parked until their ends are linked."""
        rows = self.query("SELECT org_id, adapter, direction, record_type, record_id, state, reason, attempts, error FROM sync.work w "
                          "WHERE (%s::text IS NULL OR org_id = %s) AND NOT (state = 'parked' AND reason IN ('edge', 'value') AND ("
                          "EXISTS (SELECT FROM sync.connection c WHERE c.org_id = w.org_id AND c.mode = 'openfaith') OR EXISTS ("
                          "SELECT FROM sync.external_link l WHERE l.org_id = w.org_id AND l.state = 'ambiguous'))) LIMIT 20",
                          org, org)
        if rows:
            raise AssertionError("sync.work is not empty:\n  " + "\n  ".join(map(str, rows)))

    def http_port(self, proc):
        """The port that a program wrote to its log for OF_HTTP_PORT=0."""
        def look():
            for line in proc.log_text().splitlines():
                try:
                    item = json.loads(line)
                except ValueError:
                    continue
                for key in ("port", "http_port"):
                    if isinstance(item.get(key), int):
                        return item[key]
                match = re.search(r"listening on \S*:(\d+)", item.get("msg", ""))
                if match:
                    return int(match.group(1))
            return None
        return wait_until(look, 10, f"{proc.name}: its HTTP port")

    def http_get(self, proc, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port(proc)}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()
