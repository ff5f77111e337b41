/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_TOKEN_INT_H
#define OF_TOKEN_INT_H

#include "common/base/base.h"
#include "common/err/err.h"

struct of_keyring;

/* "org\x1fadapter": binds a sealed text to its row. The caller's. */
char *of_token_aad(const char *org, const char *adapter);
/* base64 of a sealed text -> plain (of_secret_free) or raw bytes (free). */
OF_MUSTCHECK enum of_code of_token_unseal(const struct of_keyring *ring, const char *aad, const char *key_id, const char *base64,
                                          char **ret_plain, struct of_err *err);
OF_MUSTCHECK enum of_code of_token_bytes(const char *base64, unsigned char **ret, size_t *ret_len, struct of_err *err);

#endif
