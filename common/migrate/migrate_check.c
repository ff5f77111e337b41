/* SPDX-License-Identifier: Apache-2.0 */
#include "common/migrate/migrate_int.h"

#include "common/model/model.h"
#include "common/pg/pg.h"

#include "of_migrate_sql.h"

#include <string.h>

static const struct of_column base_columns[] = {
    {"id", OF_COL_TEXT, true},           {"_tag", OF_COL_TEXT, true},
    {"orgId", OF_COL_TEXT, true},        {"externalIds", OF_COL_JSON, true},
    {"customFields", OF_COL_JSON, true}, {"tags", OF_COL_JSON, true},
    {"status", OF_COL_TEXT, true},       {"createdAt", OF_COL_TIME, true},
    {"createdBy", OF_COL_TEXT, false},   {"updatedAt", OF_COL_TIME, false},
    {"updatedBy", OF_COL_TEXT, false},   {"deletedAt", OF_COL_TIME, false},
    {"deletedBy", OF_COL_TEXT, false},   {"inactivatedAt", OF_COL_TIME, false},
    {"inactivatedBy", OF_COL_TEXT, false}, {NULL, OF_COL_TEXT, false},
};

static const struct of_column edge_columns[] = {
    {"_tag", OF_COL_TEXT, true},
    {"orgId", OF_COL_TEXT, true},
    {"sourceEntityId", OF_COL_TEXT, true},
    {"sourceEntityTypeTag", OF_COL_TEXT, true},
    {"targetEntityId", OF_COL_TEXT, true},
    {"targetEntityTypeTag", OF_COL_TEXT, true},
    {"relationshipType", OF_COL_TEXT, true},
    {"metadata", OF_COL_JSON, true},
    {"createdAt", OF_COL_TIME, true},
    {"createdBy", OF_COL_TEXT, false},
    {"updatedAt", OF_COL_TIME, false},
    {"updatedBy", OF_COL_TEXT, false},
    {"deletedAt", OF_COL_TIME, false},
    {"deletedBy", OF_COL_TEXT, false},
    {NULL, OF_COL_TEXT, false},
};

static const struct of_column no_columns[] = {{NULL, OF_COL_TEXT, false}};

static bool type_fits(enum of_coltype type, const char *sql_type)
{
    static const struct {
        enum of_coltype type;
        const char *sql_type;
    } fits[] = {
        {OF_COL_TEXT, "text"},    {OF_COL_TEXT, "character varying"}, {OF_COL_TEXT, "character"},
        {OF_COL_BOOL, "boolean"}, {OF_COL_INT, "integer"},            {OF_COL_INT, "bigint"},
        {OF_COL_JSON, "jsonb"},   {OF_COL_DOUBLE, "double precision"}, {OF_COL_TIME, "timestamp with time zone"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(fits); i++) {
        if (fits[i].type == type && strcmp(fits[i].sql_type, sql_type) == 0) {
            return true;
        }
    }
    return false;
}

/* Rows of one table stand together: [from, to). */
struct span {
    int from, to;
};

static struct span find_table(const struct of_pgres *res, const char *table)
{
    int n = of_pgres_rows(res), from = 0;
    while (from < n && strcmp(of_pgres_text(res, from, 0), table) != 0) {
        from++;
    }
    int to = from;
    while (to < n && strcmp(of_pgres_text(res, to, 0), table) == 0) {
        to++;
    }
    return (struct span){from, to};
}

static void check_wanted(const struct of_pgres *res, struct span span, const char *table, const struct of_column *columns,
                         struct of_buf *problems)
{
    for (const struct of_column *c = columns; c->name != NULL; c++) {
        int row = span.from;
        while (row < span.to && strcmp(of_pgres_text(res, row, 1), c->name) != 0) {
            row++;
        }
        if (row == span.to) {
            of_buf_fmt(problems, "column \"%s\" of table \"%s\" is missing\n", c->name, table);
        } else if (!type_fits(c->type, of_pgres_text(res, row, 2))) {
            of_buf_fmt(problems, "column \"%s\" of table \"%s\" has type %s, which is not the model's\n", c->name, table,
                       of_pgres_text(res, row, 2));
        }
    }
}

static bool has_column(const struct of_column *columns, const char *name)
{
    while (columns->name != NULL && strcmp(columns->name, name) != 0) {
        columns++;
    }
    return columns->name != NULL;
}

static void check_table(const struct of_pgres *res, const char *table, const struct of_column *base, const struct of_column *own,
                        struct of_buf *problems)
{
    struct span span = find_table(res, table);
    if (span.from == span.to) {
        of_buf_fmt(problems, "table \"%s\" is missing\n", table);
        return;
    }
    check_wanted(res, span, table, base, problems);
    check_wanted(res, span, table, own, problems);
    for (int row = span.from; row < span.to; row++) {
        const char *name = of_pgres_text(res, row, 1);
        if (of_pgres_bool(res, row, 3) && !has_column(base, name) && !has_column(own, name)) {
            of_buf_fmt(problems, "column \"%s\" of table \"%s\" must be given, and is not known to this program\n", name, table);
        }
    }
}

enum of_code of_migrate_check_columns(struct of_pg *db, struct of_buf *problems, struct of_err *err)
{
    OF_CLEANUP(of_pgres_freep) struct of_pgres *res = NULL;
    OF_TRY(of_pg_run(db, &of_sql_migrate_columns, NULL, &res, err));
    size_t n = 0;
    const struct of_entity *entities = of_model_entities(&n);
    for (size_t i = 0; i < n; i++) {
        check_table(res, entities[i].table, base_columns, entities[i].columns, problems);
    }
    check_table(res, "openfaith_edges", edge_columns, no_columns, problems);
    return OF_OK;
}
