# SPDX-License-Identifier: Apache-2.0
"""Credentials: refreshed by one for the fleet, lost answers, what ends in "Reconnect Needed" and what does not."""
import time

from harness import Cluster, wait_until
from runner import test

ORG = "token-church"


def token_requests(c):
    """How often the token endpoint was asked."""
    return c.sim.stats(1)["token_requests"]


def mirrored(c, timeout=90):
    c.wait_active(ORG, timeout)
    c.settle(ORG)
    c.assert_mirror(ORG)


def begun(c, count=15):
    wait_until(lambda: len(c.sim.requests(1)) >= count, 30, "the sync to begin", 0.1)


@test(timeout=120)
def an_expired_access_token_is_refreshed_once():
    """Two workers, eight requests in flight: all access tokens expire at once, one refresh."""
    with Cluster("token-expired", people=1500, workers=2, latency_ms=30) as c:
        c.connect(ORG, kind="oauth")
        begun(c)
        c.sim.post("/_sim/expire", {"org": 1})
        mirrored(c)
        assert token_requests(c) == 1, token_requests(c)
        assert c.value("SELECT prev_sealed IS NULL FROM sync.token"), "the former credentials were not dropped"


@test(timeout=120)
def short_lives_are_renewed_before_they_end():
    """Access tokens of four seconds: a refresh each, ahead of time, and hardly a 401."""
    with Cluster("token-short", people=400, workers=2, latency_ms=60, sim_extra=["--token-life", 4]) as c:
        path = c.credentials_file(1, "oauth", expires_at=int(time.time()) + 4)
        c.connect(ORG, kind="oauth", credentials=path, rate="40/1")
        mirrored(c)
        refused = [e for e in c.sim.requests(1) if e["status"] == 401]
        span = (c.sim.requests(1)[-1]["t_ms"] - c.sim.requests(1)[0]["t_ms"]) / 1000
        print(f"{token_requests(c)} refreshes in {span:.1f} s, {len(refused)} requests refused")
        assert token_requests(c) <= span / 2 + 2, "refreshed more often than needed"
        assert len(refused) <= 8, len(refused)


@test(timeout=120)
def a_lost_answer_costs_a_repetition():
    """The refresh is done there and its answer lost: the old refresh token again, at once, and the sync goes on."""
    with Cluster("token-lost", people=800, workers=2, latency_ms=30) as c:
        c.connect(ORG, kind="oauth")
        begun(c)
        c.sim.fault("lost", match="/oauth/token", times=2)
        c.sim.post("/_sim/expire", {"org": 1})
        mirrored(c)
        assert token_requests(c) == 3, token_requests(c)


@test(timeout=120)
def a_system_away_is_no_reconnect():
    """The token endpoint answers 503 for a while: the sync waits and goes on."""
    with Cluster("token-away", people=800, workers=1, latency_ms=30) as c:
        c.connect(ORG, kind="oauth")
        begun(c)
        c.sim.fault("status503", match="/oauth/token", times=8)
        c.sim.post("/_sim/expire", {"org": 1})
        mirrored(c)
        states = [row[0] for row in c.query("SELECT DISTINCT state FROM sync.connection")]
        assert states == ["connected"], states


@test(timeout=150)
def revoked_oauth_waits_for_a_person():
    """invalid_grant on both versions: parked, no more requests; new credentials and all goes on."""
    with Cluster("token-revoked", people=800, workers=2, latency_ms=30) as c:
        c.connect(ORG, kind="oauth")
        begun(c)
        c.sim.post("/_sim/revoke", {"org": 1})
        c.wait_state(ORG, "Reconnect Needed", 30)
        time.sleep(1)
        before = len(c.sim.requests())
        time.sleep(3)
        assert len(c.sim.requests()) <= before, "it goes on asking"
        fresh = c.sim.post("/_sim/restore", {"org": 1})
        tokens = fresh[0] if isinstance(fresh, list) else fresh
        path = c.credentials_file(1, "oauth", refresh_token=tokens["refresh_token"], access_token=tokens["access_token"])
        c.connect(ORG, kind="oauth", credentials=path)
        mirrored(c)


@test(timeout=120)
def one_refusal_is_no_revocation():
    """A single 401 for a personal token: asked again, not parked."""
    with Cluster("token-hiccup", people=500, workers=1, latency_ms=30) as c:
        c.connect(ORG)
        begun(c)
        c.sim.fault("status401", match="GET", times=1)
        mirrored(c)


@test(timeout=120)
def other_credentials_after_a_disconnect():
    """A worker that runs meanwhile does not go on with the credentials that were deleted."""
    with Cluster("token-again", people=60, workers=1) as c:
        c.connect(ORG, kind="oauth")
        mirrored(c)
        before = {e["token"] for e in c.sim.requests(1)}
        since = c.sim.ledger()[-1]["seq"]
        c.ctl("disconnect", ORG, "pco")
        c.connect(ORG, kind="pat")
        mirrored(c)
        later = {e["token"] for e in c.sim.requests(1) if e["seq"] > since}
        assert later and not later & before, (before, later)


@test(timeout=120)
def another_account_after_a_disconnect():
    """Credentials of another church's account: nothing of it is taken, a person is told, and nothing is asked any more."""
    with Cluster("token-foreign", people=500, orgs=2, workers=1) as c:
        c.connect(ORG)
        mirrored(c)
        links = c.query("SELECT external_type, external_id, state FROM sync.external_link ORDER BY 1, 2")
        c.ctl("disconnect", ORG, "pco")
        c.connect(ORG, org_index=2, check=False)
        c.wait_state(ORG, "Reconnect Needed", 30)
        assert "another account" in c.value("SELECT reason FROM sync.connection WHERE org_id = %s", ORG)
        time.sleep(1)
        before = len(c.sim.requests())
        time.sleep(4)
        assert len(c.sim.requests()) == before, "it goes on asking"
        assert c.query("SELECT external_type, external_id, state FROM sync.external_link ORDER BY 1, 2") == links
