/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "common/time/time.h"

#include <string.h>

/* What was accepted is formatted, read again and the same; the four parsers share one input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    OF_CLEANUP(of_freep) char *text = of_alloc(size + 1);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    struct of_wall t = {0};
    struct of_wall again = {0};
    char buf[OF_TIME_TEXT];
    bool is_time = of_time_parse(text, &t);
    if (is_time) {
        bool ok = of_time_parse(of_time_format(t, buf), &again);
        OF_BUG_ON(!ok || again.us != t.us);
    }
    OF_BUG_ON(of_date_valid(text) && !is_time);
    if (of_time_parse_http(text, &t)) {
        bool ok = of_time_parse(of_time_format(t, buf), &again);
        OF_BUG_ON(!ok || again.us != t.us);
    }
    int64_t ms = 0;
    if (of_time_parse_retry_after(text, t, &ms)) {
        OF_BUG_ON(ms < 0);
    }
    return 0;
}
