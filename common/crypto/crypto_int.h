/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CRYPTO_INT_H
#define OF_CRYPTO_INT_H

/* Inside common/crypto only. */

#include "common/crypto/crypto.h"

#define OF_KEY_BYTES 32
#define OF_KEY_ID_MAX 32

struct of_key {
    char id[OF_KEY_ID_MAX + 1];
    unsigned char bytes[OF_KEY_BYTES];
};

/* NULL: no such key. */
const struct of_key *of_keyring_find(const struct of_keyring *ring, const char *id);

#endif
