/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TASK_H
#define OF_TASK_H

/* Messages of the task topics: small hints that something may have to be done, without personal data.
 *   {"v":1,"kind":"phase","org":"...","adapter":"pco","gen":3,"run":12,"type":"Person","seq":7}
 *   {"v":1,"kind":"work","org":"...","adapter":"pco","gen":3}      (poll: the same)
 * Any thread, no blocking. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"

#define OF_TASK_MAX_BYTES 65536
#define OF_TASK_ORG_MAX 256  /* bytes of an org id */
#define OF_TASK_NAME_MAX 64  /* bytes of an adapter's or external type's name */

enum of_task_kind { OF_TASK_PHASE = 1, OF_TASK_WORK, OF_TASK_POLL };

struct of_task_msg {
    enum of_task_kind kind;
    char *org; /* owned after of_task_decode(); of_task_encode() only reads */
    char *adapter;
    int64_t generation;
    /* OF_TASK_PHASE only; else 0 and NULL */
    int64_t run;
    char *type;
    int64_t seq;
};

const char *of_task_kind_name(enum of_task_kind kind); /* "phase" */
/* Appends the message to b. */
void of_task_encode(const struct of_task_msg *msg, struct of_buf *b);
/* Strict: exactly the members of its kind, each once, in range. *ret_msg is the caller's: of_task_msg_done().
 * Fails: OF_E_PARSE, OF_E_TOO_LARGE with the place, never with values; *ret_msg untouched. */
OF_MUSTCHECK enum of_code of_task_decode(const char *text, size_t len, struct of_task_msg *ret_msg, struct of_err *err);
void of_task_msg_done(struct of_task_msg *msg); /* frees its texts; zeroed and half-built ones too */

#endif
