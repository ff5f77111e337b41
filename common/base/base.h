/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_BASE_H
#define OF_BASE_H

/* What every file may use: attributes, cleanup macros, allocation, checks for our own bugs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OF_MUSTCHECK __attribute__((warn_unused_result))
#define OF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define OF_UNUSED __attribute__((unused))
#define OF_NORETURN __attribute__((noreturn))
#define OF_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define OF_MIN(a, b) ((a) < (b) ? (a) : (b))
#define OF_MAX(a, b) ((a) > (b) ? (a) : (b))
#define OF_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Returns from the calling function with the code of a failed call; the only macro that hides flow. */
#define OF_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        enum of_code of_try_code_ = (expr);                                                                            \
        if (of_try_code_ != OF_OK) {                                                                                   \
            return of_try_code_;                                                                                       \
        }                                                                                                              \
    } while (0)

#define OF_CLEANUP(fn) __attribute__((cleanup(fn)))
/* static inline void name(type **): calls free_fn on what it points to and sets that to NULL. NULL is fine. */
#define OF_DEFINE_CLEANUP(type, free_fn, name)                                                                         \
    OF_UNUSED static inline void name(type **p)                                                                        \
    {                                                                                                                  \
        if (*p) {                                                                                                      \
            free_fn(*p);                                                                                               \
            *p = NULL;                                                                                                 \
        }                                                                                                              \
    }
/* Hands over what a cleanup local owns. */
#define OF_TAKE(p)                                                                                                     \
    __extension__({                                                                                                    \
        __typeof__(p) of_take_ = (p);                                                                                  \
        (p) = NULL;                                                                                                    \
        of_take_;                                                                                                      \
    })
/* For local `char *` (any pointer) from of_alloc. */
void of_freep(void *p);

/* Our own bugs only, never input. Kept in release builds. */
#define OF_BUG_ON(cond)                                                                                                \
    do {                                                                                                               \
        if (__builtin_expect(!!(cond), 0)) {                                                                           \
            of_bug(__FILE__, __LINE__, #cond);                                                                         \
        }                                                                                                              \
    } while (0)
OF_NORETURN void of_bug(const char *file, int line, const char *what);

/* Allocation never returns NULL: on Linux a refused malloc of a bounded size means that the process is lost, and a
 * restart (kill -9 is harmless by design) is the best answer. Sizes from outside are bounded before they get here. */
void *of_alloc(size_t size);
void *of_calloc(size_t n, size_t size);
void *of_realloc(void *p, size_t size);
void *of_reallocarray(void *p, size_t n, size_t size);
char *of_strdup(const char *s);
char *of_strndup(const char *s, size_t n);
/* NULL in, NULL out. */
char *of_strdup_null(const char *s);
/* printf into a fresh string; cut at 64 KiB. */
char *of_asprintf(const char *fmt, ...) OF_PRINTF(1, 2);

/* Bounded copy that always ends with NUL; false if it was cut. */
bool of_strcopy(char *dst, size_t dst_size, const char *src);
/* Whole string, base 10, in range; false otherwise (NULL too). A leading sign is fine, blanks are not; doubles are finite. */
bool of_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
bool of_parse_double(const char *s, double *ret);
bool of_str_eq(const char *a, const char *b); /* both NULL: equal */
uint64_t of_hash(const void *bytes, size_t len); /* FNV-1a, its halves folded: for tables whose size is a power of two */
/* True for well-formed UTF-8 without NUL. */
bool of_utf8_valid(const char *s, size_t len);
/* Bytes of the well-formed character at s (1 to 4), 0 if there is none within len. NUL counts as a character. */
size_t of_utf8_step(const char *s, size_t len);

#endif
