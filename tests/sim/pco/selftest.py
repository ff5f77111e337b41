#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Smoke test of pco-sim: selftest.py PATH/TO/pco-sim. Closing line: N passed, N failed."""
import base64
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
import traceback
from urllib.parse import quote, urlencode

API = "/people/v2"


class Sim:
    """A running simulator."""

    def __init__(self, program, *args):
        self.proc = subprocess.Popen([program, *map(str, args)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.proc.stdout.readline().rsplit(":", 1)[1])

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        code = self.proc.wait(20)
        self.proc.stdout.close()
        return code

    def raw(self, method, target, headers=None, body=None, timeout=10):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            conn.request(method, target, body=body, headers=headers or {})
            answer = conn.getresponse()
            return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), answer.read()
        finally:
            conn.close()

    def get(self, target, org=1, bearer=None, mark="", timeout=10, headers=None):
        if bearer:
            auth = "Bearer " + bearer
        else:
            auth = "Basic " + base64.b64encode(f"app-{org}:secret-{org}{mark}".encode()).decode()
        return self.raw("GET", target, {"Authorization": auth, **(headers or {})}, timeout=timeout)

    def json(self, target, org=1, **kw):
        status, _, body = self.get(target, org, **kw)
        assert status == 200, (status, target, body[:200])
        return json.loads(body)

    def control(self, method, path, body=None):
        status, _, data = self.raw(method, "/_sim/" + path, body=json.dumps(body) if body is not None else None)
        assert status == 200, (path, status, data)
        return data

    def post(self, path, body=None):
        return json.loads(self.control("POST", path, {} if body is None else body))

    def dump(self, kind, org=1):
        return {r["id"]: r for r in map(json.loads, self.control("GET", f"orgs/{org}/dump?type={kind}").splitlines())}

    def write(self, method, target, data=None, org=1, body=None, headers=None, **top):
        """(status, headers, document or None) of a POST, PATCH or DELETE of the API."""
        auth = "Basic " + base64.b64encode(f"app-{org}:secret-{org}".encode()).decode()
        if data is not None:
            body = json.dumps({"data": data, **top})
        status, head, answer = self.raw(method, target, {"Authorization": auth, "Content-Type": "application/json",
                                                         **(headers or {})}, body)
        if status != 204 and not (head.get("content-length") or "transfer-encoding" in head):
            raise ConnectionError("the headers end early")  # http.client takes that for their end
        return status, head, json.loads(answer) if answer and "json" in head.get("content-type", "") else None

    def create(self, target, attributes, org=1, relationships=None, **top):
        """Creates and gives the record."""
        data = {"attributes": attributes, **({"relationships": relationships} if relationships else {})}
        status, _, doc = self.write("POST", target, data, org, **top)
        assert status == 201, (target, status, doc)
        return doc["data"]

    def patch(self, target, attributes=None, org=1, relationships=None, **top):
        data = {**({"attributes": attributes} if attributes is not None else {}),
                **({"relationships": relationships} if relationships else {})}
        status, _, doc = self.write("PATCH", target, data, org, **top)
        assert status == 200, (target, status, doc)
        return doc["data"]

    def refused(self, method, target, attributes=None, org=1, relationships=None, status=422, **top):
        """The text of a refusal."""
        data = {"attributes": attributes or {}, **({"relationships": relationships} if relationships else {})}
        have, _, doc = self.write(method, target, data, org, **top)
        assert have == status, (method, target, have, doc)
        return json.dumps(doc)

    def stats(self, org=1):
        return json.loads(self.control("GET", f"stats?org={org}"))

    def ledger(self, org=1):
        return [json.loads(x) for x in self.control("GET", f"ledger?org={org}").splitlines()]

    def pages(self, target, org=1):
        """Follows links.next verbatim."""
        out = []
        while target:
            page = self.json(target, org)
            out.append(page)
            target = page["links"].get("next")
            if target:
                target = "/" + target.split("/", 3)[3]
        return out


def rows(pages):
    return [r for p in pages for r in p["data"]]


def expect(have, want, what=""):
    assert have == want, f"{what}: have {have!r}, want {want!r}"


def shape(sim):
    status, head, body = sim.get(API + "/people?per_page=2")
    page = json.loads(body)
    expect(status, 200)
    expect(head["content-type"], "application/vnd.api+json; charset=utf-8")
    expect(head["x-pco-api-request-rate-period"], "20")
    expect(head["x-pco-api-processed-as-version"], "2026-06-04")
    expect(set(page), {"links", "data", "included", "meta"})
    expect(set(page["data"][0]), {"type", "id", "attributes", "relationships", "links"})
    expect(set(page["data"][0]["relationships"]), {"primary_campus"})
    expect(page["meta"]["parent"], {"id": "200001", "type": "Organization"})
    expect(page["meta"]["next"], {"offset": 2})
    assert "prev" not in page["meta"] and "prev" not in page["links"]
    assert "mfa_configured" not in page["data"][0]["attributes"]
    one = sim.json(API + "/people/1?include=emails")
    assert "links" not in one and one["data"]["id"] == "1" and "emails" in one["data"]["links"]
    expect(sim.json(API)["data"]["id"], "200001")
    expect(sim.get(API + "/nothing")[0], 404)
    expect(sim.get(API + "/household_memberships")[0], 404)
    expect(sim.get("/bogus")[1]["x-pco-api-request-rate-period"], "20 seconds")
    expect(sim.get(API + "/people", headers={"X-PCO-API-Version": "2017-01-01"})[0], 400)
    expect(sim.raw("PUT", API + "/people")[0], 401)
    hidden = sim.json(API + "/people/1?fields[Person]=mfa_configured,primary_campus")["data"]
    expect(set(hidden["attributes"]), {"mfa_configured"})
    expect(set(sim.json("/giving/v2/payment_sources/planning_center")["data"]["attributes"]),
           {"created_at", "name", "payment_source_type", "updated_at"})


def paging(sim):
    everybody = sim.dump("Person")
    for per_page in (1, 7, 25, 100, 500):
        if per_page == 1 and len(everybody) > 50:
            continue
        pages = sim.pages(f"{API}/people?per_page={per_page}")
        expect([r["id"] for r in rows(pages)], sorted(everybody, key=int), f"per_page {per_page}")
        assert all(p["meta"]["total_count"] == len(everybody) for p in pages)
    n = len(everybody)
    end = sim.json(f"{API}/people?offset={n + 50}")
    expect((end["data"], end["meta"]["prev"]), ([], {"offset": n + 25}))
    assert "next" not in end["meta"]
    zero = sim.json(API + "/people?per_page=0")
    expect((zero["data"], zero["meta"]["next"]), ([], {"offset": 0}))
    middle = sim.json(API + "/people?per_page=500&include=emails,addresses")
    assert middle["links"]["next"].endswith("?include=emails%2Caddresses&offset=100&per_page=500"), middle["links"]


def keyset(sim):
    """Walks created_at as the product does: ties of one second by offset."""
    everybody = sim.dump("Person")
    cursor, offset, seen = "2000-01-01T00:00:00Z", 0, []
    while True:
        page = sim.json(f"{API}/people?per_page=100&order=created_at&offset={offset}&where[created_at][gte]={cursor}")
        data = page["data"]
        seen += [r["id"] for r in data]
        if len(data) < 100:
            break
        last = data[-1]["attributes"]["created_at"]
        ties = sum(1 for r in data if r["attributes"]["created_at"] == last)
        offset = offset + ties if last == cursor else ties
        cursor = last
    expect(len(seen), len(set(seen)), "repeated rows")
    expect(set(seen), set(everybody), "keyset")
    times = [everybody[i]["attributes"]["created_at"] for i in seen]
    expect(times, sorted(times))
    most = max(times.count(t) for t in set(times))
    assert most > len(times) // 5, f"a bulk import shares its second: {most}"


def includes(sim):
    people, emails, data = sim.dump("Person"), sim.dump("Email"), sim.dump("FieldDatum")
    got = {"Email": set(), "FieldDatum": set(), "FieldDefinition": set()}
    for page in sim.pages(API + "/people?per_page=100&include=emails,emails,phone_numbers,addresses,marital_status,"
                          "field_data.field_definition,households"):
        included = {(r["type"], r["id"]) for r in page["included"]}
        expect(len(included), len(page["included"]), "included once each")
        for kind in got:
            got[kind] |= {i for t, i in included if t == kind}
        for person in page["data"]:
            rel = person["relationships"]
            assert "related" in rel["emails"]["links"] and "name_prefix" not in rel
            for name in ("emails", "marital_status", "households", "field_data"):
                expect(rel[name]["data"], people[person["id"]]["relationships"][name]["data"], name)
            for link in rel["emails"]["data"] + rel["field_data"]["data"]:
                assert (link["type"], link["id"]) in included
    expect(got["Email"], set(emails))
    expect(got["FieldDatum"], set(data))
    one = sim.json(API + "/households?include=people&per_page=100")
    linked = {p["id"] for h in one["data"] for p in h["relationships"]["people"]["data"]}
    expect({r["id"] for r in one["included"]}, linked)
    gifts = sim.json("/giving/v2/donations?include=designations&per_page=3")
    expect(len(gifts["included"]), sum(len(d["relationships"]["designations"]["data"]) for d in gifts["data"]))
    defs = sim.json(API + "/field_definitions?include=field_options,tab&filter=include_deleted&per_page=100")
    assert any(d["attributes"]["deleted_at"] for d in defs["data"])
    assert len(sim.json(API + "/field_definitions?per_page=100")["data"]) < len(defs["data"])
    slugs = [d["attributes"]["slug"] for d in defs["data"]]
    assert len(slugs) > len(set(slugs))


def nested(sim):
    households, members = sim.dump("Household"), sim.dump("HouseholdMembership")
    for hid in list(households)[:5]:
        page = sim.json(f"{API}/households/{hid}/household_memberships")
        expect({r["id"] for r in page["data"]},
               {m["id"] for m in members.values() if m["relationships"]["household"]["data"]["id"] == hid})
        expect(set(page["data"][0]["relationships"]), {"person"})
        expect(page["meta"]["parent"], {"id": hid, "type": "Household"})
        first = page["data"][0]["id"]
        expect(sim.json(f"{API}/households/{hid}/household_memberships/{first}")["data"]["id"], first)
    default = {r["id"] for r in sim.json("/groups/v2/groups?per_page=100")["data"]}
    whole = {r["id"] for r in sim.json("/groups/v2/groups?per_page=100&where[archive_status]=include")["data"]}
    only = {r["id"] for r in sim.json("/groups/v2/groups?per_page=100&where[archive_status]=only")["data"]}
    expect(whole, set(sim.dump("Group")))
    expect((default | only, default & only), (whole, set()))
    memberships = sim.dump("Membership")
    got = set()
    for gid in whole:
        got |= {r["id"] for r in rows(sim.pages(f"/groups/v2/groups/{gid}/memberships?per_page=100"))}
    expect(got, set(memberships))
    expect(sim.get(API + "/people/1/emails")[0], 200)
    expect(sim.get(API + "/people/999999999/emails")[0], 404)
    assert "organization" not in sim.json(API + "/people/1/emails")["meta"]["parent"]


def where(sim):
    people = sim.dump("Person")

    def ids(query):
        return {r["id"] for r in rows(sim.pages(f"{API}/people?per_page=100&{query}"))}

    expect(ids("where[nonsense]=1&order=-nonsense&where[emails][address]=x&where[created_at][around]=2"), set(people))
    expect(ids("where[id]=abc"), set())
    expect(ids("where[id]=1"), {"1"})
    expect(ids("where[status]=INACTIVE"),
           {i for i, p in people.items() if p["attributes"]["status"] == "inactive"})
    name = next(p["attributes"]["last_name"] for p in people.values() if p["attributes"]["last_name"])
    assert ids("where[last_name]=" + quote(name[:3]) + "%25")
    expect(ids("where[child]=true"), {i for i, p in people.items() if p["attributes"]["child"]})
    low, high = "2016-01-01T00:00:00Z", "2019-01-01T00:00:00Z"
    inside = {i for i, p in people.items() if low < p["attributes"]["updated_at"] <= high}
    expect(ids(f"where[updated_at][gt]={low}&where[updated_at][lte]={high}"), inside)
    expect(ids(f"order=created_at&where[updated_at][gt]={low}&where[updated_at][lte]={high}"), inside)
    rows_ = rows(sim.pages(API + "/people?per_page=100&order=-birthdate,last_name"))
    births = [r["attributes"]["birthdate"] for r in rows_]
    dated = [b for b in births if b]
    expect(births, sorted(dated, reverse=True) + [None] * (len(births) - len(dated)))
    asc = [r["attributes"]["birthdate"] for r in rows(sim.pages(API + "/people?per_page=100&order=birthdate"))]
    assert asc[0] is None and asc[-1] is not None
    listed = sim.json(API + "/people")["meta"]
    assert "created_at" in listed["can_order_by"] and "id" in listed["can_query_by"]
    assert "id" not in listed["can_order_by"]
    assert "can_include" not in sim.json(API + "/emails")["meta"]
    # an address cannot be asked for by time, but sorted by it
    expect(len(sim.json(API + "/addresses?where[updated_at][gt]=2100-01-01")["data"]) > 0, True)


def ugliness(sim):
    people, emails = sim.dump("Person"), sim.dump("Email")
    text = json.dumps([p["attributes"] for p in people.values()], ensure_ascii=False)
    assert any(ord(c) > 0xFFFF for c in text), "no four-byte characters"
    assert any(not p["attributes"]["first_name"] or not p["attributes"]["last_name"] for p in people.values())
    addresses = [e["attributes"]["address"] for e in emails.values()]
    assert len(set(addresses)) < len(addresses) * 0.9, "families share e-mails"
    share = sum(p["attributes"]["status"] == "inactive" for p in people.values()) / len(people)
    assert 0.1 < share < 0.3, share
    contacts = len(emails) + len(sim.dump("PhoneNumber")) + len(sim.dump("Address"))
    assert 1.5 < contacts / len(people) < 1.9, contacts / len(people)
    assert len(set(people) & set(emails)) > 100, "ids equal across types"
    assert any(h["relationships"]["primary_contact"]["data"] is None for h in sim.dump("Household").values())
    assert any(g["relationships"]["group_type"]["data"] is None for g in sim.dump("Group").values())
    gifts = sim.dump("Donation").values()
    assert any(d["relationships"]["person"]["data"] is None for d in gifts)
    assert any(d["relationships"]["batch"]["data"] is None for d in gifts)
    kinds = {d["attributes"]["data_type"] for d in sim.dump("FieldDefinition").values()}
    expect(kinds, {"string", "text", "number", "date", "boolean", "select", "checkboxes", "file"})


def limit(program):
    for window in ("fixed", "sliding"):
        sim = Sim(program, "--rate", "10/2", "--window", window, "--people", 20, "--orgs", 2)
        try:
            got = [sim.get(API) for _ in range(12)]
            expect([g[0] for g in got], [200] * 10 + [429] * 2, window)
            expect(got[0][1]["x-pco-api-request-rate-limit"], "10")
            expect(got[9][1]["x-pco-api-request-rate-count"], "10")
            expect(got[10][1]["x-pco-api-request-rate-period"], "2 seconds")
            assert 1 <= int(got[10][1]["retry-after"]) <= 2
            assert b"Rate limit exceeded: 11 of 10 requests per 2 seconds" in got[10][2]
            expect(sim.get(API, org=2)[0], 200, "another church has its own limit")
            expect(sim.get(API, bearer="access-1-0")[0], 200, "and so has another credential")
            time.sleep(int(got[11][1]["retry-after"]) + 0.05)
            expect(sim.get("/giving/v2/funds")[0], 200, "after the window")
            stats = sim.stats()
            expect((stats["refused"], stats["max_in_sliding_window"]), (2, 12), window)
            sim.post("limit", {"org": 1, "limit": 3, "period": 1})
            time.sleep(2.1)
            expect([sim.get(API)[0] for _ in range(4)], [200] * 3 + [429])
            sim.post("limit", {"org": 1, "off": True})
            expect({sim.get(API)[0] for _ in range(30)}, {200})
        finally:
            expect(sim.stop(), 0)


def oauth(program):
    sim = Sim(program, "--people", 20, "--mark", "ZQX", "--rate", "off")
    client = {"client_id": "client-1", "client_secret": "clientsecret-1ZQX"}

    def refresh(token, as_json=False):
        form = {"grant_type": "refresh_token", "refresh_token": token, **client}
        kind = "application/json" if as_json else "application/x-www-form-urlencoded"
        body = json.dumps(form) if as_json else urlencode(form)
        status, _, data = sim.raw("POST", "/oauth/token", {"Content-Type": kind}, body)
        return status, json.loads(data)

    try:
        expect(sim.get(API, mark="ZQX")[0], 200)
        expect(sim.get(API)[0], 401, "secret without the mark")
        expect(sim.raw("GET", API)[0], 401)
        expect(sim.get(API, bearer="access-1-0ZQX")[0], 200)
        status, one = refresh("refresh-1-0ZQX")
        expect((status, one["expires_in"]), (200, 7200))
        status, two = refresh("refresh-1-0ZQX", as_json=True)
        expect(status, 200, "the old one again: its first answer may have been lost")
        expect(sim.get(API, bearer=two["access_token"])[0], 200)
        status, gone = refresh("refresh-1-0ZQX")
        expect((status, gone["error"]), (401, "invalid_request"))
        sim.post("expire", {"org": 1})
        status, _, body = sim.get(API, bearer=two["access_token"])
        assert status == 401 and b"BABOON" in body
        sim.post("faults", [{"match": "POST /oauth/token", "kind": "lost", "times": 1}])
        try:
            refresh(two["refresh_token"])
            raise AssertionError("an answer came")
        except (http.client.HTTPException, ConnectionError):
            pass
        status, three = refresh(two["refresh_token"])
        expect((status, three["access_token"]), (200, "access-1-4ZQX"), "generation 3 was lost")
        expect(sim.get(API, bearer=three["access_token"])[0], 200)
        sim.post("revoke", {"org": 1})
        expect(sim.get(API, mark="ZQX")[0], 401)
        expect(refresh(three["refresh_token"])[1]["error"], "invalid_grant")
        fresh = json.loads(sim.control("POST", "restore", {"org": 1}))
        expect(sim.get(API, bearer=fresh["access_token"])[0], 200)
        expect(sim.get(API, mark="ZQX")[0], 200)
        client["client_secret"] = "wrong"
        expect(refresh(fresh["refresh_token"])[1]["error"], "invalid_client")
        assert "ZQX" not in json.dumps(sim.ledger()), "a secret in the ledger"
        assert "ZQX" in json.dumps(sim.dump("Person"))
        expect(sim.stats()["token_requests"], 6)
    finally:
        expect(sim.stop(), 0)


def faults(sim):
    def one(fault, target=API + "/people?per_page=10", timeout=10):
        sim.post("faults", [fault])
        try:
            return sim.get(target, timeout=timeout)
        finally:
            sim.control("DELETE", "faults")

    expect([one({"kind": k})[0] for k in ("status429", "status500html", "status503", "status401", "status402",
                                          "status403", "status404", "html200")],
           [429, 500, 503, 401, 402, 403, 404, 200])
    expect(one({"kind": "status429", "arg": 7})[1]["retry-after"], "7")
    assert one({"kind": "html200"})[1]["content-type"].startswith("text/html")
    for kind, extra in (("cut", {"arg": 100}), ("cut", {}), ("lost", {}), ("hang", {"delay_ms": 50})):
        try:
            one({"kind": kind, **extra})
            raise AssertionError(kind + ": an answer came")
        except (http.client.HTTPException, ConnectionError):
            pass
    begun = time.monotonic()
    expect(len(json.loads(one({"kind": "stall", "delay_ms": 300})[2])["data"]), 10)
    assert time.monotonic() - begun >= 0.3
    for kind in ("truncate_json", "deep_nesting"):
        try:
            json.loads(one({"kind": kind, "arg": "" if kind == "truncate_json" else "100000"})[2])
            raise AssertionError(kind + ": parsed")
        except (ValueError, RecursionError):
            pass
    good = sim.json(API + "/people?per_page=10")
    expect(json.loads(one({"kind": "wrong_total", "arg": -3})[2])["meta"]["total_count"],
           good["meta"]["total_count"] - 3)
    expect(json.loads(one({"kind": "empty_page"})[2])["data"], [])
    expect(json.loads(one({"kind": "repeat_page"}, API + "/people?per_page=10&offset=10")[2])["data"], good["data"])
    spoilt = json.loads(one({"kind": "bad_types", "arg": "birthdate", "id": "1"})[2])["data"]
    expect([r["id"] for r in spoilt if isinstance(r["attributes"]["birthdate"], dict)], ["1"])
    sticky = {"kind": "missing_attributes", "record": "Email/1"}
    owner = sim.dump("Email")["1"]["relationships"]["person"]["data"]["id"]
    expect("attributes" in json.loads(one(sticky, API + "/emails/1")[2])["data"], False)
    expect([r["id"] for r in json.loads(one(sticky, f"{API}/people/{owner}?include=emails")[2])["included"]
            if "attributes" not in r], ["1"])
    assert b"\xff\xfe" in one({"kind": "bad_utf8"})[2]
    assert b"\\u0000" in one({"kind": "nul_char"})[2]
    assert len(one({"kind": "huge_string"})[2]) > 1 << 20
    assert b"the other value" in one({"kind": "dup_keys"})[2]
    assert b"PersonThing" in one({"kind": "bad_type_name"})[2]
    ids = [r.get("id") for r in json.loads(one({"kind": "bad_id", "arg": "number"})[2])["data"]]
    expect(sum(isinstance(i, int) for i in ids), 1)
    sim.post("faults", [{"match": "/people/v2/people", "kind": "status503", "after": 1, "every": 2, "times": 2}])
    expect([sim.get(API + "/people")[0] for _ in range(7)], [200, 503, 200, 503, 200, 200, 200])
    expect(sim.get(API + "/emails")[0], 200)
    sim.control("DELETE", "faults")
    expect(sim.raw("POST", "/_sim/faults", body='[{"kind":"nonsense"}]')[0], 400)


def edits(sim):
    before = sim.dump("Person", 2)
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    merged = sim.post("edits", {"org": 2, "op": "merge", "count": 3})
    people, mergers = sim.dump("Person", 2), sim.dump("PersonMerger", 2)
    for m in merged:
        expect(sim.get(f"{API}/people/{m['id']}", org=2)[0], 404)
        found = sim.json(f"{API}/person_mergers?where[person_to_remove_id]={m['id']}", org=2)["data"]
        expect([str(f["attributes"]["person_to_keep_id"]) for f in found], [m["keep"]])
    expect((len(mergers), len(before) - len(people)), (3, 3))
    gone = {m["id"] for m in merged}
    for kind, rel in (("Email", "person"), ("HouseholdMembership", "person"), ("Membership", "person"),
                      ("Donation", "person"), ("FieldDatum", "customizable"), ("Household", "primary_contact")):
        for r in sim.dump(kind, 2).values():
            target = r["relationships"][rel]["data"]
            assert target is None or (target["id"] not in gone and target["id"] in people), (kind, r)
    for op in ("edit", "add", "delete", "edit_contact", "add_contact", "delete_contact", "edit_datum", "edit_household",
               "edit_household_member", "delete_household", "edit_group_member", "add_donation", "edit_donation",
               "delete_donation"):
        expect(len(sim.post("edits", {"org": 2, "op": op, "count": 4})), 4, op)
    what = sim.post("edits", {"org": 2, "op": "edit", "count": 2})
    changed = {r["id"] for r in rows(sim.pages(f"{API}/people?where[updated_at][gte]={start}&per_page=100", 2))}
    assert {w["id"] for w in what} <= changed < set(sim.dump("Person", 2))
    sim.post("edits", {"org": 2, "op": "mixed", "every_requests": 2, "max": 5})
    before = json.dumps(sim.dump("Person", 2))
    for _ in range(10):
        sim.json(API + "/people?per_page=1", 2)
    assert json.dumps(sim.dump("Person", 2)) != before
    for kind in ("Person", "Email", "Donation", "Household"):
        listed = rows(sim.pages(("/giving/v2/donations" if kind == "Donation" else
                                 f"{API}/{ {'Person': 'people', 'Email': 'emails', 'Household': 'households'}[kind] }")
                                + "?per_page=100&order=created_at", 2))
        expect({r["id"]: r["attributes"] for r in listed},
               {r["id"]: r["attributes"] for r in sim.dump(kind, 2).values()}, kind)


def deterministic(program, sim):
    other = Sim(program, "--people", 400, "--orgs", 3, "--rate", "off")
    try:
        for kind in ("Person", "FieldDatum", "Donation", "HouseholdMembership"):
            expect(other.dump(kind), sim.dump(kind), kind)
            assert other.dump(kind, 3) != sim.dump(kind)
        other.post("orgs/3/config", {"people": 7, "reset": True})
        expect(len(other.dump("Person", 3)), 7)
    finally:
        expect(other.stop(), 0)


def closed(sim, n):
    """The n entries of the ledger: an entry is closed just after its answer has been sent."""
    for _ in range(200):
        entries = sim.ledger()
        if len(entries) == n and all(e["end_ms"] >= e["t_ms"] for e in entries):
            break
        time.sleep(0.01)
    return entries


def ledger(sim):
    sim.post("ledger/reset")
    sim.json(API + "/people?per_page=3")
    closed(sim, 1)
    sim.get(API + "/nowhere")
    entries = closed(sim, 2)
    expect([(e["method"], e["target"], e["status"], e["token"]) for e in entries],
           [("GET", "/people/v2/people?per_page=3", 200, "pat"), ("GET", "/people/v2/nowhere", 404, "pat")])
    assert all(e["end_ms"] >= e["t_ms"] and e["inflight"] == 1 for e in entries)
    expect([e["seq"] for e in entries[1:]], [sim.stats()["next_seq"] - 1])
    expect(sim.stats()["status"], {"200": 1, "404": 1})
    expect(sim.stats(2)["requests"], 0)


def one(kind, ident):
    return {"data": {"type": kind, "id": ident}}


def write_people(sim):
    sim.post("ledger/reset")
    status, head, doc = sim.write("POST", API + "/people?include=emails,marital_status", {
        "type": "Person", "attributes": {"first_name": "  Zoë ", "last_name": "O'Neil", "birthdate": "1990-02-28",
                                         "grade": "x", "anniversary": "2001-02-31", "status": "inactive", "gender": "F",
                                         "remote_id": "12ab", "child": True},
        "relationships": {"marital_status": one("MaritalStatus", "1"), "primary_campus": one("PrimaryCampus", "1")}})
    expect(status, 201)
    assert "location" not in head and "etag" not in head
    expect(head["content-type"], "application/vnd.api+json; charset=utf-8")
    expect(head["x-pco-api-processed-as-version"], "2026-06-04")
    person = doc["data"]
    got, pid = person["attributes"], person["id"]
    expect((got["first_name"], got["name"], got["birthdate"], got["grade"], got["anniversary"], got["gender"],
            got["remote_id"], got["status"], got["child"]),
           ("Zoë", "Zoë O'Neil", "1990-02-28", None, None, "Female", 12, "inactive", True))
    assert got["inactivated_at"] == got["created_at"] == got["updated_at"]
    expect([i["type"] for i in doc["included"]], ["MaritalStatus"])
    expect(doc["meta"]["parent"], {"id": "200001", "type": "Organization"})
    expect(sim.json(f"{API}/people/{pid}")["data"]["attributes"], got)
    expect(sim.dump("Person")[pid]["attributes"], {k: v for k, v in got.items()})
    expect([p["id"] for p in sim.json(f"{API}/people?where[last_name]=O'Neil&order=-created_at")["data"]][:1], [pid])
    time.sleep(1.1)
    same = sim.patch(f"{API}/people/{pid}", {"first_name": "Zoë", "medical_notes": "none"})["attributes"]
    expect((same["updated_at"], same["medical_notes"]), (got["updated_at"], "none"), "moves no time")
    active = sim.patch(f"{API}/people/{pid}", {"status": "active", "primary_campus_id": 2, "birthdate": "not-a-date"})
    expect((active["attributes"]["inactivated_at"], active["attributes"]["birthdate"]), (None, None))
    expect(active["relationships"]["primary_campus"]["data"]["id"], "2")
    assert active["attributes"]["updated_at"] > got["updated_at"]
    # refusals change nothing
    before = sim.dump("Person")
    assert "name cannot be assigned" in sim.refused("PATCH", f"{API}/people/{pid}", {"name": "x", "nickname": "y"})
    assert "emails_ids cannot be assigned" in sim.refused("POST", API + "/people", {}, relationships={"emails": {"data": []}})
    assert "grade" in sim.refused("PATCH", f"{API}/people/{pid}", {"grade": 13})
    assert "attribute_resource_not_found" in sim.refused("PATCH", f"{API}/people/{pid}", {"primary_campus_id": "9999"})
    assert '"code": "invalid_resource_payload"' in json.dumps(sim.write("POST", API + "/people", body="{}")[2])
    expect(sim.write("POST", API + "/people", body="{}")[0], 400)
    expect(sim.write("PATCH", API + "/people/999999999", {})[0], 404)
    expect(sim.write("PATCH", API + "/people", {})[0], 404)
    status, head, _ = sim.write("PUT", f"{API}/people/{pid}", {})
    expect((status, head["content-type"]), (404, "text/html; charset=utf-8"))
    assert "x-pco-api-request-rate-limit" not in head
    for target in ("/person_mergers", "/emails"):
        sim.refused("POST", API + target, {}, status=403)
    expect(sim.dump("Person"), before)
    contacts(sim, pid)
    # a person goes with all that is its own
    expect(sim.write("DELETE", f"{API}/people/{pid}")[::2], (204, None))
    expect(sim.get(f"{API}/people/{pid}")[0], 404)
    for kind in ("Email", "PhoneNumber", "Address"):
        assert not [r for r in sim.dump(kind).values() if r["relationships"]["person"]["data"]["id"] == pid]
    writes = [json.loads(x) for x in sim.control("GET", "ledger?org=1&writes=1").splitlines()]
    first = writes[0]
    expect((first["method"], first["done"], first["type"], first["id"], first["status"]), ("POST", True, "Person", pid, 201))
    assert "first_name" in first["names"] and "marital_status" in first["names"] and "body" not in first
    assert all(w["done"] == (w["status"] in (200, 201, 204)) for w in writes), writes
    stats = sim.stats()
    expect((stats["writes"], stats["writes_done"]), (len(writes), sum(w["done"] for w in writes)))


def contacts(sim, pid):
    person = f"{API}/people/{pid}"
    email = sim.create(person + "/emails", {"address": "A@Example.org ", "location": "Home", "primary": True})
    expect((email["attributes"]["address"], email["attributes"]["blocked"]), ("A@Example.org", False))
    expect(email["relationships"]["person"]["data"]["id"], pid)
    time.sleep(1.1)
    moved = sim.json(person)["data"]["attributes"]["updated_at"]
    second = sim.create(person + "/emails", {"address": "b@example.org", "location": "Work", "primary": True})
    old = sim.json(f"{API}/emails/{email['id']}")["data"]["attributes"]
    expect((old["primary"], old["updated_at"]), (False, email["attributes"]["updated_at"]), "demoted")
    assert sim.json(person)["data"]["attributes"]["updated_at"] > moved
    sim.patch(f"{API}/emails/{email['id']}", {"primary": True})
    expect(sim.json(f"{API}/emails/{second['id']}")["data"]["attributes"]["primary"], False)
    assert "can't be blank" in sim.refused("POST", person + "/emails", {"location": "Home"})
    phone = sim.create(person + "/phone_numbers", {"number": "760.555.0100", "location": "Mobile"})["attributes"]
    expect((phone["number"], phone["e164"], phone["national"], phone["international"], phone["country_code"]),
           ("760.555.0100", "+17605550100", "(760) 555-0100", "+1 760-555-0100", "US"))
    assert "location" in sim.refused("POST", person + "/phone_numbers", {"number": "760.555.0100"})
    assert "e164 cannot be assigned" in sim.refused("POST", person + "/phone_numbers", {"number": "1", "location": "Home", "e164": "1"})
    address = sim.create(person + "/addresses", {"street_line_1": "1 Way", "city": "Rome", "state": "ny", "zip": 10001,
                                                 "country_code": "US", "location": "Home", "primary": True})
    expect((address["attributes"]["zip"], address["attributes"]["country_name"]), ("10001", "United States"))
    expect(sim.write("DELETE", f"{API}/emails/{second['id']}")[0], 204)
    expect(sim.write("DELETE", f"{API}/emails/{second['id']}")[0], 404)
    expect({r["id"] for r in sim.json(person + "/emails")["data"]}, {email["id"]})
    status, _, doc = sim.write("PATCH", f"{API}/emails/{email['id']}", {"type": "Email", "id": email["id"], "attributes": {}})
    expect((status, doc["data"]["id"]), (200, email["id"]))


def write_fields(sim):
    pid = sim.create(API + "/people", {"first_name": "Field"})["id"]
    data = f"{API}/people/{pid}/field_data"
    defs = {d["attributes"]["data_type"]: d["id"] for d in sim.dump("FieldDefinition").values()
            if not d["attributes"]["deleted_at"]}
    box = defs["checkboxes"]

    def options():
        return [o["attributes"]["value"] for o in sim.dump("FieldOption").values()
                if o["relationships"]["field_definition"]["data"]["id"] == box]

    known = options()
    first = sim.create(data, {"value": known[0], "field_definition_id": box})
    second = sim.create(data, {"value": "Brand new"}, relationships={"field_definition": one("FieldDefinition", box)})
    expect(options(), known + ["Brand new"])
    expect({r["attributes"]["value"] for r in sim.json(data)["data"]}, {known[0], "Brand new"})
    assert "taken" in sim.refused("POST", data, {"value": known[0], "field_definition_id": box})
    expect(sim.write("DELETE", f"{API}/field_data/{second['id']}")[0], 204)
    expect([r["id"] for r in sim.json(data)["data"]], [first["id"]])
    date = sim.create(data, {"value": "2001-02-03", "field_definition_id": int(defs["date"])})
    assert "taken" in sim.refused("POST", data, {"value": "x", "field_definition_id": defs["date"]})
    expect(sim.patch(f"{API}/field_data/{date['id']}", {"value": "2001-02-04"})["attributes"]["value"], "2001-02-04")
    assert "field_definition_id cannot" in sim.refused("PATCH", f"{API}/field_data/{date['id']}", {"field_definition_id": box})
    assert "file" in sim.refused("POST", data, {"value": "x", "field_definition_id": defs["file"]})
    assert "blank" in sim.refused("POST", data, {"value": "x"})
    tab = sim.create(API + "/tabs", {"name": "New Tab"})
    expect(tab["attributes"]["slug"], "new_tab")
    made = sim.create(f"{API}/tabs/{tab['id']}/field_definitions", {"name": "Shoe size", "data_type": "select"})
    expect(made["attributes"]["slug"], "shoe_size")
    option = sim.create(f"{API}/field_definitions/{made['id']}/field_options", {"value": "42"})
    expect(sim.patch(f"{API}/field_definitions/{made['id']}/field_options/{option['id']}", {"value": "43"})["id"], option["id"])
    assert "dependent" in sim.refused("DELETE", f"{API}/tabs/{tab['id']}")
    expect(sim.write("DELETE", f"{API}/field_definitions/{made['id']}")[0], 204)
    assert sim.dump("FieldDefinition")[made["id"]]["attributes"]["deleted_at"]
    status = sim.create(API + "/marital_statuses", {"value": "Engaged"})
    sim.patch(f"{API}/people/{pid}", relationships={"marital_status": one("MaritalStatus", status["id"])})
    expect(sim.write("DELETE", f"{API}/marital_statuses/{status['id']}")[0], 204)
    expect(sim.dump("Person")[pid]["relationships"]["marital_status"]["data"], None)
    campus = sim.create(API + "/campuses", {"name": "South", "latitude": "1.5", "time_zone": "Europe/Rome"})
    expect((campus["attributes"]["latitude"], campus["attributes"]["time_zone_raw"]), (1.5, "Europe/Rome"))
    assert "blank" in sim.refused("POST", API + "/campuses", {})


def write_groups(sim):
    people = [sim.create(API + "/people", {"first_name": f"H{i}"})["id"] for i in range(4)]
    both = {"people": {"data": [{"type": "Person", "id": p} for p in people[:2]]},
            "primary_contact": one("Person", people[0])}
    assert "primary_contact" in sim.refused("POST", API + "/households", {"name": "X"}, relationships={"people": both["people"]})
    assert "people" in sim.refused("POST", API + "/households", {"name": "X"},
                                   relationships={"primary_contact": both["primary_contact"]})
    house = sim.create(API + "/households", {"name": "House"}, relationships=both)
    hid = house["id"]
    expect((house["attributes"]["member_count"], house["attributes"]["primary_contact_id"]), (2, people[0]))
    members = f"{API}/households/{hid}/household_memberships"
    time.sleep(1.1)
    third = sim.create(members, {"pending": False}, relationships={"person": one("Person", people[2])})
    expect(third["attributes"]["pending"], False)
    assert "taken" in sim.refused("POST", members, {"pending": False, "person_id": people[2]})
    assert "blank" in sim.refused("POST", members, {"pending": False})
    now = sim.dump("Household")[hid]["attributes"]
    expect((now["member_count"], now["updated_at"]), (3, house["attributes"]["updated_at"]), "moves no time")
    assert "member" in sim.refused("PATCH", f"{API}/households/{hid}", relationships={"primary_contact": one("Person", people[3])})
    moved = sim.patch(f"{API}/households/{hid}", {"name": "Home"}, relationships={"primary_contact": one("Person", people[2])})
    expect((moved["attributes"]["primary_contact_id"], moved["attributes"]["name"]), (people[2], "Home"))
    assert moved["attributes"]["updated_at"] > now["updated_at"]
    expect(sim.patch(f"{members}/{third['id']}", {"pending": True})["attributes"]["pending"], True)
    expect(sim.write("DELETE", f"{members}/{third['id']}")[0], 204)
    expect(sim.dump("Household")[hid]["attributes"]["primary_contact_id"], people[0])
    expect(sim.write("POST", API + "/household_memberships", {})[0], 404)
    expect(sim.write("DELETE", f"{API}/households/{hid}")[0], 204)

    gid = next(iter(sim.dump("Group")))
    group = f"/groups/v2/groups/{gid}"
    expect(sim.patch(group, {"name": "Renamed", "schedule": "Mondays", "group_type_id": "1"})["attributes"]["schedule"], "Mondays")
    assert "description cannot be assigned" in sim.refused("PATCH", group, {"description": "x"})
    assert "cannot create a Group" in sim.refused("POST", "/groups/v2/groups", {"name": "x"}, status=403)
    sim.refused("DELETE", group, status=403)
    by_id = sim.create(group + "/memberships", {"person_id": people[0], "role": "leader"})
    by_rel = sim.create(group + "/memberships", {"joined_at": "2020-01-01T00:00:00Z"}, relationships={"person": one("Person", people[1])})
    expect((by_id["attributes"]["role"], by_rel["attributes"]["joined_at"]), ("leader", "2020-01-01T00:00:00Z"))
    assert "taken" in sim.refused("POST", group + "/memberships", {"person_id": people[0]})
    assert '"resource": "Membership"' in sim.refused("POST", group + "/memberships", {"role": "member"})
    assert "person_id" in sim.refused("POST", group + "/memberships", {"person_id": "99999999"})
    assert "person_id cannot" in sim.refused("PATCH", f"{group}/memberships/{by_id['id']}", {"person_id": people[2]})
    expect(sim.patch(f"{group}/memberships/{by_id['id']}", {"role": "member"})["attributes"]["role"], "member")
    expect(sim.write("DELETE", f"{group}/memberships/{by_id['id']}")[0], 204)
    assert by_rel["id"] in sim.dump("Membership") and by_id["id"] not in sim.dump("Membership")


def write_giving(sim):
    giving = "/giving/v2"
    person = sim.create(API + "/people", {"first_name": "Donor"})["id"]
    fund = sim.create(giving + "/funds", {"name": "Roof", "visibility": "everywhere"})["id"]
    assert "taken" in sim.refused("POST", giving + "/funds", {"name": "roof", "visibility": "everywhere"})
    assert "visibility" in sim.refused("POST", giving + "/funds", {"name": "Other"})
    source = sim.create(giving + "/payment_sources", {"name": "OpenFaith"})["id"]
    sim.refused("PATCH", giving + "/payment_sources/planning_center", {"name": "x"}, status=403)
    batch = sim.create(giving + "/batches", {"description": "Sunday"})
    bid = batch["id"]
    sim.refused("POST", f"{giving}/batches/{bid}/commit")
    gifts = f"{giving}/batches/{bid}/donations"
    gift = {"payment_method": "check", "payment_check_number": 12, "received_at": "2024-01-07"}
    rel = {"person": one("Person", person), "payment_source": one("PaymentSource", source)}

    def part(cents, ident=None, to=fund):
        return {"type": "Designation", "attributes": {"amount_cents": cents}, "relationships": {"fund": one("Fund", to)},
                **({"id": ident} if ident else {})}

    assert "designations" in sim.refused("POST", gifts, gift, relationships=rel)
    assert "payment_source" in sim.refused("POST", gifts, gift, relationships={"person": rel["person"]}, included=[part(1)])
    assert "payment_source" in sim.refused("POST", gifts, gift, relationships={"payment_source": one("PaymentSource", "planning_center")},
                                           included=[part(1)])
    assert "attribute_resource_not_found" in sim.refused("POST", gifts, gift, included=[part(1)], relationships={
        "person": one("Person", "99999999"), "payment_source": rel["payment_source"]})
    sim.refused("POST", giving + "/donations", gift, status=403)
    made = sim.create(gifts + "?include=designations", gift, relationships=rel, included=[part(1000), part(500)])
    expect((made["attributes"]["amount_cents"], made["attributes"]["payment_status"], made["attributes"]["completed_at"],
            made["attributes"]["received_at"]), (1500, "pending", None, "2024-01-07T00:00:00Z"))
    expect(made["relationships"]["batch"]["data"]["id"], bid)
    did = made["id"]
    parts = [d["id"] for d in made["relationships"]["designations"]["data"]]
    sim.patch(f"{giving}/donations/{did}", {}, included=[part(1100, parts[0])])
    expect(sim.dump("Donation")[did]["attributes"]["amount_cents"], 1600)
    sim.patch(f"{giving}/donations/{did}", {"fee_cents": -30}, included=[part(700)])
    expect((sim.dump("Donation")[did]["attributes"]["amount_cents"], sim.dump("Batch")[bid]["attributes"]["total_cents"]), (700, 700))
    assert "fee_cents" in sim.refused("PATCH", f"{giving}/donations/{did}", {"fee_cents": 30})
    sim.post("settings", {"org": 1, "commit_ms": 300})
    expect(sim.write("POST", f"{giving}/batches/{bid}/commit")[0], 204)
    expect(sim.json(f"{giving}/batches/{bid}")["data"]["attributes"]["status"], "updating")
    time.sleep(0.4)
    expect(sim.json(f"{giving}/batches/{bid}")["data"]["attributes"]["status"], "committed")
    expect(sim.json(f"{giving}/donations/{did}")["data"]["attributes"]["payment_status"], "succeeded")
    late = sim.create(gifts, gift, relationships=rel, included=[part(5)])
    expect(late["attributes"]["payment_status"], "succeeded", "into a committed batch")
    sim.refused("DELETE", f"{giving}/funds/{fund}")
    sim.refused("DELETE", f"{giving}/batches/{bid}")
    expect(sim.write("DELETE", f"{giving}/donations/{late['id']}")[0], 204)
    processed = next(d for d in sim.dump("Donation").values()
                     if d["relationships"]["payment_source"]["data"] == {"type": "PaymentSource", "id": "planning_center"})
    sim.refused("PATCH", f"{giving}/donations/{processed['id']}", {"fee_cents": 0}, status=403)


def broken(call):
    """The call must end without an answer."""
    try:
        call()
    except (http.client.HTTPException, ConnectionError):
        return
    raise AssertionError("an answer came")


def write_faults(sim):
    people = API + "/people"

    def names():
        return sorted(p["attributes"]["first_name"] for p in sim.dump("Person", 3).values()
                      if (p["attributes"]["first_name"] or "").startswith("Cut"))

    def post(name):
        return sim.write("POST", people, {"type": "Person", "attributes": {"first_name": name, "last_name": "Byte"}}, 3)

    def with_fault(*rules):
        sim.control("DELETE", "faults")
        sim.post("faults", [{"org": 3, "match": "POST ", **r} for r in rules])

    sim.get(people, 3)
    sim.post("ledger/reset")
    sim.post("ledger/bodies", {"keep": True})
    for kind, status, done in (("status409", 409, 0), ("status422", 422, 0), ("status500", 500, 0), ("status504", 504, 0),
                               ("status503", 503, 0), ("done_status", 504, 1)):
        with_fault({"kind": kind, "times": 1})
        expect(post(f"Cut-{kind}")[0], status)
        expect(names().count(f"Cut-{kind}"), done, kind)
    with_fault({"kind": "lost", "times": 1})
    broken(lambda: post("Cut-lost"))
    with_fault({"kind": "cut", "arg": 10, "times": 1})
    broken(lambda: post("Cut-cut"))
    expect([n for n in names() if n in ("Cut-lost", "Cut-cut")], ["Cut-cut", "Cut-lost"])
    for at in (0, 20, 200, 10000):
        with_fault({"kind": "cut_request", "arg": at, "times": 1})
        broken(lambda at=at: post(f"Cut-request-{at}"))
    assert not [n for n in names() if n.startswith("Cut-request")]
    for at in (0, 20, 200):
        with_fault({"kind": "cut_answer", "arg": at, "times": 1})
        broken(lambda at=at: post(f"Cut-answer-{at}"))
    with_fault({"kind": "cut_answer", "arg": 1 << 20, "times": 1})
    expect(post("Cut-answer-whole")[0], 201)
    expect(len([n for n in names() if n.startswith("Cut-answer")]), 4)
    with_fault({"kind": "delay", "delay_ms": 300})
    begun = time.monotonic()
    expect(post("Cut-delay")[0], 201)
    assert time.monotonic() - begun >= 0.3
    with_fault({"kind": "late", "delay_ms": 400})
    try:
        sim.raw("POST", people, {"Authorization": "Basic " + base64.b64encode(b"app-3:secret-3").decode()},
                json.dumps({"data": {"attributes": {"first_name": "Cut-late"}}}), timeout=0.1)
        raise AssertionError("late: an answer came")
    except TimeoutError:
        pass
    assert "Cut-late" not in names()
    time.sleep(0.6)
    assert "Cut-late" in names(), "carried out after its client had gone"
    sim.control("DELETE", "faults")
    entries = [json.loads(x) for x in sim.control("GET", "ledger?org=3&writes=1").splitlines()]
    body = {json.loads(e["body"])["data"]["attributes"]["first_name"]: e for e in entries if "body" in e}
    expect([body[f"Cut-{k}"]["names"] for k in ("status409", "lost")], [["first_name", "last_name"]] * 2)
    expect((body["Cut-lost"]["done"], body["Cut-lost"]["heard"], body["Cut-lost"]["status"]), (True, False, 0))
    expect((body["Cut-delay"]["done"], body["Cut-delay"]["heard"]), (True, True))
    expect((body["Cut-done_status"]["done"], body["Cut-done_status"]["heard"]), (True, False))
    expect((body["Cut-answer-20"]["sent"], body["Cut-answer-20"]["cut"]), (20, 20))
    expect(body["Cut-answer-whole"]["sent"], body["Cut-answer-whole"]["whole"])
    expect((body["Cut-late"]["done"], body["Cut-late"]["heard"]), (True, False))
    expect(json.loads(sim.control("GET", "orgs/3/duplicates")), [])
    # every point of an exchange, one request each; the second attempt of each goes through
    with_fault({"kind": "cut_each", "once": True, "step": 7})
    where, at, lost = "request", 0, 0
    while True:
        try:
            status = post(f"Cut{at}")[0]
        except (http.client.HTTPException, ConnectionError):
            lost += 1
            have = names().count(f"Cut{at}")
            assert (where, have) in (("request", 0), ("request", 1), ("answer", 1)), (at, where, have)
            where = "answer" if have else where
            expect(post(f"Cut{at}")[0], 201, "once")
            at += 1
            continue
        expect((status, where), (201, "answer"))
        break
    assert lost > 100, lost
    twice = json.loads(sim.control("GET", "orgs/3/duplicates"))
    assert len(twice) > 50 and all(d["type"] == "Person" and d["living"] == 2 for d in twice), twice
    with_fault({"kind": "empty_list", "match": ""}, {"kind": "status404", "match": "GET /people/v2/people/"})
    page = sim.json(people, 3)
    expect((page["data"], page["meta"]["total_count"]), ([], 0))
    expect(sim.get(people + "/1", 3)[0], 404)
    sim.control("DELETE", "faults")
    sim.post("ledger/bodies", {"keep": False})


def settings(sim):
    def add(name, org=2):
        return sim.create(API + "/people", {"first_name": name, "last_name": "late"}, org)

    def listed(query, org=2):
        return [p["id"] for p in sim.json(f"{API}/people?{query}", org)["data"]]

    sim.post("settings", {"org": 2, "show_after_ms": 500})
    person = add("late")["id"]
    for query in ("where[last_name]=late", "order=-created_at", f"where[id]={person}"):
        assert person not in listed(query), query
    total = sim.json(API + "/people", 2)["meta"]["total_count"]
    expect(total, len(sim.dump("Person", 2)) - 1)
    expect(sim.get(f"{API}/people/{person}", 2)[0], 200)
    time.sleep(0.6)
    for query in ("where[last_name]=late", "order=-created_at", f"where[id]={person}"):
        assert person in listed(query), query
    sim.post("settings", {"org": 2, "show_after_ms": 0, "respell": "phone,email,state,name,blank"})
    other = sim.create(API + "/people", {"first_name": "anna maria", "nickname": ""}, 2)
    expect((other["attributes"]["first_name"], other["attributes"]["nickname"]), ("Anna Maria", None))
    base = f"{API}/people/{other['id']}"
    expect(sim.create(base + "/emails", {"address": "A@B.Org"}, 2)["attributes"]["address"], "a@b.org")
    expect(sim.create(base + "/phone_numbers", {"number": "7605550100", "location": "Home"}, 2)["attributes"]["number"],
           "(760) 555-0100")
    expect(sim.create(base + "/addresses", {"state": "ny"}, 2)["attributes"]["state"], "NY")
    sim.post("settings", {"org": 2, "respell": ""})
    # somebody at the church: no limit, no ledger, and what no client may
    sim.post("ledger/reset")

    def act(method, path, attributes=None, relationships=None):
        return sim.post("orgs/2/do", {"method": method, "path": path, "body": {"data": {
            "attributes": attributes or {}, "relationships": relationships or {}}}})

    group = act("POST", "/groups/v2/groups", {"name": "By hand", "description": "d", "created_at": "2001-01-01T00:00:00Z"})
    expect((group["status"], group["body"]["data"]["attributes"]["created_at"]), (201, "2001-01-01T00:00:00Z"))
    act("PATCH", f"/people/v2/people/{person}", {"last_name": "edited", "updated_at": "2030-01-01T00:00:00Z"})
    edited = sim.dump("Person", 2)[person]["attributes"]
    expect((edited["last_name"], edited["updated_at"]), ("edited", "2030-01-01T00:00:00Z"))
    expect(listed("order=-updated_at")[0], person)
    expect(act("DELETE", f"/groups/v2/groups/{group['body']['data']['id']}")["status"], 204)
    sim.post("orgs/2/merge", {"keep": other["id"], "remove": person})
    expect(sim.get(base, 2)[0], 200)
    expect(sim.get(f"{API}/people/{person}", 2)[0], 404)
    assert [m for m in sim.dump("PersonMerger", 2).values() if str(m["attributes"]["person_to_remove_id"]) == person]
    expect([e["method"] for e in sim.ledger(2)], ["GET"] * 3)
    everything = [json.loads(x) for x in sim.control("GET", "orgs/2/dump").splitlines()]
    expect(len(everything), sum(json.loads(sim.control("GET", "orgs/2/counts")).values()))


def crowd(sim):
    """Slow answers hold no thread: 200 requests of 300 ms at once take little longer than one."""
    sim.post("latency", {"ms": 300, "org": 3})
    sim.json(API, 3)
    failed = []

    def ask():
        try:
            sim.json(API, 3, timeout=20)
        except Exception as e:  # pylint: disable=broad-except
            failed.append(e)

    threads = [threading.Thread(target=ask) for _ in range(200)]
    begun = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.monotonic() - begun
    expect(failed, [])
    assert 0.3 <= took < 4, took
    assert sim.stats(3)["max_inflight"] > 20, sim.stats(3)


def main():
    program = sys.argv[1]
    sim = Sim(program, "--people", 400, "--orgs", 3, "--rate", "off")
    tests = [("shape", lambda: shape(sim)), ("paging", lambda: paging(sim)), ("keyset", lambda: keyset(sim)),
             ("includes", lambda: includes(sim)), ("nested", lambda: nested(sim)), ("where", lambda: where(sim)),
             ("ugliness", lambda: ugliness(sim)), ("deterministic", lambda: deterministic(program, sim)),
             ("ledger", lambda: ledger(sim)), ("faults", lambda: faults(sim)), ("edits", lambda: edits(sim)),
             ("write_people", lambda: write_people(sim)),
             ("write_fields", lambda: write_fields(sim)), ("write_groups", lambda: write_groups(sim)),
             ("write_giving", lambda: write_giving(sim)), ("write_faults", lambda: write_faults(sim)),
             ("settings", lambda: settings(sim)), ("crowd", lambda: crowd(sim)), ("limit", lambda: limit(program)), ("oauth", lambda: oauth(program))]
    passed = failed = 0
    for name, test in tests:
        try:
            test()
            passed += 1
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {name}")
            traceback.print_exc(file=sys.stdout)
    code = sim.stop()
    if code:
        failed += 1
        print(f"FAILED: exit code {code}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
