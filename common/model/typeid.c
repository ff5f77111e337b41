/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/model.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/time/time.h"

#define SUFFIX_LEN 26
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* 48 bits of milliseconds and 12 bits that count within one, as one number that only grows: where a millisecond's 4096
 * ids are used up, or the clock steps back, the ids run ahead of the clock instead of repeating. */
static uint64_t next_stamp(void)
{
    static _Atomic uint64_t last;
    uint64_t now = ((uint64_t)(of_wall_now().us / 1000) & ((UINT64_C(1) << 48) - 1)) << 12;
    uint64_t seen = atomic_load(&last);
    uint64_t next;
    do {
        next = seen < now ? now : seen + 1;
    } while (!atomic_compare_exchange_weak(&last, &seen, next));
    return next;
}

static uint64_t random_bits(void)
{
    uint64_t r = 0;
    size_t have = 0;
    while (have < sizeof(r)) {
        ssize_t n = getrandom((unsigned char *)&r + have, sizeof(r) - have, 0);
        if (n > 0) {
            have += (size_t)n;
        }
    }
    return r;
}

/* 128 bits, most significant first, as 26 characters (the first holds only three bits). */
static void encode(uint64_t high, uint64_t low, char *out)
{
    for (int i = SUFFIX_LEN - 1; i >= 0; i--) {
        out[i] = alphabet[low & 31];
        low = (low >> 5) | (high << 59);
        high >>= 5;
    }
}

const char *of_typeid_new(const char *prefix, char *buf)
{
    uint64_t stamp = next_stamp();
    uint64_t high = (stamp >> 12) << 16 | UINT64_C(0x7000) | (stamp & 0xfff);
    uint64_t low = (random_bits() & (UINT64_MAX >> 2)) | UINT64_C(1) << 63;
    char suffix[SUFFIX_LEN + 1];
    encode(high, low, suffix);
    suffix[SUFFIX_LEN] = '\0';
    OF_BUG_ON(strlen(prefix) + 1 + SUFFIX_LEN >= OF_TYPEID_MAX);
    (void)snprintf(buf, OF_TYPEID_MAX, "%s_%s", prefix, suffix);
    return buf;
}

bool of_typeid_valid(const char *id, const char *prefix)
{
    size_t n = strlen(prefix);
    if (!id || strncmp(id, prefix, n) != 0 || id[n] != '_' || strlen(id + n + 1) != SUFFIX_LEN) {
        return false;
    }
    const char *suffix = id + n + 1;
    return suffix[0] <= '7' && strspn(suffix, alphabet) == SUFFIX_LEN;
}
