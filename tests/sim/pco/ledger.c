/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked, in order of arrival. All functions that change it run under the gate; the two
 * that write reports take it themselves. Entries are in blocks that never move. */
#include "church.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, TEXT_BLOCK = 1 << 20 };

struct entry {
    int64_t t_us;
    int64_t end_us; /* 0 while it runs */
    const char *target;
    const char *fault;
    const char *version;
    const char *type; /* of the record that was written */
    const char *id;
    const char *names; /* JSON */
    const char *body;
    uint32_t bytes;
    uint32_t asked;
    uint32_t sent;
    uint32_t whole;
    int32_t cut;
    int32_t org;
    int32_t count;
    int32_t inflight;
    int32_t generation;
    uint16_t status;
    uint8_t cred;
    bool counted;
    bool done;
    bool heard;
    char method[8];
};

static struct entry **blocks;
static uint64_t entry_count;
static uint64_t first_seq = 1;
static int64_t start_us;
static struct sim_arena texts;
static bool keep_bodies;

static struct entry *entry_at(uint64_t seq)
{
    uint64_t i = seq - first_seq;

    return seq >= first_seq && i < entry_count ? &blocks[i / BLOCK][i % BLOCK] : NULL;
}

uint64_t sim_ledger_begin(int64_t t_us, const struct sim_arrival *a, const char *method,
                          const char *target)
{
    uint64_t seq = first_seq + entry_count;
    struct entry *e;

    if (!start_us) {
        start_us = t_us;
    }
    if (entry_count % BLOCK == 0) {
        blocks = sim_realloc(blocks, (entry_count / BLOCK + 1) * sizeof *blocks);
        blocks[entry_count / BLOCK] = sim_alloc(BLOCK * sizeof(struct entry));
    }
    entry_count++;
    e = entry_at(seq);
    e->t_us = t_us;
    e->cut = -1;
    e->target = sim_arena_str(&texts, target);
    e->org = a->church ? a->church->org.number : 0;
    e->count = (int32_t)a->count;
    e->inflight = a->church ? (int32_t)a->church->inflight : 0;
    e->generation = a->generation;
    e->cred = (uint8_t)a->cred;
    e->counted = a->counted;
    e->version = a->version ? sim_arena_str(&texts, a->version) : NULL;
    for (size_t i = 0; method[i] && i + 1 < sizeof e->method; i++) {
        e->method[i] = method[i];
    }
    return seq;
}

static bool is_write(const struct entry *e)
{
    return strcmp(e->method, "GET") != 0 && strncmp(e->target, "/oauth/", 7) != 0;
}

static const char *keep_text(const char *s)
{
    return s ? sim_arena_str(&texts, s) : NULL;
}

void sim_ledger_end(uint64_t seq, int64_t end_us, const struct sim_end *end)
{
    struct entry *e = entry_at(seq);

    if (!e) {
        return;
    }
    e->end_us = end_us;
    e->status = (uint16_t)end->status;
    e->fault = end->fault;
    e->bytes = end->bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)end->bytes;
    e->asked = (uint32_t)end->asked;
    e->sent = (uint32_t)end->sent;
    e->whole = (uint32_t)end->whole;
    e->cut = (int32_t)end->cut;
    if (is_write(e)) {
        e->done = end->done;
        e->heard = end->heard;
        e->type = end->type;
        e->id = end->type ? keep_text(end->id) : NULL;
        e->names = keep_text(end->names);
        e->body = keep_bodies && end->body && *end->body ? keep_text(end->body) : NULL;
    }
}

void sim_ledger_keep_bodies(bool keep)
{
    sim_gate_lock();
    keep_bodies = keep;
    sim_gate_unlock();
}

void sim_ledger_reset(void)
{
    sim_gate_lock();
    for (uint64_t i = 0; i * BLOCK < entry_count; i++) {
        free(blocks[i]);
    }
    free(blocks);
    blocks = NULL;
    first_seq += entry_count; /* numbers go on, so a late end hits nobody else's entry */
    entry_count = 0;
    sim_arena_free(&texts);
    sim_gate_unlock();
}

static void put_ms(struct sim_buf *out, const char *key, int64_t us)
{
    sim_buf_fmt(out, "\"%s\":%lld.%03d", key, (long long)(us / 1000), (int)(us % 1000));
}

/* What a write did; the body as it came, if bodies are kept. */
static void write_what(const struct entry *e, struct sim_buf *out)
{
    sim_buf_fmt(out, ",\"done\":%s,\"heard\":%s,\"type\":", e->done ? "true" : "false",
                e->heard ? "true" : "false");
    sim_buf_json(out, e->type);
    SIM_LIT(out, ",\"id\":");
    sim_buf_json(out, e->id);
    SIM_LIT(out, ",\"names\":");
    sim_buf_str(out, e->names ? e->names : "[]");
    if (e->body) {
        SIM_LIT(out, ",\"body\":");
        sim_buf_json(out, e->body);
    }
}

static void write_entry(const struct entry *e, uint64_t seq, struct sim_buf *out)
{
    sim_buf_fmt(out, "{\"seq\":%llu,", (unsigned long long)seq);
    put_ms(out, "t_ms", e->t_us - start_us);
    if (e->end_us) {
        sim_buf_char(out, ',');
        put_ms(out, "end_ms", e->end_us - start_us);
    } else {
        SIM_LIT(out, ",\"end_ms\":null");
    }
    sim_buf_fmt(out, ",\"org\":%d,\"token\":", e->org);
    if (e->cred == SIM_CRED_OAUTH) {
        sim_buf_fmt(out, "\"oauth-%d\"", e->generation);
    } else {
        sim_buf_str(out, e->cred == SIM_CRED_PAT ? "\"pat\"" : "null");
    }
    sim_buf_fmt(out, ",\"method\":\"%s\",\"target\":", e->method);
    sim_buf_json(out, e->target);
    sim_buf_fmt(out, ",\"status\":%d,\"fault\":", (int)e->status);
    sim_buf_json(out, e->fault);
    SIM_LIT(out, ",\"version\":");
    sim_buf_json(out, e->version);
    sim_buf_fmt(out, ",\"bytes\":%u,\"count\":%d,\"inflight\":%d,\"asked\":%u", e->bytes, e->count,
                e->inflight, e->asked);
    if (e->cut >= 0) {
        sim_buf_fmt(out, ",\"cut\":%d,\"sent\":%u,\"whole\":%u", e->cut, e->sent, e->whole);
    }
    if (is_write(e)) {
        write_what(e, out);
    }
    SIM_LIT(out, "}\n");
}

void sim_ledger_write(int org, uint64_t since, bool writes_only, struct sim_buf *out)
{
    sim_gate_lock();
    for (uint64_t i = since > first_seq ? since - first_seq : 0; i < entry_count; i++) {
        const struct entry *e = entry_at(first_seq + i);

        if ((!org || e->org == org) && (!writes_only || is_write(e))) {
            write_entry(e, first_seq + i, out);
        }
    }
    sim_gate_unlock();
}

struct stats {
    int64_t requests, refused, tokens, bytes, max_inflight, first_us, last_us, accepted;
    int64_t writes, writes_done, writes_unheard;
    int64_t status[600];
    int64_t max_fixed, max_sliding;
};

/* Windows of one credential of one church; times are ascending. */
static void windows(const int64_t *t, size_t n, int64_t period_us, struct stats *s)
{
    size_t tail = 0, start = 0;

    for (size_t i = 0; i < n; i++) {
        while (t[tail] <= t[i] - period_us) {
            tail++;
        }
        if ((int64_t)(i - tail + 1) > s->max_sliding) {
            s->max_sliding = (int64_t)(i - tail + 1);
        }
        if (t[i] >= t[start] + period_us) {
            start = i;
        }
        if ((int64_t)(i - start + 1) > s->max_fixed) {
            s->max_fixed = (int64_t)(i - start + 1);
        }
    }
}

static void church_windows(int org, int cred, uint64_t since, uint64_t until, struct stats *s)
{
    const struct sim_church *c = sim_church_get(org);
    int64_t *t = sim_alloc((entry_count + 1) * sizeof *t);
    size_t n = 0;

    for (uint64_t i = 0; i < entry_count; i++) {
        const struct entry *e = entry_at(first_seq + i);

        if (e->org == org && e->cred == cred && e->counted && first_seq + i >= since &&
            first_seq + i <= until) {
            t[n++] = e->t_us;
        }
    }
    windows(t, n, c->period_us, s);
    free(t);
}

static void collect(int org, uint64_t since, uint64_t until, struct stats *s)
{
    for (uint64_t i = 0; i < entry_count; i++) {
        const struct entry *e = entry_at(first_seq + i);

        if ((org && e->org != org) || first_seq + i < since || first_seq + i > until) {
            continue;
        }
        if (!strncmp(e->target, "/oauth/", 7)) {
            s->tokens++;
            continue;
        }
        s->requests++;
        s->status[e->status < 600 ? e->status : 0]++;
        s->refused += e->status == 429;
        s->accepted += e->counted && e->status != 429;
        s->bytes += e->bytes;
        s->writes += is_write(e);
        s->writes_done += e->done;
        s->writes_unheard += e->done && !e->heard; /* or not heard yet */
        s->max_inflight = e->inflight > s->max_inflight ? e->inflight : s->max_inflight;
        s->first_us = s->first_us ? s->first_us : e->t_us;
        s->last_us = e->t_us;
    }
}

static void write_stats(const struct stats *s, const struct sim_church *c, struct sim_buf *out)
{
    int64_t span_us = s->last_us - s->first_us;
    bool first = true;

    sim_buf_fmt(out, "{\"requests\":%lld,\"status\":{", (long long)s->requests);
    for (int i = 0; i < 600; i++) {
        if (s->status[i]) {
            sim_buf_fmt(out, "%s\"%d\":%lld", first ? "" : ",", i, (long long)s->status[i]);
            first = false;
        }
    }
    sim_buf_fmt(out, "},\"refused\":%lld,\"accepted\":%lld", (long long)s->refused,
                (long long)s->accepted);
    if (c) {
        double period_us = (double)c->period_us;
        /* A window that has just begun may be used at once: its permits are there too. */
        double permits = (double)c->limit * ((double)span_us + period_us) / period_us;

        sim_buf_fmt(out,
                    ",\"limit\":%lld,\"period\":%lld,\"max_in_fixed_window\":%lld,"
                    "\"max_in_sliding_window\":%lld,\"permit_share\":%.4f",
                    (long long)c->limit, (long long)(c->period_us / 1000000),
                    (long long)s->max_fixed, (long long)s->max_sliding,
                    c->limit_off ? 0.0 : (double)s->accepted / permits);
    }
    sim_buf_fmt(out, ",\"writes\":%lld,\"writes_done\":%lld,\"writes_unheard\":%lld", (long long)s->writes,
                (long long)s->writes_done, (long long)s->writes_unheard);
    sim_buf_fmt(out, ",\"token_requests\":%lld,\"bytes\":%lld,\"max_inflight\":%lld,",
                (long long)s->tokens, (long long)s->bytes, (long long)s->max_inflight);
    put_ms(out, "first_ms", s->first_us ? s->first_us - start_us : 0);
    sim_buf_char(out, ',');
    put_ms(out, "last_ms", s->last_us ? s->last_us - start_us : 0);
    sim_buf_fmt(out, ",\"next_seq\":%llu}\n", (unsigned long long)(first_seq + entry_count));
}

void sim_ledger_stats(int org, uint64_t since, uint64_t until, struct sim_buf *out)
{
    struct stats *s = sim_alloc(sizeof *s);

    sim_gate_lock();
    collect(org, since, until, s);
    if (org && sim_church_get(org)) {
        for (int cred = SIM_CRED_PAT; cred < SIM_CRED_COUNT; cred++) {
            church_windows(org, cred, since, until, s);
        }
    }
    write_stats(s, sim_church_get(org), out);
    sim_gate_unlock();
    free(s);
}
