/* SPDX-License-Identifier: Apache-2.0 */
#include "common/time/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
#define YEAR_1 INT64_C(-62135596800)      /* 0001-01-01T00:00:00Z */
#define YEAR_10000 INT64_C(253402300800) /* 10000-01-01T00:00:00Z */

struct civil {
    int64_t year;
    int month; /* 1..12 */
    int day;   /* 1..31 */
};

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts = {0};
    int rc = clock_gettime(id, &ts);
    OF_BUG_ON(rc != 0);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct of_mono of_mono_now(void)
{
    return (struct of_mono){.ms = clock_ns(CLOCK_MONOTONIC) / 1000000};
}

struct of_boot of_boot_now(void)
{
    return (struct of_boot){.ms = clock_ns(CLOCK_BOOTTIME) / 1000000};
}

struct of_wall of_wall_now(void)
{
    return (struct of_wall){.us = clock_ns(CLOCK_REALTIME) / 1000};
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. The year starts in March here, so that the leap day is the
 * last one; 400 years (an era) always have 146097 days. */
static int64_t days_of(struct civil d)
{
    int64_t y = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t month = d.month > 2 ? d.month - 3 : d.month + 9;
    int64_t day_of_year = (153 * month + 2) / 5 + d.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct civil civil_of(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct civil d = {
        .year = year_of_era + era * 400,
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
    if (d.month <= 2) {
        d.year++;
    }
    return d;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool is_civil(struct civil d)
{
    return d.year >= 1 && d.year <= 9999 && d.month >= 1 && d.month <= 12 && d.day >= 1 &&
           d.day <= days_in_month(d.year, d.month);
}

const char *of_time_format(struct of_wall t, char *buf)
{
    int64_t s = floor_div(t.us, US_PER_S);
    int us = (int)(t.us - s * US_PER_S);
    int64_t day = floor_div(s, S_PER_DAY);
    int second = (int)(s - day * S_PER_DAY);
    struct civil d = civil_of(day);
    int n = snprintf(buf, OF_TIME_TEXT, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d", d.year, d.month, d.day,
                     second / 3600, second / 60 % 60, second % 60);
    if (us != 0) {
        n += snprintf(buf + n, OF_TIME_TEXT - (size_t)n, ".%06d", us);
    }
    (void)snprintf(buf + n, OF_TIME_TEXT - (size_t)n, "Z");
    return buf;
}

/* ---- parsing: each step moves *s only if it took something ---- */

static bool take_digits(const char **s, int count, int *ret)
{
    int v = 0;
    for (int i = 0; i < count; i++) {
        char c = (*s)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        v = v * 10 + (c - '0');
    }
    *s += count;
    *ret = v;
    return true;
}

static bool take_char(const char **s, char c)
{
    if (**s != c) {
        return false;
    }
    (*s)++;
    return true;
}

static bool take_date(const char **s, struct civil *ret)
{
    int year = 0;
    struct civil d = {.year = 0};
    if (!take_digits(s, 4, &year) || !take_char(s, '-') || !take_digits(s, 2, &d.month) || !take_char(s, '-') ||
        !take_digits(s, 2, &d.day)) {
        return false;
    }
    d.year = year;
    *ret = d;
    return is_civil(d);
}

/* hh:mm:ss as seconds */
static bool take_clock(const char **s, int *ret)
{
    int h = 0;
    int m = 0;
    int sec = 0;
    if (!take_digits(s, 2, &h) || !take_char(s, ':') || !take_digits(s, 2, &m) || !take_char(s, ':') ||
        !take_digits(s, 2, &sec)) {
        return false;
    }
    *ret = h * 3600 + m * 60 + sec;
    return h <= 23 && m <= 59 && sec <= 59;
}

/* ".123456789": what is finer than a microsecond is dropped. */
static bool take_fraction(const char **s, int *ret_us)
{
    *ret_us = 0;
    if (!take_char(s, '.')) {
        return true;
    }
    int scale = 100000;
    int count = 0;
    int digit = 0;
    while (take_digits(s, 1, &digit)) {
        *ret_us += digit * scale;
        scale /= 10;
        count++;
    }
    return count > 0;
}

/* Z, +hh, +hhmm or +hh:mm, as seconds east. */
static bool take_offset(const char **s, int *ret)
{
    *ret = 0;
    if (take_char(s, 'Z') || take_char(s, 'z')) {
        return true;
    }
    int sign = **s == '-' ? -1 : 1;
    if (!take_char(s, '+') && !take_char(s, '-')) {
        return false;
    }
    int h = 0;
    int m = 0;
    if (!take_digits(s, 2, &h)) {
        return false;
    }
    if (take_char(s, ':')) {
        if (!take_digits(s, 2, &m)) {
            return false;
        }
    } else {
        (void)take_digits(s, 2, &m); /* the minutes are optional; whatever else follows fails at the end */
    }
    *ret = sign * (h * 3600 + m * 60);
    return h <= 23 && m <= 59;
}

bool of_time_parse(const char *s, struct of_wall *ret)
{
    struct civil d = {.year = 0};
    int second = 0;
    int us = 0;
    int offset = 0;
    if (!s || !take_date(&s, &d)) {
        return false;
    }
    if (*s != '\0') {
        if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' ')) {
            return false;
        }
        if (!take_clock(&s, &second) || !take_fraction(&s, &us) || !take_offset(&s, &offset) || *s != '\0') {
            return false;
        }
    }
    int64_t at = days_of(d) * S_PER_DAY + second - offset;
    if (at < YEAR_1 || at >= YEAR_10000) {
        return false;
    }
    ret->us = at * US_PER_S + us;
    return true;
}

bool of_date_valid(const char *s)
{
    struct civil d = {.year = 0};
    return s && take_date(&s, &d) && *s == '\0';
}

/* One of the three-letter names in `names` (packed), counted from 0. */
static bool take_name(const char **s, const char *names, int *ret)
{
    for (int i = 0; names[3 * i] != '\0'; i++) {
        if (strncmp(*s, names + 3 * i, 3) == 0) {
            *s += 3;
            *ret = i;
            return true;
        }
    }
    return false;
}

bool of_time_parse_http(const char *s, struct of_wall *ret)
{
    int weekday = 0;
    int month = 0;
    int year = 0;
    int second = 0;
    struct civil d = {.year = 0};
    if (!s || !take_name(&s, "ThuFriSatSunMonTueWed", &weekday) || !take_char(&s, ',') || !take_char(&s, ' ') ||
        !take_digits(&s, 2, &d.day) || !take_char(&s, ' ') ||
        !take_name(&s, "JanFebMarAprMayJunJulAugSepOctNovDec", &month) || !take_char(&s, ' ') ||
        !take_digits(&s, 4, &year) || !take_char(&s, ' ') || !take_clock(&s, &second) || strcmp(s, " GMT") != 0) {
        return false;
    }
    d.month = month + 1;
    d.year = year;
    if (!is_civil(d)) {
        return false;
    }
    int64_t day = days_of(d);
    if (day - floor_div(day, 7) * 7 != weekday) { /* 1970-01-01 was a Thursday */
        return false;
    }
    ret->us = (day * S_PER_DAY + second) * US_PER_S;
    return true;
}

bool of_time_parse_retry_after(const char *s, struct of_wall now, int64_t *ret_ms)
{
    if (!s) {
        return false;
    }
    int64_t seconds = 0;
    if (*s >= '0' && *s <= '9') {
        if (!of_parse_i64(s, 0, INT64_MAX / 1000, &seconds)) {
            return false;
        }
        *ret_ms = seconds * 1000;
        return true;
    }
    struct of_wall at = {0};
    if (!of_time_parse_http(s, &at)) {
        return false;
    }
    int64_t us = at.us - now.us;
    *ret_ms = us <= 0 ? 0 : (us + 999) / 1000;
    return true;
}
