/* SPDX-License-Identifier: Apache-2.0 */
#include "common/migrate/publish.h"

#include "common/model/model.h"
#include "common/pg/pg.h"

#include "of_migrate_sql.h"

#include <string.h>

#define REFUSED "42501" /* insufficient privilege */

void of_publish_done(struct of_publish *p)
{
    of_buf_done(&p->did);
    of_buf_done(&p->owner_sql);
    of_buf_done(&p->notes);
}

/* A publication that changes has not told some of what changed before: that is owed from the same moment on. */
static enum of_code change(struct of_pg *db, const char *sql, struct of_err *err)
{
    OF_TRY(of_pg_begin(db, err));
    enum of_code code = of_pg_script(db, sql, err);
    code = code == OF_OK ? of_pg_run(db, &of_sql_publish_owe, NULL, NULL, err) : code;
    code = code == OF_OK ? of_pg_commit(db, err) : code;
    if (code != OF_OK) {
        of_pg_rollback(db);
    }
    return code;
}

/* Runs one statement; one that is refused for want of rights is written down. */
static enum of_code run_or_tell(struct of_pg *db, const char *sql, const char *what, struct of_publish *p, struct of_err *err)
{
    enum of_code code = change(db, sql, err);
    if (code == OF_OK) {
        of_buf_fmt(&p->did, "%s\n", what);
        return OF_OK;
    }
    if (strcmp(err->sqlstate, REFUSED) != 0) {
        return of_err_wrap(err, "%s", what);
    }
    of_err_clear(err);
    of_buf_fmt(&p->owner_sql, "%s;\n", sql);
    return OF_OK;
}

static enum of_code ensure_one(struct of_pg *db, const char *name, const char *schema, const struct of_pgarr *tables,
                               const char *column, struct of_publish *p, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *columns = of_pgarr_new(OF_PG_TEXT);
    struct of_pgargs args = OF_PGARGS_INIT;
    char what[160] = "publication ";
    of_pgarr_text(columns, column);
    of_pg_arg_text(&args, name);
    of_pg_arg_text(&args, schema);
    of_pg_arg_array(&args, tables);
    of_pg_arg_array(&args, columns);
    OF_TRY(of_pg_run(db, &of_sql_publish_plan, &args, &res, err));
    size_t at = strlen(what);
    of_strcopy(what + at, sizeof what - at, name);
    at = strlen(what);
    if (of_pgres_len(res, 0, 6) > 0) {
        of_buf_fmt(&p->notes, "%s: tables without primary key or replica identity are left out: %s\n", what,
                   of_pgres_text(res, 0, 6));
    }
    if (!of_pgres_bool(res, 0, 0)) {
        of_strcopy(what + at, sizeof what - at, " created");
        return run_or_tell(db, of_pgres_text(res, 0, 3), what, p, err);
    }
    if (!of_pgres_bool(res, 0, 1) && !of_pgres_is_null(res, 0, 4)) {
        of_strcopy(what + at, sizeof what - at, ": tables and columns set");
        OF_TRY(run_or_tell(db, of_pgres_text(res, 0, 4), what, p, err));
    }
    if (!of_pgres_bool(res, 0, 2)) {
        of_strcopy(what + at, sizeof what - at, ": options set");
        OF_TRY(run_or_tell(db, of_pgres_text(res, 0, 5), what, p, err));
    }
    return OF_OK;
}

enum of_code of_publish_ensure(struct of_pg *db, struct of_publish *p, struct of_err *err)
{
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *cdm = of_pgarr_new(OF_PG_TEXT);
    OF_CLEANUP(of_pgarr_freep) struct of_pgarr *ours = of_pgarr_new(OF_PG_TEXT);
    size_t n = 0;
    const struct of_entity *entities = of_model_entities(&n);
    for (size_t i = 0; i < n; i++) {
        of_pgarr_text(cdm, entities[i].table);
    }
    of_pgarr_text(cdm, "openfaith_edges");
    of_pgarr_text(ours, "connection");
    OF_TRY(ensure_one(db, OF_PUBLICATION_CDM, "public", cdm, "orgId", p, err));
    return ensure_one(db, OF_PUBLICATION_SYNC, "sync", ours, "state", p, err);
}

bool of_slot_name_valid(const char *slot)
{
    size_t n = strlen(slot);
    return n > 0 && n <= 63 && strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static enum of_code look(struct of_pg *db, const char *slot, enum of_slot_state *ret, bool *ret_logical, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, slot);
    OF_TRY(of_pg_run(db, &of_sql_publish_slot_look, &args, &res, err));
    *ret = OF_SLOT_MISSING;
    if (of_pgres_bool(res, 0, 0)) {
        *ret = !of_pgres_bool(res, 0, 1) ? OF_SLOT_FOREIGN : of_pgres_bool(res, 0, 2) ? OF_SLOT_LOST : OF_SLOT_GOOD;
    }
    *ret_logical = strcmp(of_pgres_text(res, 0, 3), "logical") == 0;
    return OF_OK;
}

enum of_code of_publish_slot_state(struct of_pg *db, const char *slot, enum of_slot_state *ret, struct of_err *err)
{
    bool logical = false;
    return look(db, slot, ret, &logical, err);
}

static enum of_code make_slot(struct of_pg *db, const char *slot, struct of_publish *p, bool *ret_good, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, slot);
    OF_TRY(of_pg_run(db, &of_sql_publish_slot_owe, &args, NULL, err));
    enum of_code code = of_pg_run(db, &of_sql_publish_slot_make, &args, NULL, err);
    if (code == OF_OK) {
        of_buf_fmt(&p->did, "slot %s created\n", slot);
        *ret_good = true;
        return OF_OK;
    }
    if (strcmp(err->sqlstate, REFUSED) == 0) {
        of_err_clear(err);
        of_buf_fmt(&p->owner_sql, "SELECT pg_create_logical_replication_slot('%s', 'pgoutput');\n", slot);
        return OF_OK;
    }
    if (strcmp(err->sqlstate, "42710") == 0) { /* somebody else just made it */
        of_err_clear(err);
        *ret_good = true;
        return OF_OK;
    }
    return of_err_wrap(err, "slot %s", slot);
}

enum of_code of_publish_slot(struct of_pg *db, const char *slot, struct of_publish *p, bool *ret_good, struct of_err *err)
{
    enum of_slot_state state = OF_SLOT_MISSING;
    bool logical = false;
    *ret_good = false;
    OF_TRY(look(db, slot, &state, &logical, err));
    switch (state) {
        case OF_SLOT_GOOD:
            *ret_good = true;
            return OF_OK;
        case OF_SLOT_FOREIGN:
            of_buf_fmt(&p->notes, "slot %s belongs to another database or output plugin: choose another OF_SLOT\n", slot);
            return OF_OK;
        case OF_SLOT_LOST:
            of_buf_fmt(&p->notes, "slot %s is lost: openfaith-cdc makes it anew and repairs the gap\n", slot);
            return OF_OK;
        case OF_SLOT_MISSING:
            break;
    }
    if (!logical) {
        of_buf_fmt(&p->notes, "slot %s: wal_level must be logical (ALTER SYSTEM SET wal_level = logical, then a restart)\n",
                   slot);
        return OF_OK;
    }
    return make_slot(db, slot, p, ret_good, err);
}
