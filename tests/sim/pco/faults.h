/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong on purpose. Thread-safe. */
#ifndef PCO_SIM_FAULTS_H
#define PCO_SIM_FAULTS_H

#include "base.h"

#include <stdbool.h>
#include <stdint.h>

#define SIM_FAULT_MAP(X)                                                                           \
    X(STATUS429, "status429")                                                                      \
    X(STATUS500HTML, "status500html")                                                              \
    X(STATUS503, "status503")                                                                      \
    X(STATUS401, "status401")                                                                      \
    X(STATUS402, "status402")                                                                      \
    X(STATUS403, "status403")                                                                      \
    X(STATUS404, "status404")                                                                      \
    X(CUT, "cut")                                                                                  \
    X(STALL, "stall")                                                                              \
    X(HANG, "hang")                                                                                \
    X(REPEAT_PAGE, "repeat_page")                                                                  \
    X(WRONG_TOTAL, "wrong_total")                                                                  \
    X(EMPTY_PAGE, "empty_page")                                                                    \
    X(LOST, "lost")                                                                                \
    X(TRUNCATE_JSON, "truncate_json")                                                              \
    X(HTML200, "html200")                                                                          \
    X(STATUS409, "status409")                                                                      \
    X(STATUS422, "status422")                                                                      \
    X(STATUS500, "status500")                                                                      \
    X(STATUS504, "status504")                                                                      \
    X(EMPTY_LIST, "empty_list")                                                                    \
    X(DELAY, "delay")                                                                              \
    X(LATE, "late")                                                                                \
    X(DONE_STATUS, "done_status")                                                                  \
    X(CUT_REQUEST, "cut_request")                                                                  \
    X(CUT_ANSWER, "cut_answer")                                                                    \
    X(CUT_EACH, "cut_each")                                                                        \
    X(BAD_TYPES, "bad_types")                                                                      \
    X(BAD_UTF8, "bad_utf8")                                                                        \
    X(NUL_CHAR, "nul_char")                                                                        \
    X(HUGE_STRING, "huge_string")                                                                  \
    X(DUP_KEYS, "dup_keys")                                                                        \
    X(BAD_ID, "bad_id")                                                                            \
    X(BAD_TYPE_NAME, "bad_type_name")                                                              \
    X(MISSING_ATTRIBUTES, "missing_attributes")                                                    \
    X(DEEP_NESTING, "deep_nesting")

enum sim_fault_kind {
    SIM_FAULT_NONE = 0,
#define SIM_FAULT_ENUM(e, name) SIM_FAULT_##e,
    SIM_FAULT_MAP(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
};

/* From here on a fault spoils one record of a page. */
static inline bool sim_fault_is_record(enum sim_fault_kind kind)
{
    return kind >= SIM_FAULT_BAD_TYPES;
}

struct sim_fault {
    enum sim_fault_kind kind;
    int64_t delay_ms;
    char arg[128];
    char record[64]; /* Person/12: whenever that record is sent */
    int64_t point;   /* cut_each: the byte of the exchange */
    char id[32];     /* record of the page that is spoilt, empty: one of them by chance */
};

enum { SIM_MAX_HITS = 32 };

const char *sim_fault_name(enum sim_fault_kind kind);
/* A JSON array (or one object) of faults, added to those that are there. False: *ret_why says
 * what is wrong (constant text). */
bool sim_faults_add(const char *json, const char **ret_why);
void sim_faults_clear(void);
void sim_faults_write(struct sim_buf *out);
struct sim_fault_request {
    const char *method;
    const char *target;
    const char *body; /* "" none */
    int org;
    bool is_list;
    bool early; /* only its head is there: nothing but cut_request can hit it */
};

/* The faults that hit this request: at most one of the whole-answer kind (the first that
 * matches) and any number of spoilt records. Counts them. */
int sim_faults_match(const struct sim_fault_request *r, struct sim_fault *hits, int max);
bool sim_faults_want_early(void);     /* a cut_request fault is set */
bool sim_faults_want_last_page(void); /* a repeat_page fault is set */

#endif
