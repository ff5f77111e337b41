/* SPDX-License-Identifier: Apache-2.0 */
/* Prints docs/configuration.md. */
#include "common/conf/conf.h"

#include <stdio.h>

int main(void)
{
    struct of_buf b = OF_BUF_INIT(1024 * 1024);
    of_conf_markdown(&b);
    bool ok = !b.bad && fwrite(of_buf_text(&b), 1, b.len, stdout) == b.len && fflush(stdout) == 0;
    of_buf_done(&b);
    return ok ? 0 : 1;
}
