/* SPDX-License-Identifier: Apache-2.0 */
#include "common/migrate/migrate.h"

#include "common/crypto/crypto.h"
#include "common/migrate/migrate_int.h"
#include "common/pg/pg.h"

#include "of_migrate_sql.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 65536

const struct of_migration of_migrations[] = {
    {1, "0001_sync", &of_sql__0001_sync},
    {2, "0002_openfaith", &of_sql__0002_openfaith},
    {3, "0003_work_out", &of_sql__0003_work_out},
    {4, "0004_relation_refs", &of_sql__0004_relation_refs},
    {5, "0005_work_sending", &of_sql__0005_work_sending},
    {0, NULL, NULL},
};

static void sha256_of(const struct of_migration *m, char out[65])
{
    of_sha256_hex(m->sql->text, strlen(m->sql->text), out);
}

/* *ret_sha: the recorded hash (borrowed from res), or NULL if it has not run. */
static const char *find_applied(const struct of_pgres *res, int version)
{
    for (int i = 0; i < of_pgres_rows(res); i++) {
        if (of_pgres_i64(res, i, 0) == version) {
            return of_pgres_text(res, i, 1);
        }
    }
    return NULL;
}

static enum of_code apply(struct of_pg *db, const struct of_migration *m, const char *sha, struct of_err *err)
{
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_int8(&args, m->version);
    of_pg_arg_text(&args, m->name);
    of_pg_arg_text(&args, sha);
    OF_TRY(of_pg_begin(db, err));
    enum of_code code = of_pg_script(db, m->sql->text, err);
    if (code == OF_OK) {
        code = of_pg_run(db, &of_sql_migrate_record, &args, NULL, err);
    }
    if (code == OF_OK) {
        return of_pg_commit(db, err);
    }
    of_pg_rollback(db);
    return of_err_wrap(err, "migration %s", m->name);
}

static enum of_code run_all(struct of_pg *db, struct of_buf *text, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *applied = NULL;
    OF_TRY(of_pg_script(db, of_sql_migrate_begin.text, err));
    OF_TRY(of_pg_run(db, &of_sql_migrate_applied, NULL, &applied, err));
    for (const struct of_migration *m = of_migrations; m->version != 0; m++) {
        char sha[65];
        const char *was = find_applied(applied, m->version);
        sha256_of(m, sha);
        if (was == NULL) {
            OF_TRY(apply(db, m, sha, err));
            of_buf_fmt(text, "applied %s\n", m->name);
        } else if (strcmp(was, sha) != 0) {
            return of_err_set(err, OF_E_DB_SCHEMA, "migration %s ran here in another form than this program's", m->name);
        }
    }
    return OF_OK;
}

enum of_code of_migrate(struct of_pg *db, char **ret_text, struct of_err *err)
{
    struct of_buf text = OF_BUF_INIT(TEXT_MAX);
    /* a migration of large tables takes as long as it takes; only the wait for locks is bounded */
    of_pg_set_deadline(db, 0);
    OF_TRY(of_pg_script(db, "SET statement_timeout = 0; SET lock_timeout = '50s'", err));
    enum of_code code = of_pg_run(db, &of_sql_migrate_lock, NULL, NULL, err);
    if (code != OF_OK) {
        return of_err_wrap(err, "waiting for another migration");
    }
    code = run_all(db, &text, err);
    /* a lock that cannot be given back goes with its session */
    struct of_err ignored = OF_ERR_INIT;
    enum of_code unlocked = of_pg_run(db, &of_sql_migrate_unlock, NULL, NULL, &ignored);
    if (code == OF_OK && unlocked == OF_OK) {
        code = of_pg_script(db, "RESET statement_timeout; RESET lock_timeout", err);
    }
    if (code == OF_OK) {
        *ret_text = of_strdup(of_buf_text(&text));
    }
    of_buf_done(&text);
    return code;
}

static enum of_code check_versions(struct of_pg *db, struct of_buf *problems, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *present = NULL;
    OF_CLEANUP(of_pgres_freep) struct of_pgres *applied = NULL;
    OF_TRY(of_pg_run(db, &of_sql_migrate_present, NULL, &present, err));
    if (!of_pgres_bool(present, 0, 0)) {
        of_buf_str(problems, "schema sync is missing: run openfaithctl migrate\n");
        return OF_OK;
    }
    OF_TRY(of_pg_run(db, &of_sql_migrate_applied, NULL, &applied, err));
    for (const struct of_migration *m = of_migrations; m->version != 0; m++) {
        char sha[65];
        const char *was = find_applied(applied, m->version);
        sha256_of(m, sha);
        if (was == NULL) {
            of_buf_fmt(problems, "migration %s has not run: run openfaithctl migrate\n", m->name);
        } else if (strcmp(was, sha) != 0) {
            of_buf_fmt(problems, "migration %s ran here in another form than this program's\n", m->name);
        }
    }
    return OF_OK;
}

enum of_code of_migrate_check(struct of_pg *db, char **ret_problems, struct of_err *err)
{
    struct of_buf problems = OF_BUF_INIT(TEXT_MAX);
    size_t len = 0;
    enum of_code code = check_versions(db, &problems, err);
    if (code == OF_OK) {
        code = of_migrate_check_columns(db, &problems, err);
    }
    if (code == OF_OK && problems.len > 0) {
        code = of_buf_take(&problems, ret_problems, &len, err);
        if (code == OF_OK) {
            code = of_err_set(err, OF_E_DB_SCHEMA, "the database's schema does not fit this program");
        }
    }
    of_buf_done(&problems);
    return code;
}
