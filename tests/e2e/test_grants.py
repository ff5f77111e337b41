# SPDX-License-Identifier: Apache-2.0
"""The grants that README.md lists are enough, for each program."""
import os
import re

from harness import Cluster
from procs import REPO
from runner import test

ORG = "grants-church"
ROLES = ("openfaith_scheduler", "openfaith_worker", "openfaith_operator", "openfaith_cdc")


def grants():
    with open(os.path.join(REPO, "README.md"), encoding="utf-8") as text:
        block = re.search(r"## Roles and grants.*?```sql\n(.*?)```", text.read(), re.S)
    assert block, "README.md has no SQL block of grants"
    return block.group(1)


@test(timeout=120)
def as_in_the_readme():
    """A whole sync, with every program under its own role."""
    with Cluster("grants", people=150, start=False) as c:
        c.start_servers()
        for role in ROLES:
            c.query(f"CREATE ROLE {role} LOGIN NOSUPERUSER")
        c.migrate()
        c.query(grants())
        url = {role: c.pg.url(c.database).replace("openfaith@", f"{role}@") for role in ROLES}
        c.add_scheduler(OF_DATABASE_URL=url["openfaith_scheduler"])
        c.add_worker(OF_DATABASE_URL=url["openfaith_worker"])
        reader = c.add_cdc(OF_DATABASE_URL=url["openfaith_cdc"])
        operator = c.env(OF_DATABASE_URL=url["openfaith_operator"])
        c.ctl("connect", ORG, "pco", "--mode", "bidirectional", "--credentials", c.credentials_file(1), "--base-url",
              c.sim.base_url, "--rate", "off", env=operator)
        c.wait_active(ORG, 60)
        for words in (["settle", ORG, "--timeout", "60"], ["status", ORG], ["work", "list"], ["dlq", "list"],
                      ["review", "list"], ["pause", ORG, "pco"], ["resume", ORG, "pco"], ["keys", "rotate"],
                      ["sync", ORG, "pco"]):
            c.ctl(*words, env=operator)
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        c.assert_mirror(ORG)
        # a slot that was lost: made anew, and what changed found by comparing
        reader.stop()
        c.query("SELECT pg_drop_replication_slot('openfaith')")
        reader.start()
        reader.wait_log("cdc.repaired", 30)
        c.query("UPDATE openfaith_people SET name = name")
        c.settle(ORG, 60)
