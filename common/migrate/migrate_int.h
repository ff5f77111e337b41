/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_MIGRATE_INT_H
#define OF_MIGRATE_INT_H

#include "common/base/buf.h"
#include "common/pg/sql.h"

struct of_pg;

struct of_migration {
    int version;
    const char *name;
    const struct of_sql *sql;
};
/* Ends with version 0; ascending. */
extern const struct of_migration of_migrations[];

/* Appends a line per column that is missing, of another type, or in the way. */
OF_MUSTCHECK enum of_code of_migrate_check_columns(struct of_pg *db, struct of_buf *problems, struct of_err *err);

#endif
