/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "common/json/json.h"

#include <string.h>

#define MAX_BYTES (1024 * 1024)

/* What was accepted is written, read again, equal, and written alike. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    OF_CLEANUP(of_json_freep) struct of_json *first = NULL;
    struct of_err err = OF_ERR_INIT;
    if (of_json_parse((const char *)data, size, MAX_BYTES, &first, &err) != OF_OK) {
        OF_BUG_ON(first || err.code == OF_OK || !of_utf8_valid(err.msg, strlen(err.msg)));
        return 0;
    }
    struct of_buf text = OF_BUF_INIT(16 * MAX_BYTES); /* 1e15 becomes sixteen characters */
    of_json_write(&text, first);
    OF_BUG_ON(text.bad || !of_utf8_valid(of_buf_text(&text), text.len));
    OF_CLEANUP(of_json_freep) struct of_json *second = NULL;
    enum of_code code = of_json_parse(of_buf_text(&text), text.len, 16 * MAX_BYTES, &second, &err);
    OF_BUG_ON(code != OF_OK);
    OF_BUG_ON(!of_json_equal(first, second) || !of_json_equal(second, first));
    struct of_buf again = OF_BUF_INIT(16 * MAX_BYTES);
    of_json_write(&again, second);
    OF_BUG_ON(again.len != text.len || memcmp(of_buf_text(&again), of_buf_text(&text), text.len) != 0);
    of_buf_done(&again);
    of_buf_done(&text);
    return 0;
}
