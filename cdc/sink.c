/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/cdc_int.h"

#include "common/kafka/kafka.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/model/model.h"
#include "common/pg/pg.h"
#include "common/task/change.h"

#include "openfaith_cdc_sql.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_FULL (-184) /* librdkafka's own queue: wait like for any other */
#define PENDING_LOOKUPS 1000
#define PENDING_ROWS 8192
#define PENDING_BYTES ((size_t)4 * 1024 * 1024)
#define WAIT_MS 50
#define SEE_MS 5

/* Rows of txn.h that are no changes of OpenFaith's tables. */
#define OP_CONNECTED 'C'
#define OP_DISCONNECTED 'X'
#define OP_OWN 'O' /* org: the adapter */

struct pending_row {
    struct of_cdc_current at; /* its commit is held */
    const struct of_cdc_table *table;
    char op;
    bool lookup;
    size_t org, org_len, id, id_len; /* in texts */
};

struct of_cdc_pending {
    struct pending_row rows[PENDING_ROWS];
    size_t n, n_lookups;
    struct of_buf texts;
};

void of_cdc_sink_init(struct of_cdc *c)
{
    c->decoder = of_decoder_new(&of_cdc_ops, c);
    c->tables = of_reallocarray(NULL, 1, sizeof(struct of_cdc_table *));
    c->tables[c->n_tables++] = of_calloc(1, sizeof(struct of_cdc_table)); /* of rows that are of no table */
    c->txns = of_txns_new(c->conf->cdc_spill_dir, (size_t)c->conf->cdc_memory_bytes, (uint64_t)c->conf->cdc_spill_bytes);
    c->wanted = of_cdc_wanted_new();
    c->own = of_cdc_own_new();
    c->pending = of_calloc(1, sizeof *c->pending);
    c->pending->texts = OF_BUF_INIT(PENDING_BYTES * 2);
    c->message = OF_BUF_INIT(OF_CHANGE_MAX_BYTES * 2);
    c->org = OF_BUF_INIT(OF_CHANGE_ORG_MAX + 1);
}

void of_cdc_sink_done(struct of_cdc *c)
{
    of_decoder_free(c->decoder);
    of_txns_free(c->txns);
    of_cdc_wanted_free(c->wanted);
    of_cdc_own_free(c->own);
    of_buf_done(&c->pending->texts);
    free(c->pending);
    of_buf_done(&c->message);
    of_buf_done(&c->org);
    for (uint32_t i = 0; i < c->n_tables; i++) {
        free(c->tables[i]);
    }
    free(c->tables);
    c->tables = NULL;
    c->n_tables = 0;
}

static void clear_pending(struct of_cdc *c)
{
    c->pending->n = 0;
    c->pending->n_lookups = 0;
    of_buf_clear(&c->pending->texts);
}

void of_cdc_sink_reset(struct of_cdc *c)
{
    of_decoder_reset(c->decoder);
    of_txns_clear(c->txns);
    clear_pending(c);
    if (c->current.commit != NULL) { /* it comes again from its beginning; left open it would hold back all after it */
        of_cdc_commit_end(c->current.commit, 0);
    }
    c->current = (struct of_cdc_current){.commit = NULL};
    c->stream_xid = 0;
}

bool of_cdc_sink_is_idle(const struct of_cdc *c)
{
    return c->current.commit == NULL && c->pending->n == 0 && of_cdc_tracker_is_empty(c->tracker);
}

/* --- Kafka --- */

/* Until there is room for one more; a delivery that failed ends the session. */
static enum of_code make_room(struct of_cdc *c, struct of_err *err)
{
    while (of_cdc_tracker_in_flight(c->tracker) >= c->conf->cdc_in_flight) {
        of_cdc_tracker_wait(c->tracker, OF_MAX(c->conf->cdc_in_flight * 3 / 4, 1), WAIT_MS);
        OF_TRY(of_cdc_tend(c, err));
    }
    return OF_OK;
}

enum of_code of_cdc_publish(struct of_cdc *c, struct of_cdc_commit *commit, const char *table, char op, const char *org,
                            size_t org_len, const char *id, size_t id_len, const struct of_cdc_current *at, struct of_err *err)
{
    char id_text[OF_CHANGE_ID_MAX + 1];
    if (org_len == 0 || org_len > OF_CHANGE_ORG_MAX || id_len > OF_CHANGE_ID_MAX || (id_len == 0 && op != 't')) {
        of_metric_inc(c->metrics.dropped); /* no id of ours is so long, and a worker could not read it */
        return OF_OK;
    }
    OF_TRY(make_room(c, err));
    of_buf_clear(&c->org);
    of_buf_mem(&c->org, org, org_len);
    memcpy(id_text, id, id_len);
    id_text[id_len] = '\0';
    struct of_change change = {
        .org = of_buf_text(&c->org), .table = table, .id = id_text, .op = op, .xid = at->xid, .sys = c->system_id,
        .timeline = c->timeline, .lsn = at->lsn, .at_us = OF_MAX(at->at_us, 0), .n = at->n};
    of_buf_clear(&c->message);
    of_change_encode(&change, &c->message);
    for (;;) {
        of_cdc_commit_hold(commit);
        enum of_code code = of_kafka_produce(c->producer, OF_TOPIC_CHANGES, of_buf_text(&c->org), of_buf_text(&c->message),
                                             c->message.len, NULL, of_cdc_delivered, commit, err);
        if (code == OF_OK) {
            of_metric_inc(c->metrics.published);
            return OF_OK;
        }
        of_cdc_commit_release(commit);
        if (err->kafka_code != QUEUE_FULL) {
            return code;
        }
        of_err_clear(err);
        of_cdc_tracker_wait(c->tracker, OF_MAX(of_cdc_tracker_in_flight(c->tracker) / 2, 1), WAIT_MS);
        OF_TRY(of_cdc_tend(c, err));
    }
}

enum of_code of_cdc_drain(struct of_cdc *c, struct of_err *err)
{
    OF_TRY(of_cdc_sink_flush(c, err));
    while (of_cdc_tracker_in_flight(c->tracker) > 0) {
        of_cdc_tracker_wait(c->tracker, 1, WAIT_MS);
        OF_TRY(of_cdc_tend(c, err));
    }
    return of_cdc_tend(c, err);
}

/* --- rows whose organization is not known --- */

static enum of_code look_up(struct of_cdc *c, struct of_pgres **ret, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ids = of_pgarr_new(OF_PG_TEXT);
    struct of_pgargs args = OF_PGARGS_INIT;
    const struct of_cdc_pending *p = c->pending;
    for (size_t i = 0; i < p->n; i++) {
        if (p->rows[i].lookup) {
            of_pgarr_mem(ids, of_buf_text(&p->texts) + p->rows[i].id, p->rows[i].id_len);
        }
    }
    of_pg_arg_array(&args, ids);
    return of_pg_run(c->db, &of_sql_cdc_orgs, &args, ret, err);
}

enum of_code of_cdc_sink_flush(struct of_cdc *c, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_cdc_pending *p = c->pending;
    int at = 0;
    if (p->n == 0) {
        return OF_OK;
    }
    OF_TRY(look_up(c, &res, err));
    int64_t ord = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct pending_row *r = &p->rows[i];
        const char *texts = of_buf_text(&p->texts);
        const char *org = texts + r->org;
        size_t org_len = r->org_len;
        if (r->lookup) {
            ord++;
            org_len = 0;
            if (at < of_pgres_rows(res) && of_pgres_i64(res, at, 0) == ord) {
                org = of_pgres_text(res, at, 1);
                org_len = of_pgres_len(res, at, 1);
                at++;
            }
        }
        if (org_len > 0 && of_cdc_wanted_has(c->wanted, org, org_len)) {
            OF_TRY(of_cdc_publish(c, r->at.commit, r->table->name, r->op, org, org_len, texts + r->id, r->id_len, &r->at, err));
        } else {
            of_metric_inc(c->metrics.dropped);
        }
        of_cdc_commit_release(r->at.commit);
    }
    clear_pending(c);
    return OF_OK;
}

static size_t keep_text(struct of_buf *b, const char *text, size_t len)
{
    size_t at = b->len;
    of_buf_mem(b, text, len);
    return at;
}

static enum of_code hold_back(struct of_cdc *c, const struct of_cdc_table *t, char op, const char *org, size_t org_len,
                              const char *id, size_t id_len, struct of_err *err)
{
    struct of_cdc_pending *p = c->pending;
    if (id_len == 0 || id_len > OF_CHANGE_ID_MAX || org_len > OF_CHANGE_ORG_MAX) {
        of_metric_inc(c->metrics.dropped);
        return OF_OK;
    }
    if (p->n == PENDING_ROWS || p->n_lookups == PENDING_LOOKUPS || p->texts.len > PENDING_BYTES) {
        OF_TRY(of_cdc_sink_flush(c, err));
    }
    struct pending_row *r = &p->rows[p->n++];
    *r = (struct pending_row){.at = c->current, .table = t, .op = op, .lookup = org_len == 0};
    r->org_len = org_len;
    r->id_len = id_len;
    r->org = keep_text(&p->texts, org, org_len);
    r->id = keep_text(&p->texts, id, id_len);
    p->n_lookups += r->lookup;
    of_cdc_commit_hold(r->at.commit);
    return OF_OK;
}

/* --- commits that may not be visible yet --- */

static void note_unseen(struct of_cdc *c)
{
    if (c->n_unseen < OF_CDC_UNSEEN_MAX && (c->n_unseen == 0 || c->unseen[c->n_unseen - 1].commit != c->current.commit)) {
        of_cdc_commit_keep(c->current.commit);
        c->unseen[c->n_unseen++] = (struct of_cdc_unseen){.commit = c->current.commit, .xid = c->current.xid};
    }
}

enum of_code of_cdc_sink_see(struct of_cdc *c, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *xids = of_pgarr_new(OF_PG_INT8);
    struct of_pgargs args = OF_PGARGS_INIT;
    struct of_mono now = of_mono_now();
    if (c->n_unseen == 0 || now.ms - c->unseen_at.ms < SEE_MS) {
        return OF_OK;
    }
    c->unseen_at = now;
    for (int i = 0; i < c->n_unseen; i++) {
        of_pgarr_int8(xids, (int64_t)c->unseen[i].xid);
    }
    of_pg_arg_array(&args, xids);
    OF_TRY(of_pg_run(c->db, &of_sql_cdc_visible, &args, &res, err));
    int left = 0;
    for (int i = 0; i < c->n_unseen; i++) {
        if (of_pgres_bool(res, i, 0)) {
            of_cdc_commit_let(c->unseen[i].commit);
        } else {
            c->unseen[left++] = c->unseen[i];
        }
    }
    c->n_unseen = left;
    return OF_OK;
}

/* --- a row of a committed transaction --- */

static enum of_code truncated(struct of_cdc *c, const struct of_cdc_table *t, struct of_err *err)
{
    const char *org = NULL;
    OF_TRY(of_cdc_sink_flush(c, err));
    for (size_t i = 0; of_cdc_wanted_at(c->wanted, i, &org); i++) {
        if (org != NULL) {
            OF_TRY(of_cdc_publish(c, c->current.commit, t->name, 't', org, strlen(org), "", 0, &c->current, err));
        }
    }
    return OF_OK;
}

/* Written by our own worker, and nobody else wants it: whoever it is for has it. */
static bool is_own(struct of_cdc *c, const struct of_cdc_table *t, const char *org, size_t org_len, const char *id, size_t id_len)
{
    const char *adapter = of_cdc_own_by(c->own, id, id_len, t->kind == OF_CDC_EDGES);
    return adapter != NULL && of_cdc_wanted_only_by(c->wanted, org, org_len, adapter);
}

static enum of_code committed(struct of_cdc *c, const struct of_cdc_table *t, char op, const char *org, size_t org_len,
                              const char *id, size_t id_len, struct of_err *err)
{
    enum of_code code = OF_OK;
    if (op == OP_CONNECTED || op == OP_DISCONNECTED) {
        of_cdc_wanted_set(c->wanted, org, org_len, id, id_len, op == OP_CONNECTED);
        note_unseen(c);
        return OF_OK;
    }
    if (op == OP_OWN) {
        of_cdc_own_add(c->own, org, org_len, id, id_len);
        return OF_OK;
    }
    of_metric_inc(c->metrics.rows);
    c->n_rows++;
    if (op == 't') {
        code = truncated(c, t, err);
    } else if (org_len == 0) {
        code = hold_back(c, t, op, "", 0, id, id_len, err);
    } else if (!of_cdc_wanted_has(c->wanted, org, org_len)) {
        of_metric_inc(c->metrics.dropped);
    } else if (op != 'd' && is_own(c, t, org, org_len, id, id_len)) {
        of_metric_inc(c->metrics.own);
    } else if (c->pending->n > 0) {
        code = hold_back(c, t, op, org, org_len, id, id_len, err);
    } else {
        code = of_cdc_publish(c, c->current.commit, t->name, op, org, org_len, id, id_len, &c->current, err);
    }
    c->current.n++;
    return code;
}

/* A row as it comes: of a commit, or kept until one comes. */
static enum of_code take(struct of_cdc *c, const struct of_cdc_table *t, uint32_t subxid, char op, const struct of_cell *org,
                         const char *id, size_t id_len, struct of_err *err)
{
    const char *org_text = org != NULL ? org->data : "";
    size_t org_len = org != NULL ? org->len : 0;
    if (c->stream_xid == 0) {
        return committed(c, t, op, org_text, org_len, id, id_len, err);
    }
    if (org_len > OF_CHANGE_ORG_MAX || id_len > OF_CHANGE_ID_MAX) {
        of_metric_inc(c->metrics.dropped);
        return OF_OK;
    }
    struct of_txn_row row = {
        .subxid = subxid, .rel = t->no, .op = op, .org = org_text, .id = id, .org_len = org_len, .id_len = id_len};
    return of_txns_add(c->txns, c->stream_xid, &row, err);
}

/* --- relations --- */

static int column_of(const struct of_rel *rel, const char *name)
{
    for (int i = 0; i < rel->n_columns; i++) {
        if (strcmp(rel->columns[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static enum of_cdc_kind kind_of(const struct of_rel *rel)
{
    size_t n = 0;
    const struct of_entity *entities = of_model_entities(&n);
    if (strcmp(rel->schema, "sync") == 0) {
        return strcmp(rel->name, "connection") == 0 ? OF_CDC_CONNECTION : OF_CDC_OTHER;
    }
    if (strcmp(rel->schema, "public") != 0) {
        return OF_CDC_OTHER;
    }
    if (strcmp(rel->name, "openfaith_edges") == 0) {
        return OF_CDC_EDGES;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rel->name, entities[i].table) == 0) {
            return OF_CDC_ENTITY;
        }
    }
    return OF_CDC_OTHER;
}

static struct of_cdc_table *find_table(struct of_cdc *c, const struct of_rel *rel, enum of_cdc_kind kind)
{
    for (uint32_t i = 0; i < c->n_tables; i++) {
        if (c->tables[i]->kind == kind && strcmp(c->tables[i]->name, rel->name) == 0) {
            return c->tables[i];
        }
    }
    struct of_cdc_table *t = of_calloc(1, sizeof *t);
    t->no = c->n_tables;
    t->kind = kind;
    of_strcopy(t->name, sizeof t->name, rel->name);
    c->tables = of_reallocarray(c->tables, c->n_tables + 1, sizeof(struct of_cdc_table *));
    c->tables[c->n_tables++] = t;
    return t;
}

/* A number for names and types of the columns. */
static uint64_t form_of(const struct of_rel *rel)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (int i = 0; i < rel->n_columns; i++) {
        for (const char *p = rel->columns[i].name; *p != '\0'; p++) {
            h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
        }
        h = (h ^ rel->columns[i].type_oid) * UINT64_C(1099511628211);
    }
    return h | 1;
}

static struct of_cdc_table *table_of(struct of_cdc *c, struct of_rel *rel)
{
    if (rel->user != NULL) {
        return rel->user;
    }
    enum of_cdc_kind kind = kind_of(rel);
    struct of_cdc_table *t = find_table(c, rel, kind);
    uint64_t form = form_of(rel);
    bool complete = kind == OF_CDC_ENTITY  ? rel->id >= 0 && rel->org >= 0
                    : kind == OF_CDC_EDGES ? rel->org >= 0 && rel->source >= 0 && rel->target >= 0 && rel->type >= 0
                                           : true;
    if (kind == OF_CDC_CONNECTION) {
        t->adapter = column_of(rel, "adapter");
        t->state = column_of(rel, "state");
    }
    /* the server tells a table anew for many reasons: ANALYZE is one */
    if (t->form != 0 && t->form != form) {
        of_log(OF_LOG_INFO, "cdc.table", "a table has changed its form, going on", OF_S("type", t->name));
        t->warned = false;
    }
    t->form = form;
    if (!complete && !t->warned) {
        of_log(OF_LOG_WARN, "cdc.columns", "a table is published without id or orgId: what its rows do not say is looked up or skipped",
               OF_S("type", t->name));
        t->warned = true;
    }
    rel->user = t;
    return t;
}

/* --- cells --- */

static const struct of_cell *cell_of(const struct of_cell *cells, int n, int column)
{
    return column >= 0 && column < n && cells[column].kind == 't' ? &cells[column] : NULL;
}

/* source|target|type; false if the cells do not say all of them. */
static bool edge_id(const struct of_rel *rel, const struct of_cell *cells, int n, char *buf, size_t size, size_t *ret_len)
{
    const int columns[] = {rel->source, rel->target, rel->type};
    size_t len = 0;
    for (size_t i = 0; i < OF_ARRAY_LEN(columns); i++) {
        const struct of_cell *cell = cell_of(cells, n, columns[i]);
        if (cell == NULL || len + cell->len + 1 >= size) {
            return false;
        }
        if (i > 0) {
            buf[len++] = '|';
        }
        memcpy(buf + len, cell->data, cell->len);
        len += cell->len;
    }
    *ret_len = len;
    return true;
}

/* The id that cells give: *ret_id points into them or into buf. */
static bool id_of(const struct of_cdc_table *t, const struct of_rel *rel, const struct of_cell *cells, int n, char *buf, size_t size,
                  const char **ret_id, size_t *ret_len)
{
    if (t->kind == OF_CDC_EDGES) {
        *ret_id = buf;
        return edge_id(rel, cells, n, buf, size, ret_len);
    }
    const struct of_cell *cell = cell_of(cells, n, rel->id);
    if (cell == NULL) {
        return false;
    }
    *ret_id = cell->data;
    *ret_len = cell->len;
    return true;
}

static enum of_code connection_row(struct of_cdc *c, const struct of_cdc_table *t, const struct of_row *row, struct of_err *err)
{
    const struct of_cell *cells[2] = {row->key_cells, row->new_cells};
    const int n[2] = {row->n_key, row->n_new};
    for (int i = 0; i < 2; i++) { /* the old one goes, the new one comes */
        const struct of_cell *org = cell_of(cells[i], n[i], row->rel->org);
        const struct of_cell *adapter = cell_of(cells[i], n[i], t->adapter);
        if (org == NULL || adapter == NULL) {
            continue;
        }
        const struct of_cell *state = cell_of(cells[i], n[i], t->state);
        bool off = i == 0 || (state != NULL && state->len == strlen("disconnected") &&
                              memcmp(state->data, "disconnected", state->len) == 0);
        OF_TRY(take(c, t, row->xid, off ? OP_DISCONNECTED : OP_CONNECTED, org, adapter->data, adapter->len, err));
    }
    return OF_OK;
}

/* --- callbacks of the decoder --- */

static enum of_code on_row(void *arg, const struct of_row *row, struct of_err *err)
{
    struct of_cdc *c = arg;
    const struct of_cdc_table *t = table_of(c, row->rel);
    char new_buf[3 * OF_CHANGE_ID_MAX], old_buf[3 * OF_CHANGE_ID_MAX];
    const char *new_id = NULL, *old_id = NULL;
    size_t new_len = 0, old_len = 0;
    if (t->kind == OF_CDC_OTHER) {
        return OF_OK;
    }
    if (t->kind == OF_CDC_CONNECTION) {
        return connection_row(c, t, row, err);
    }
    bool has_new = row->n_new > 0 && id_of(t, row->rel, row->new_cells, row->n_new, new_buf, sizeof new_buf, &new_id, &new_len);
    bool has_old = row->n_key > 0 && id_of(t, row->rel, row->key_cells, row->n_key, old_buf, sizeof old_buf, &old_id, &old_len);
    const struct of_cell *new_org = row->n_new > 0 ? cell_of(row->new_cells, row->n_new, row->rel->org) : NULL;
    const struct of_cell *old_org = row->n_key > 0 ? cell_of(row->key_cells, row->n_key, row->rel->org) : NULL;
    if (has_old && (row->op == 'd' || !has_new || old_len != new_len || memcmp(old_id, new_id, old_len) != 0)) {
        OF_TRY(take(c, t, row->xid, 'd', old_org != NULL ? old_org : new_org, old_id, old_len, err));
    }
    if (has_new) {
        return take(c, t, row->xid, row->op, new_org, new_id, new_len, err);
    }
    return OF_OK;
}

static enum of_code on_truncate(void *arg, struct of_rel *const *rels, int n, uint32_t xid, struct of_err *err)
{
    struct of_cdc *c = arg;
    for (int i = 0; i < n; i++) {
        const struct of_cdc_table *t = table_of(c, rels[i]);
        if (t->kind == OF_CDC_ENTITY || t->kind == OF_CDC_EDGES) {
            OF_TRY(take(c, t, xid, 't', NULL, "", 0, err));
        }
    }
    return OF_OK;
}

/* 64 bits of which the wire says 32: those near what was met last. */
static uint64_t widen(struct of_cdc *c, uint32_t xid)
{
    const uint64_t epoch = UINT64_C(1) << 32;
    uint64_t full = (c->newest_xid & ~(epoch - 1)) | xid;
    if (full > c->newest_xid && full - c->newest_xid > epoch / 2 && full >= epoch) {
        full -= epoch;
    } else if (full < c->newest_xid && c->newest_xid - full > epoch / 2) {
        full += epoch;
    }
    c->newest_xid = OF_MAX(c->newest_xid, full);
    return full;
}

static void open_commit(struct of_cdc *c, uint32_t xid, of_lsn lsn, int64_t at_us)
{
    of_cdc_own_clear(c->own);
    c->current = (struct of_cdc_current){
        .commit = of_cdc_commit_open(c->tracker, at_us), .xid = widen(c, xid), .lsn = lsn, .at_us = at_us};
}

static void end_commit(struct of_cdc *c, of_lsn end)
{
    of_cdc_commit_end(c->current.commit, end);
    c->current.commit = NULL;
    c->batch_end = end;
    c->batch_commits++;
    of_metric_inc(c->metrics.commits);
}

static enum of_code on_begin(void *arg, uint32_t xid, of_lsn final_lsn, int64_t commit_us, struct of_err *err)
{
    (void)err;
    open_commit(arg, xid, final_lsn, commit_us);
    return OF_OK;
}

static enum of_code on_commit(void *arg, of_lsn commit_lsn, of_lsn end_lsn, int64_t commit_us, struct of_err *err)
{
    (void)commit_lsn;
    (void)commit_us;
    (void)err;
    end_commit(arg, end_lsn);
    return OF_OK;
}

/* A worker says what it is about to write: "adapter\nid\nid…". Of others' messages nobody here wants to know. */
static enum of_code on_message(void *arg, bool transactional, of_lsn lsn, const char *prefix, const void *content, size_t len,
                               uint32_t xid, struct of_err *err)
{
    struct of_cdc *c = arg;
    const char *end = (const char *)content + len;
    const char *line = content;
    struct of_cell adapter = {.kind = 't', .data = content};
    (void)lsn;
    if (!transactional || strcmp(prefix, OF_CDC_OWN_PREFIX) != 0) {
        return OF_OK;
    }
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        if (line == content) {
            adapter.len = (uint32_t)(stop - line);
        } else if (stop > line) {
            OF_TRY(take(c, c->tables[0], xid, OP_OWN, &adapter, line, (size_t)(stop - line), err));
        }
        line = stop + 1;
    }
    return OF_OK;
}

static enum of_code on_stream_start(void *arg, uint32_t xid, bool first, struct of_err *err)
{
    struct of_cdc *c = arg;
    (void)first;
    (void)err;
    c->stream_xid = xid;
    return OF_OK;
}

static enum of_code on_stream_stop(void *arg, struct of_err *err)
{
    struct of_cdc *c = arg;
    (void)err;
    c->stream_xid = 0;
    return OF_OK;
}

static enum of_code publish_txn(struct of_cdc *c, struct of_txn_reader *reader, struct of_err *err)
{
    struct of_txn_row row;
    bool has = false;
    OF_TRY(of_txns_next(reader, &row, &has, err));
    while (has) {
        OF_TRY(committed(c, c->tables[row.rel], row.op, row.org, row.org_len, row.id, row.id_len, err));
        OF_TRY(of_txns_next(reader, &row, &has, err));
    }
    return OF_OK;
}

static enum of_code on_stream_commit(void *arg, uint32_t xid, of_lsn commit_lsn, of_lsn end_lsn, int64_t commit_us,
                                     struct of_err *err)
{
    struct of_cdc *c = arg;
    struct of_txn_reader *reader = NULL;
    open_commit(c, xid, commit_lsn, commit_us);
    OF_TRY(of_txns_open(c->txns, xid, &reader, err));
    enum of_code code = publish_txn(c, reader, err);
    of_txns_end(c->txns, xid, reader);
    if (code == OF_OK) {
        end_commit(c, end_lsn);
    }
    return code;
}

static enum of_code on_stream_abort(void *arg, uint32_t xid, uint32_t subxid, struct of_err *err)
{
    struct of_cdc *c = arg;
    return of_txns_abort(c->txns, xid, subxid, err);
}

const struct of_decode_ops of_cdc_ops = {
    .begin = on_begin,
    .commit = on_commit,
    .row = on_row,
    .truncate = on_truncate,
    .message = on_message,
    .stream_start = on_stream_start,
    .stream_stop = on_stream_stop,
    .stream_commit = on_stream_commit,
    .stream_abort = on_stream_abort,
};
