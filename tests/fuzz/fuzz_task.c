/* SPDX-License-Identifier: Apache-2.0 */
/* Task messages: what decodes must encode to something that decodes to the same. */
#include "tests/fuzz/fuzz.h"

#include "common/task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct of_task_msg msg = {.kind = OF_TASK_WORK}, again = {.kind = OF_TASK_WORK};
    struct of_err err = OF_ERR_INIT;
    if (of_task_decode((const char *)data, size, &msg, &err) != OF_OK) {
        OF_BUG_ON(msg.org != NULL || err.code == OF_OK);
        return 0;
    }
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    of_task_encode(&msg, &b);
    OF_BUG_ON(of_task_decode(of_buf_text(&b), b.len, &again, &err) != OF_OK);
    OF_BUG_ON(again.kind != msg.kind || again.generation != msg.generation || again.run != msg.run || again.seq != msg.seq);
    OF_BUG_ON(!of_str_eq(again.org, msg.org) || !of_str_eq(again.adapter, msg.adapter) || !of_str_eq(again.type, msg.type));
    of_task_msg_done(&msg);
    of_task_msg_done(&again);
    of_buf_done(&b);
    return 0;
}
