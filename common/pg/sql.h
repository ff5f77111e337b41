/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_PG_SQL_H
#define OF_PG_SQL_H

/* One SQL statement: a row made from a .sql file (cmake/EmbedSql.cmake) or from constant tables at run time.
 * name is the prepared statement's name and must be unique in the process; nparams 0 in migrations. */
struct of_sql {
    const char *name;
    const char *text;
    int nparams;
};

#endif
