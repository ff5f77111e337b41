/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pg/pg.h"

#include <stdlib.h>
#include <string.h>

#include "common/pg/pg_int.h"
#include "common/time/time.h"

void of_pgres_free(struct of_pgres *res)
{
    if (res) {
        PQclear(res->res);
        free(res);
    }
}

int of_pgres_rows(const struct of_pgres *res)
{
    return PQntuples(res->res);
}

/* libpq answers a wrong place with a notice that nobody reads. */
static void of_pgres_check(const struct of_pgres *res, int row, int col)
{
    OF_BUG_ON(row < 0 || row >= PQntuples(res->res) || col < 0 || col >= PQnfields(res->res));
}

bool of_pgres_is_null(const struct of_pgres *res, int row, int col)
{
    of_pgres_check(res, row, col);
    return PQgetisnull(res->res, row, col) != 0;
}

const char *of_pgres_text(const struct of_pgres *res, int row, int col)
{
    of_pgres_check(res, row, col);
    return PQgetvalue(res->res, row, col);
}

const char *of_pgres_text_null(const struct of_pgres *res, int row, int col)
{
    return of_pgres_is_null(res, row, col) ? NULL : PQgetvalue(res->res, row, col);
}

size_t of_pgres_len(const struct of_pgres *res, int row, int col)
{
    of_pgres_check(res, row, col);
    return (size_t)PQgetlength(res->res, row, col);
}

int64_t of_pgres_i64(const struct of_pgres *res, int row, int col)
{
    int64_t v = 0;
    if (!of_pgres_is_null(res, row, col)) {
        OF_BUG_ON(!of_parse_i64(PQgetvalue(res->res, row, col), INT64_MIN, INT64_MAX, &v));
    }
    return v;
}

bool of_pgres_bool(const struct of_pgres *res, int row, int col)
{
    const char *text = of_pgres_text(res, row, col);
    OF_BUG_ON(strcmp(text, "t") != 0 && strcmp(text, "f") != 0 && text[0] != '\0');
    return text[0] == 't';
}

/* "2026-11-22 10:00:00.5+00" as ISO 8601 wants it: with T, and hours and minutes in the offset. */
static int64_t of_pgres_time_text(const char *text, size_t len)
{
    char iso[OF_TIME_TEXT + 8];
    struct of_wall t = {.us = 0};
    char *space = NULL;
    if (len + 4 > sizeof(iso) || !of_strcopy(iso, sizeof(iso), text) || !(space = strchr(iso, ' '))) {
        return 0;
    }
    *space = 'T';
    if (len > 3 && strcmp(iso + len - 3, "+00") == 0) {
        memcpy(iso + len - 3, "Z", 2);
    }
    return of_time_parse(iso, &t) ? t.us : 0;
}

int64_t of_pgres_time(const struct of_pgres *res, int row, int col)
{
    const char *text = of_pgres_text(res, row, col);
    int64_t us = 0;
    if (of_parse_i64(text, INT64_MIN, INT64_MAX, &us)) {
        return us;
    }
    if (strcmp(text, "infinity") == 0) {
        return INT64_MAX;
    }
    if (strcmp(text, "-infinity") == 0) {
        return INT64_MIN;
    }
    return of_pgres_time_text(text, of_pgres_len(res, row, col));
}
