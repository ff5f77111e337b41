/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg_int.h"

#include <string.h>

/* The one table from SQLSTATE to what we do. Whole states come before their class. */
static const struct of_pgclass of_pg_classes[] = {
    {"40001", OF_E_DB, OF_CLASS_RETRY},            /* serialization failure */
    {"40P01", OF_E_DB, OF_CLASS_RETRY},            /* deadlock */
    {"55P03", OF_E_DB, OF_CLASS_RETRY},            /* lock not available */
    {"53300", OF_E_DB, OF_CLASS_RETRY},            /* too many connections: passes */
    {"25006", OF_E_DB, OF_CLASS_RETRY},            /* read only: a standby, until the fail-over is through */
    {"XX001", OF_E_DB, OF_CLASS_SYSTEMIC},         /* data corrupted */
    {"XX002", OF_E_DB, OF_CLASS_SYSTEMIC},         /* index corrupted */
    {"08", OF_E_DB, OF_CLASS_RETRY},               /* connection */
    {"57", OF_E_DB, OF_CLASS_RETRY},               /* operator intervention, statement timeout */
    {"40", OF_E_DB, OF_CLASS_RETRY},               /* transaction rolled back */
    {"25", OF_E_DB, OF_CLASS_RETRY},               /* transaction state: idle too long */
    {"26", OF_E_DB, OF_CLASS_RETRY},               /* prepared statement is gone */
    {"21", OF_E_DB_DATA, OF_CLASS_PERMANENT},      /* cardinality: one row twice in a batch */
    {"22", OF_E_DB_DATA, OF_CLASS_PERMANENT},      /* data */
    {"23", OF_E_DB_DATA, OF_CLASS_PERMANENT},      /* constraints */
    {"44", OF_E_DB_DATA, OF_CLASS_PERMANENT},      /* WITH CHECK OPTION */
    {"54", OF_E_DB_DATA, OF_CLASS_PERMANENT},      /* a limit of Postgres: index row too large */
    {"P0", OF_E_DB_DATA, OF_CLASS_PERMANENT},      /* RAISE in a trigger */
    {"0A", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},     /* not supported */
    {"28", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},     /* authorization */
    {"3D", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},     /* no such database */
    {"3F", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},     /* no such schema */
    {"42", OF_E_DB_SCHEMA, OF_CLASS_SYSTEMIC},     /* names, syntax, privileges */
    {"53", OF_E_DB, OF_CLASS_SYSTEMIC},            /* disk full, out of memory */
};

struct of_pgclass of_pg_classify(const char *sqlstate)
{
    if (sqlstate && strlen(sqlstate) == 5) {
        for (size_t i = 0; i < OF_ARRAY_LEN(of_pg_classes); i++) {
            const struct of_pgclass *row = &of_pg_classes[i];
            if (strncmp(sqlstate, row->sqlstate, strlen(row->sqlstate)) == 0) {
                return *row;
            }
        }
    }
    return (struct of_pgclass){"", OF_E_DB, OF_CLASS_RETRY};
}

bool of_pg_message_is_private(const char *sqlstate)
{
    static const char classes[][3] = {"21", "22", "23", "44", "54", "P0"};
    for (size_t i = 0; i < OF_ARRAY_LEN(classes); i++) {
        if (strncmp(sqlstate, classes[i], 2) == 0) {
            return true;
        }
    }
    return false;
}

/* Text up to the first line's end; libpq ends its messages with a newline. */
static int of_pg_line_len(const char *text)
{
    return (int)OF_MIN(strcspn(text, "\n"), (size_t)200);
}

static enum of_code of_pg_fail_client(struct of_pg *db, const char *what, struct of_err *err)
{
    const char *text = PQerrorMessage(db->conn);
    db->broken = true; /* whatever it was: the protocol's state is unknown */
    return of_err_set(err, OF_E_DB, "%s: %.*s", what, of_pg_line_len(text), text);
}

static void of_pg_check_broken(struct of_pg *db, const PGresult *res, const char *sqlstate)
{
    const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool fatal = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    if (fatal || PQstatus(db->conn) != CONNECTION_OK || strcmp(sqlstate, "25006") == 0 ||
        strncmp(sqlstate, "26", 2) == 0 || strncmp(sqlstate, "08", 2) == 0) {
        db->broken = true;
    }
}

enum of_code of_pg_fail(struct of_pg *db, const PGresult *res, const char *what, struct of_err *err)
{
    const char *sqlstate = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    if (!sqlstate) {
        return of_pg_fail_client(db, what, err);
    }
    of_pg_check_broken(db, res, sqlstate);
    struct of_pgclass row = of_pg_classify(sqlstate);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    if (!of_pg_message_is_private(sqlstate) && text) {
        of_err_set(err, row.code, "%s: %.*s (%s)", what, of_pg_line_len(text), text, sqlstate);
    } else if (constraint) {
        of_err_set(err, row.code, "%s: constraint %s (%s)", what, constraint, sqlstate);
    } else {
        of_err_set(err, row.code, "%s: SQLSTATE %s", what, sqlstate);
    }
    if (err) {
        err->cls = of_pgstmt_is_stale_plan(res) ? OF_CLASS_RETRY : row.cls;
        of_strcopy(err->sqlstate, sizeof(err->sqlstate), sqlstate);
    }
    return row.code;
}
