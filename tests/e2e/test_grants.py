# SPDX-License-Identifier: Apache-2.0
"""The grants that README.md lists are enough, for each program."""
from harness import Cluster
from runner import test

ORG = "grants-church"


def decisions(c, reviewer):
    """What is decided about people: with a role that sees them and writes none of their data."""
    person, ident = c.query("SELECT entity_id, external_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
                            "AND state = 'linked' ORDER BY id LIMIT 1", ORG)[0]
    email = c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Email' AND state = 'linked' "
                    "ORDER BY id LIMIT 1", ORG)
    for words in (["explain", ORG, person], ["push", ORG, "pco", person], ["unlink", ORG, "pco", "Person", ident],
                  ["link", ORG, "pco", person, "Person", ident], ["work", "retry", ORG], ["work", "release", ORG], ["dlq", "stats", ORG],
                  ["dlq", "replay", ORG], ["dlq", "export", ORG]):
        c.ctl(*words, env=reviewer)
    c.query('UPDATE openfaith_emails SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE id = %s', email)
    c.settle(ORG, 60)
    asked = [r for r in c.ctl_json("review", "list", ORG) if r["kind"] == "delete"]
    assert [r["entityId"] for r in asked] == [email], asked
    c.ctl("review", "show", asked[0]["review"], env=reviewer)
    c.ctl("review", "accept", asked[0]["review"], env=reviewer)
    c.settle(ORG, 60)


@test(timeout=120)
def as_in_the_readme():
    """A whole sync, with every program under its own role."""
    with Cluster("grants", people=150, start=False) as c:
        c.start_servers()
        c.migrate()
        url = c.create_roles()
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
        decisions(c, c.env(OF_DATABASE_URL=url["openfaith_reviewer"]))
        # a slot that was lost: made anew, and what changed found by comparing
        reader.stop()
        c.query("SELECT pg_drop_replication_slot('openfaith')")
        reader.start()
        reader.wait_log("cdc.repaired", 30)
        c.query("UPDATE openfaith_people SET name = name")
        c.settle(ORG, 60)
