# SPDX-License-Identifier: Apache-2.0
"""Temporary Postgres, Apache Kafka (from Maven Central), and the in-process broker, on free ports of 127.0.0.1."""
import contextlib
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import psycopg2

from procs import HarnessError, Proc, Skip, free_port, program, server_user, wait_until

KAFKA_VERSION = os.environ.get("OF_TEST_KAFKA_VERSION", "4.4.0")
SLF4J_VERSION = "1.7.36"


def _run_as_server(argv, what, timeout=60, env=None):
    user = server_user()
    extra = {"user": user[1], "group": user[2], "extra_groups": []} if user else {}
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/",
                          timeout=timeout, env=env, check=False, **extra)
    if done.returncode != 0:
        raise HarnessError(f"{what} failed ({done.returncode}):\n{done.stdout.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


# ---------------------------------------------------------------------------------------------------------------------
class Postgres:
    """A database cluster of its own. fast=True gives up crash safety of the machine (not of the server) for speed."""

    def __init__(self, box, fast=False, max_connections=200, settings=None):
        self.box, self.user = box, "openfaith"
        self.root = box.folder("postgres", for_server=True)
        self.data = os.path.join(self.root, "data")
        self.port = free_port()
        self.proc = None
        self.bin = self._bin_dir()
        self.databases = 0
        self.settings = {
            "listen_addresses": "'127.0.0.1'", "unix_socket_directories": f"'{self.root}'",
            "max_connections": max_connections, "wal_level": "logical", "max_replication_slots": 20,
            "max_wal_senders": 20, "shared_buffers": "128MB", "max_wal_size": "2GB", "log_min_messages": "warning",
            "log_line_prefix": "'%m [%p] %d '", "timezone": "'UTC'", "log_timezone": "'UTC'", "cluster_name": "''",
        }
        if fast:
            self.settings.update({"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"})
        self.settings.update(settings or {})

    @staticmethod
    def _bin_dir():
        if os.environ.get("OF_TEST_PG_BIN"):
            return os.environ["OF_TEST_PG_BIN"]
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
        preferred = [p for p in found if p.split("/")[4] == "15"]
        if not found:
            raise Skip("PostgreSQL is not installed (tools/install-deps)")
        return os.path.dirname((preferred or found)[-1])

    def start(self, timeout=30):
        if not os.path.exists(self.data):
            _run_as_server([f"{self.bin}/initdb", "-D", self.data, "-U", self.user, "-A", "trust", "-E", "UTF8",
                            "--locale=C.UTF-8", "--no-sync"], "initdb", env={"PATH": "/usr/bin:/bin"})
        argv = [f"{self.bin}/postgres", "-D", self.data, "-c", f"port={self.port}"]
        for key, value in self.settings.items():
            argv += ["-c", f"{key}={str(value).strip(chr(39))}"]
        if self.proc is None:
            # fast shutdown is SIGINT, immediate SIGQUIT: what it gets when we die
            self.proc = Proc(self.box, "postgres", argv, as_server=True, stop_signal=signal.SIGINT,
                             death_signal=signal.SIGQUIT)
        self.proc.argv = argv
        self.proc.start()
        wait_until(self._ready, timeout, "Postgres")
        return self

    def _ready(self):
        if not self.proc.alive():
            raise HarnessError("Postgres ended:\n" + self.proc.log_text()[-3000:])
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=2).close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, mode="fast", timeout=60):
        """mode fast (sessions are ended, checkpoint) or immediate (as after a crash)."""
        if self.proc is None or not self.proc.alive():
            return
        self.proc.send({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        self.proc.wait(timeout)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def url(self, database):
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name=None):
        """A new database; its name."""
        self.databases += 1
        name = name or f"openfaith_{self.databases}"
        with contextlib.closing(psycopg2.connect(self.url("postgres"))) as db:
            db.autocommit = True
            with db.cursor() as cur:
                cur.execute(f'CREATE DATABASE "{name}"')
        return name

    def connect(self, database):
        db = psycopg2.connect(self.url(database), connect_timeout=10)
        db.autocommit = True
        return db


# ---------------------------------------------------------------------------------------------------------------------
def _cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "openfaith-sync")


def kafka_jars():
    """Folder with Kafka's jars, fetched from Maven Central once and kept outside the build tree."""
    cache = _cache_dir()
    target = os.path.join(cache, f"kafka-{KAFKA_VERSION}")
    if os.path.isdir(target):
        return target
    for tool in ("mvn", "java"):
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed (tools/install-deps test)")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(target):
            return target
        work = tempfile.mkdtemp(prefix="fetch-", dir=cache)
        try:
            pom = os.path.join(work, "pom.xml")
            with open(pom, "w", encoding="utf-8") as out:
                out.write(f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>org.openfaith.tests</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>{SLF4J_VERSION}</version></dependency>
  </dependencies>
</project>
""")
            done = subprocess.run(
                ["mvn", "-B", "-q", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime",
                 f"-DoutputDirectory={work}/jars"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=900, check=False)
            if done.returncode != 0:
                raise HarnessError("Maven could not fetch Kafka:\n" + done.stdout.decode(errors="replace")[-3000:])
            os.chmod(f"{work}/jars", 0o755)
            os.rename(f"{work}/jars", target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


class Kafka:
    """One Apache Kafka node (broker and controller), data kept over stop, kill and restart."""

    def __init__(self, box, settings=None, heap_mb=256, name="kafka"):
        self.box, self.name, self.heap_mb = box, name, heap_mb
        self.root = box.folder(name, for_server=True)
        self.port, self.controller_port = free_port(), free_port()
        self.proc, self.settings = None, dict(settings or {})
        self.jars = os.path.join(self.root, "jars")

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"

    def _prepare(self):
        # hard links, since the servers' user may not be able to look into our home directory
        os.mkdir(self.jars)
        source = kafka_jars()
        for jar in os.listdir(source):
            if jar.endswith(".jar"):
                try:
                    os.link(os.path.join(source, jar), os.path.join(self.jars, jar))
                except OSError:
                    shutil.copy(os.path.join(source, jar), self.jars)
        config = {
            "process.roles": "broker,controller", "node.id": 1,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER", "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": os.path.join(self.root, "data"), "auto.create.topics.enable": "false", "num.partitions": 6,
            "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1, "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1, "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 1, "num.io.threads": 2, "log.cleaner.dedupe.buffer.size": 16777216,
            "log.index.size.max.bytes": 1048576, "group.min.session.timeout.ms": 1000,
        }
        config.update(self.settings)
        self.config_path = os.path.join(self.root, "server.properties")
        with open(self.config_path, "w", encoding="ascii") as out:
            out.writelines(f"{key}={value}\n" for key, value in config.items())
        os.chmod(self.config_path, 0o644)
        java = shutil.which("java")
        classpath = os.path.join(self.jars, "*")
        ident = _run_as_server([java, "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", classpath,
                                "kafka.tools.StorageTool", "random-uuid"], "StorageTool").split()[-1]
        _run_as_server([java, "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", classpath, "kafka.tools.StorageTool",
                        "format", "--standalone", "--cluster-id", ident, "--config", self.config_path], "StorageTool")
        self.proc = Proc(self.box, self.name, [
            java, f"-Xms{self.heap_mb}m", f"-Xmx{self.heap_mb}m", "-XX:+UseSerialGC", "-XX:MaxDirectMemorySize=64m",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
            "-cp", classpath, "kafka.Kafka", self.config_path], as_server=True, cwd=self.root)

    def start(self, timeout=60):
        if self.proc is None:
            self._prepare()
        self.proc.start()
        self.proc.wait_log(r"Kafka Server started", timeout)
        wait_until(lambda: broker_answers("127.0.0.1", self.port), 10, "Kafka's listener")
        return self

    def stop(self, timeout=60):
        self.proc.stop(timeout)

    def kill(self):
        self.proc.kill9()

    def restart(self):
        if self.proc.alive():
            self.stop()
        self.start()


def broker_answers(host, port):
    """Whether a broker answers ApiVersions."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            sock.sendall(struct.pack(">i", len(request)) + request)
            head = sock.recv(4)
            return len(head) == 4 and len(sock.recv(16)) >= 6
    except OSError:
        return False


class MockKafka:
    """librdkafka's in-process broker in a process of its own: memory only, gone with the process."""

    def __init__(self, box, topics=(), partitions=6):
        self.topics = list(topics)
        argv = [program("mock-kafka")] + [f"--topic={t}:{partitions}" for t in self.topics]
        self.proc = Proc(box, "mock-kafka", argv)
        self.brokers = None

    def start(self, timeout=15):
        self.proc.start()
        self.brokers = self.proc.wait_log(r"(?m)^bootstrap (\S+)$", timeout).group(1)
        return self

    def stop(self, timeout=10):
        self.proc.stop(timeout)
