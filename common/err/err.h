/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_ERR_H
#define OF_ERR_H

/* Errors: a code (what happened), a class (what to do about it), an origin, and words without personal data. */

#include "common/base/base.h"

/* What the caller does (design.md section 14). */
enum of_class {
    OF_CLASS_NONE = 0,
    OF_CLASS_RETRY,     /* back off and try again */
    OF_CLASS_RECONNECT, /* park the connection until a person reconnects */
    OF_CLASS_PERMANENT, /* this record will never work: dead letter */
    OF_CLASS_SYSTEMIC,  /* everything stops and says so, or the breaker */
    OF_CLASS_FENCED,    /* somebody else has it: drop the result */
    OF_CLASS_STOP,      /* shutting down */
    OF_CLASS_FATAL      /* log, exit, be restarted */
};

#define OF_CODE_MAP(X)                                                                                                 \
    X(CONFIG, FATAL, "bad configuration")                                                                              \
    X(BUG, FATAL, "internal error")                                                                                    \
    X(IO, FATAL, "input or output failed")                                                                             \
    X(INVALID, PERMANENT, "invalid input")                                                                             \
    X(TOO_LARGE, PERMANENT, "too large")                                                                               \
    X(NOT_FOUND, PERMANENT, "not found")                                                                               \
    X(CONFLICT, PERMANENT, "already there")                                                                            \
    X(DB, RETRY, "database unavailable")                                                                               \
    X(DB_DATA, PERMANENT, "database refused the data")                                                                 \
    X(DB_SCHEMA, SYSTEMIC, "database is not as expected")                                                              \
    X(KAFKA, RETRY, "broker unavailable")                                                                              \
    X(KAFKA_FATAL, FATAL, "broker client failed for good")                                                             \
    X(NET, RETRY, "network failed")                                                                                    \
    X(TIMEOUT, RETRY, "timed out")                                                                                     \
    X(REMOTE, RETRY, "remote system failed")                                                                           \
    X(THROTTLED, RETRY, "remote system asks to wait")                                                                  \
    X(REJECTED, PERMANENT, "remote system refused the record")                                                         \
    X(DENIED, SYSTEMIC, "remote system denies this kind of data")                                                      \
    X(AUTH, RECONNECT, "credentials are no longer accepted")                                                           \
    X(PARSE, PERMANENT, "not understood")                                                                              \
    X(CRYPTO, SYSTEMIC, "cannot decrypt")                                                                              \
    X(LEASE, FENCED, "lease lost")                                                                                     \
    X(STOPPED, STOP, "shutting down")                                                                                  \
    X(BUSY, RETRY, "busy")

enum of_code {
    OF_OK = 0,
#define X(name, cls, text) OF_E_##name,
    OF_CODE_MAP(X)
#undef X
};

struct of_err {
    enum of_code code;
    enum of_class cls;
    int http_status;        /* 0: not from HTTP */
    int kafka_code;         /* 0: not from Kafka */
    int64_t retry_after_ms; /* 0: not said */
    char sqlstate[6];       /* "" : not from Postgres, or a client-side failure */
    char msg[256];
};

#define OF_ERR_INIT ((struct of_err){.code = OF_OK})

/* Sets code, its usual class and the words; returns code. err may be NULL. Clears the origin fields. */
enum of_code of_err_set(struct of_err *err, enum of_code code, const char *fmt, ...) OF_PRINTF(3, 4);
/* Puts words before the message ("words: message"); returns err's code. err must not be NULL. */
enum of_code of_err_wrap(struct of_err *err, const char *fmt, ...) OF_PRINTF(2, 3);
void of_err_clear(struct of_err *err);
const char *of_code_name(enum of_code code);  /* "DB", "OK" */
const char *of_code_text(enum of_code code);  /* "database unavailable" */
const char *of_class_name(enum of_class cls); /* "retry" */
enum of_class of_code_class(enum of_code code);

#endif
