/* SPDX-License-Identifier: Apache-2.0 */
#include "cdc/cdc_int.h"

#include "common/log/log.h"
#include "common/metrics/metrics.h"
#include "common/model/model.h"
#include "common/pg/pg.h"

#include "openfaith_cdc_sql.h"

#include <stdlib.h>
#include <string.h>

/* What changed while nobody could read it. A row was written since the horizon if its xmin is not older: that needs no column
 * that an application must keep right. What is gone is found from the links. Each find is a change of op r: who sends compares
 * with what was agreed, so one too many costs a look and no request. Pages in the order of keys; the position is saved with
 * each, once its changes are acknowledged. */

#define PAGE_ROWS 20000
#define KEYS 4

struct repair {
    struct of_cdc *c;
    int64_t step;
    char *after[KEYS], *horizon;
    char *stands; /* all that sync.cdc_state says of it: another thing there means that it began anew */
    bool begun;
    int64_t found;
};

static void repair_done(struct repair *r)
{
    for (size_t i = 0; i < KEYS; i++) {
        free(r->after[i]);
    }
    free(r->horizon);
    free(r->stands);
}

/* The row's transaction id, of which a row keeps 32 bits, is not older than the horizon. A row that we see is older than the
 * snapshot's end, which says what the other 32 are. */
static void is_changed(struct of_buf *b)
{
    of_buf_str(b, "($5::text IS NULL OR (SELECT n - mod(n - x::text::bigint, 4294967296) >= $5::bigint "
                  "FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS n) AS next))");
}

/* Rows: key columns (one to four), org, id; the last row is the last key of the page without org, or all null. */
static void entity_sql(struct of_buf *b, const struct of_entity *e)
{
    of_buf_fmt(b,
               "WITH page AS (SELECT id AS k1, \"orgId\" AS org, xmin AS x FROM public.\"%s\" WHERE id > $1::text AND $2::text IS NOT NULL "
               "AND $3::text IS NOT NULL AND $4::text IS NOT NULL ORDER BY id LIMIT $6::bigint) "
               "SELECT k1, NULL::text, NULL::text, NULL::text, org, k1 FROM page WHERE ",
               e->table);
    is_changed(b);
    of_buf_str(b, " UNION ALL SELECT (SELECT k1 FROM page ORDER BY k1 DESC LIMIT 1), NULL, NULL, NULL, NULL, NULL");
}

static void edges_sql(struct of_buf *b)
{
    of_buf_str(b, "WITH page AS (SELECT \"orgId\" AS k1, \"sourceEntityId\" AS k2, \"targetEntityId\" AS k3, \"relationshipType\" AS k4, "
                  "xmin AS x FROM public.openfaith_edges WHERE (\"orgId\", \"sourceEntityId\", \"targetEntityId\", "
                  "\"relationshipType\") > ($1::text, $2::text, $3::text, $4::text) ORDER BY 1, 2, 3, 4 LIMIT $6::bigint) "
                  "SELECT k1, k2, k3, k4, k1, k2 || '|' || k3 || '|' || k4 FROM page WHERE ");
    is_changed(b);
    of_buf_str(b, " UNION ALL (SELECT k1, k2, k3, k4, NULL, NULL FROM page ORDER BY 1 DESC, 2 DESC, 3 DESC, 4 DESC LIMIT 1)");
}

/* Links of entities that are no longer there. */
static void missing_sql(struct of_buf *b)
{
    size_t n = 0;
    const struct of_entity *entities = of_model_entities(&n);
    of_buf_str(b, "WITH page AS (SELECT entity_id AS k1, org_id AS org, entity_type AS tag FROM sync.external_link "
                  "WHERE kind = 'entity' AND state = 'linked' AND entity_id > $1::text AND $2::text IS NOT NULL "
                  "AND $3::text IS NOT NULL AND $4::text IS NOT NULL AND ($5::text IS NULL OR true) ORDER BY entity_id LIMIT $6::bigint) "
                  "SELECT DISTINCT k1, NULL::text, NULL::text, NULL::text, org, tag || ' ' || k1 FROM page WHERE CASE tag");
    for (size_t i = 0; i < n; i++) {
        of_buf_fmt(b, " WHEN '%s' THEN NOT EXISTS (SELECT FROM public.\"%s\" e WHERE e.id = k1)", entities[i].tag,
                   entities[i].table);
    }
    of_buf_str(b, " ELSE false END UNION ALL SELECT (SELECT k1 FROM page ORDER BY k1 DESC LIMIT 1), NULL, NULL, NULL, NULL, NULL");
}

static void missing_edges_sql(struct of_buf *b)
{
    of_buf_str(b,
               "WITH page AS (SELECT org_id AS k1, adapter AS k2, entity_id AS k3 FROM sync.external_link "
               "WHERE kind = 'edge' AND (org_id, adapter, entity_id) > ($1::text, $2::text, $3::text) AND $4::text IS NOT NULL "
               "AND ($5::text IS NULL OR true) ORDER BY 1, 2, 3 LIMIT $6::bigint) "
               "SELECT k1, k2, k3, NULL::text, k1, k3 FROM page WHERE NOT EXISTS (SELECT FROM public.openfaith_edges e "
               "WHERE e.\"orgId\" = k1 AND e.\"sourceEntityId\" = split_part(k3, '|', 1) AND e.\"targetEntityId\" = split_part(k3, '|', 2) "
               "AND e.\"relationshipType\" = split_part(k3, '|', 3)) "
               "UNION ALL (SELECT k1, k2, k3, NULL, NULL, NULL FROM page ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1)");
}

/* Links of entities of which a relation was agreed that no edge says any more: what held it was deleted, and had no link of its own.
 * Which relations are edges is the adapters' knowledge: one that is none (a column) is found too, for nothing. */
static void lost_relations_sql(struct of_buf *b)
{
    of_buf_str(b,
               "WITH page AS (SELECT entity_id AS k1, org_id AS k2, adapter AS k3, external_type AS k4, entity_type AS tag, id "
               "FROM sync.external_link WHERE kind = 'entity' AND state = 'linked' "
               "AND (entity_id, org_id, adapter, external_type) > ($1::text, $2::text, $3::text, $4::text) "
               "AND ($5::text IS NULL OR true) ORDER BY 1, 2, 3, 4 LIMIT $6::bigint) "
               "SELECT k1, k2, k3, k4, k2, tag || ' ' || k1 FROM page WHERE EXISTS (SELECT FROM sync.relation_refs(k2, id) r (ref) "
               "JOIN sync.external_link o ON o.org_id = k2 AND o.adapter = k3 AND o.external_type = split_part(r.ref, '/', 1) "
               "AND o.external_id = split_part(r.ref, '/', 2) WHERE o.kind = 'entity' AND o.state = 'linked' ");
    for (int i = 0; i < 2; i++) { /* it may point either way */
        of_buf_fmt(b, "AND NOT EXISTS (SELECT FROM public.openfaith_edges g WHERE g.\"orgId\" = k2 AND g.\"%sEntityId\" = k1 "
                      "AND g.\"%sEntityId\" = o.entity_id AND g.\"deletedAt\" IS NULL) ",
                   i == 0 ? "source" : "target", i == 0 ? "target" : "source");
    }
    of_buf_str(b, ") UNION ALL (SELECT k1, k2, k3, k4, NULL, NULL FROM page ORDER BY 1 DESC, 2 DESC, 3 DESC, 4 DESC LIMIT 1)");
}

/* The statements of all steps: made once, since a connection keeps those that it has prepared. */
static void make_statements(struct of_cdc *c)
{
    size_t n = 0;
    const struct of_entity *entities = of_model_entities(&n);
    if (c->repair_sql != NULL) {
        return;
    }
    c->n_repair_sql = n + 4;
    c->repair_sql = of_calloc(c->n_repair_sql, sizeof *c->repair_sql);
    for (size_t i = 0; i < c->n_repair_sql; i++) {
        struct of_buf b = OF_BUF_INIT(65536);
        if (i < n) {
            entity_sql(&b, &entities[i]);
        } else if (i == n) {
            edges_sql(&b);
        } else if (i == n + 1) {
            missing_sql(&b);
        } else if (i == n + 2) {
            missing_edges_sql(&b);
        } else {
            lost_relations_sql(&b);
        }
        OF_BUG_ON(b.bad);
        c->repair_sql[i] = (struct of_sql){
            .name = of_asprintf("cdc_repair_%zu", i), .text = of_strdup(of_buf_text(&b)), .nparams = 6};
        of_buf_done(&b);
    }
}

/* The table that a find of this step is in; *id moves past what the statement put before it. */
static const char *table_of(const struct repair *r, const char **id)
{
    size_t n = 0;
    const struct of_entity *entities = of_model_entities(&n);
    if (r->step < (int64_t)n) {
        return entities[r->step].table;
    }
    if (r->step == (int64_t)n || r->step == (int64_t)n + 2) {
        return "openfaith_edges";
    }
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(entities[i].tag);
        if (strncmp(*id, entities[i].tag, len) == 0 && (*id)[len] == ' ') {
            *id += len + 1;
            return entities[i].table;
        }
    }
    return NULL;
}

static enum of_code publish_page(struct repair *r, const struct of_pgres *res, struct of_err *err)
{
    struct of_cdc *c = r->c;
    struct of_cdc_current at = {.lsn = c->confirmed, .at_us = of_wall_now().us};
    struct of_cdc_commit *commit = of_cdc_commit_open(c->tracker, at.at_us);
    for (int i = 0; i < of_pgres_rows(res); i++) {
        const char *org = of_pgres_text(res, i, 4);
        const char *id = of_pgres_text(res, i, 5);
        if (org[0] == '\0' || !of_cdc_wanted_has(c->wanted, org, strlen(org))) {
            continue;
        }
        const char *table = table_of(r, &id);
        if (table != NULL) {
            OF_TRY(of_cdc_publish(c, commit, table, 'r', org, strlen(org), id, strlen(id), &at, err));
            of_metric_inc(c->metrics.repaired);
            r->found++;
            at.n++;
        }
    }
    of_cdc_commit_end(commit, 0);
    return of_cdc_drain(c, err);
}

/* Remembers that step and position are done; false: it began anew meanwhile. */
static enum of_code save(struct repair *r, int64_t next_step, bool *ret_ours, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *after = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    for (size_t i = 0; i < KEYS; i++) {
        of_pgarr_text(after, r->after[i]);
    }
    of_pg_arg_text(&args, r->c->conf->slot);
    of_pg_arg_jsonb(&args, r->stands);
    of_pg_arg_int8(&args, next_step);
    of_pg_arg_array(&args, after);
    OF_TRY(of_pg_run(r->c->db, &of_sql_cdc_repair_save, &args, &res, err));
    *ret_ours = of_pgres_rows(res) > 0;
    if (*ret_ours) {
        free(r->stands);
        r->stands = of_strdup(of_pgres_text(res, 0, 0));
        r->begun = true;
        r->step = next_step;
    }
    return OF_OK;
}

static void set_after(struct repair *r, const struct of_pgres *res, int row)
{
    for (int i = 0; i < KEYS; i++) {
        free(r->after[i]);
        r->after[i] = of_strdup(res != NULL ? of_pgres_text(res, row, i) : "");
    }
}

static enum of_code load(struct repair *r, bool *ret_owed, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, r->c->conf->slot);
    OF_TRY(of_pg_run(r->c->db, &of_sql_cdc_repair_load, &args, &res, err));
    *ret_owed = of_pgres_rows(res) > 0;
    if (*ret_owed) {
        r->step = of_pgres_i64(res, 0, 0);
        for (int i = 0; i < KEYS; i++) {
            free(r->after[i]);
            r->after[i] = of_strdup(of_pgres_text(res, 0, 1 + i));
        }
        free(r->horizon);
        r->horizon = of_strdup_null(of_pgres_text_null(res, 0, 5));
        free(r->stands);
        r->stands = of_strdup(of_pgres_text(res, 0, 6));
        r->begun = of_pgres_bool(res, 0, 7);
    }
    return OF_OK;
}

/* One page of the step that it is in. *ret_ended: it was the last of the step. */
static enum of_code one_page(struct repair *r, bool *ret_ended, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    for (size_t i = 0; i < KEYS; i++) {
        of_pg_arg_text(&args, r->after[i]);
    }
    of_pg_arg_text(&args, r->horizon);
    of_pg_arg_int8(&args, PAGE_ROWS);
    OF_TRY(of_pg_run(r->c->db, &r->c->repair_sql[r->step], &args, &res, err));
    OF_TRY(publish_page(r, res, err));
    int last = of_pgres_rows(res) - 1;
    *ret_ended = last < 0 || of_pgres_is_null(res, last, 0);
    if (!*ret_ended) {
        set_after(r, res, last);
    }
    return OF_OK;
}

static enum of_code finish(struct repair *r, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, r->c->conf->slot);
    of_pg_arg_jsonb(&args, r->stands);
    return of_pg_run(r->c->db, &of_sql_cdc_repair_done, &args, NULL, err);
}

enum of_code of_cdc_repair(struct of_cdc *c, struct of_err *err)
{
    OF_CLEANUP(repair_done) struct repair r = {.c = c};
    bool owed = false;
    make_statements(c);
    OF_TRY(load(&r, &owed, err));
    if (owed) {
        of_log(OF_LOG_INFO, "cdc.repair", "changes were not read: comparing", OF_I("phase", r.step));
    }
    while (owed) {
        if (r.step >= (int64_t)c->n_repair_sql) {
            OF_TRY(finish(&r, err));
            OF_TRY(load(&r, &owed, err)); /* unless it began anew */
            continue;
        }
        bool ended = false, ours = false;
        if (r.begun) { /* the beginning itself is written down first, so that being asked anew differs from it */
            OF_TRY(one_page(&r, &ended, err));
        }
        if (ended) {
            set_after(&r, NULL, 0);
        }
        OF_TRY(save(&r, ended ? r.step + 1 : r.step, &ours, err));
        if (!ours) {
            OF_TRY(load(&r, &owed, err));
        }
    }
    c->repair_owed = false;
    of_log(OF_LOG_INFO, "cdc.repaired", "nothing is owed any more", OF_I("count", r.found));
    return OF_OK;
}
