/* SPDX-License-Identifier: Apache-2.0 */
/* What every part of the simulator needs: a growing buffer, a bump allocator, a
 * reproducible random source and time. Out of memory aborts. No locks in here. */
#ifndef PCO_SIM_BASE_H
#define PCO_SIM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SIM_NULL_INT INT64_MIN

void *sim_alloc(size_t size); /* zeroed */
void *sim_realloc(void *p, size_t size);
char *sim_strdup(const char *s);
char *sim_strndup(const char *s, size_t n);

/* --- growing buffer; data is not NUL-terminated until sim_buf_cstr() --- */
struct sim_buf {
    char *data;
    size_t len;
    size_t cap;
};

void sim_buf_room(struct sim_buf *b, size_t n);
void sim_buf_put(struct sim_buf *b, const void *p, size_t n);
void sim_buf_str(struct sim_buf *b, const char *s);
void sim_buf_char(struct sim_buf *b, char c);
void sim_buf_i64(struct sim_buf *b, int64_t v);
void sim_buf_fmt(struct sim_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A quoted, escaped JSON string; NULL gives null. */
void sim_buf_json(struct sim_buf *b, const char *s);
/* One URL-encoded query value (space is a plus, as Ruby spells it). */
void sim_buf_urlenc(struct sim_buf *b, const char *s, bool keep_brackets);
const char *sim_buf_cstr(struct sim_buf *b);
void sim_buf_free(struct sim_buf *b);
#define SIM_LIT(b, s) sim_buf_put((b), "" s, sizeof(s) - 1)

/* --- bump allocator: freed as a whole --- */
struct sim_arena_chunk;
struct sim_arena {
    struct sim_arena_chunk *chunks;
    char *next;
    size_t left;
    size_t chunk_size;
    size_t total;
};

void *sim_arena_alloc(struct sim_arena *a, size_t size); /* zeroed, 8-byte aligned */
char *sim_arena_str(struct sim_arena *a, const char *s);
char *sim_arena_fmt(struct sim_arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sim_arena_free(struct sim_arena *a);

/* --- reproducible random numbers (splitmix64) --- */
struct sim_rng {
    uint64_t state;
};

uint64_t sim_rng_next(struct sim_rng *r);
uint64_t sim_rng_below(struct sim_rng *r, uint64_t n); /* 0 for n = 0 */
int64_t sim_rng_range(struct sim_rng *r, int64_t from, int64_t to);
bool sim_rng_chance(struct sim_rng *r, double p);
uint64_t sim_mix(uint64_t a, uint64_t b);

/* --- time --- */
int64_t sim_mono_us(void);
int64_t sim_wall_s(void);
void sim_format_time(int64_t epoch_s, char out[24]); /* 2020-01-31T10:00:00Z */
void sim_format_date(int64_t epoch_s, char out[16]); /* 2020-01-31 */
void sim_format_http_date(int64_t epoch_s, char out[40]);
int64_t sim_days_from_civil(int64_t year, int month, int day);
/* Takes a date or an ISO 8601 time; a date is midnight UTC. */
bool sim_parse_time(const char *s, int64_t *ret_epoch_s);
bool sim_parse_i64(const char *s, int64_t *ret_value); /* the whole text must be a number */

/* Case- and accent-folded copy of UTF-8 text; out always ends with a NUL. */
void sim_fold(const char *s, char *out, size_t out_size);

#endif
