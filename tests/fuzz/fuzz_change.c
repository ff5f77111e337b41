/* SPDX-License-Identifier: Apache-2.0 */
/* Change messages: what decodes must encode to something that decodes to the same; and the quick way in must judge as the
 * strict one does (a blank before the text sends it there). */
#include "tests/fuzz/fuzz.h"

#include "common/task/change.h"

#include <stdlib.h>
#include <string.h>

static bool same(const struct of_change *a, const struct of_change *b)
{
    return of_str_eq(a->org, b->org) && of_str_eq(a->table, b->table) && of_str_eq(a->id, b->id) && a->op == b->op &&
           a->xid == b->xid && a->sys == b->sys && a->timeline == b->timeline && a->lsn == b->lsn && a->at_us == b->at_us &&
           a->n == b->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct of_change first = {.op = 'i'}, strict = {.op = 'i'}, again = {.op = 'i'};
    struct of_err err = OF_ERR_INIT;
    if (size >= OF_CHANGE_MAX_BYTES) {
        return 0;
    }
    char *blank = of_alloc(size + 1);
    blank[0] = ' ';
    if (size > 0) {
        memcpy(blank + 1, data, size);
    }
    enum of_code code = of_change_decode((const char *)data, size, &first, &err);
    OF_BUG_ON(of_change_decode(blank, size + 1, &strict, &err) != code);
    free(blank);
    if (code != OF_OK) {
        OF_BUG_ON(first.text != NULL || err.code == OF_OK);
        return 0;
    }
    OF_BUG_ON(!same(&first, &strict));
    struct of_buf b = OF_BUF_INIT(OF_CHANGE_MAX_BYTES);
    of_change_encode(&first, &b);
    OF_BUG_ON(b.bad || of_change_decode(of_buf_text(&b), b.len, &again, &err) != OF_OK || !same(&first, &again));
    of_change_done(&first);
    of_change_done(&strict);
    of_change_done(&again);
    of_buf_done(&b);
    return 0;
}
