/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_CRYPTO_H
#define OF_CRYPTO_H

/* The key ring and what is done with it: AES-256-GCM of credentials; hashes, random numbers, base64. OpenSSL inside. */

#include "common/base/base.h"
#include "common/err/err.h"

struct of_keyring; /* immutable after load; any thread */

/* Lines `<id> <base64 of 32 bytes>`, '#' comments and blank lines allowed, at most 64 KiB and 256 keys; ids
 * [A-Za-z0-9_-]{1,32}, unique; the last line encrypts. *ret is the caller's. Fails: OF_E_CONFIG with file and line number,
 * never with key bytes. Blocks: reads the file. */
OF_MUSTCHECK enum of_code of_keyring_load(const char *path, struct of_keyring **ret, struct of_err *err);
void of_keyring_free(struct of_keyring *ring); /* cleanses */
const char *of_keyring_current(const struct of_keyring *ring); /* id of the encrypting key; borrowed */
/* A fresh line for the file, without newline: at least 80 bytes of buf. */
void of_keyring_new_line(char *buf, size_t size);

/* Sealed = 1 byte version, 12 bytes nonce, ciphertext, 16 bytes tag. aad binds it to its place. *ret is the caller's.
 * The key is of_keyring_current(): its id is stored beside the sealed bytes. Fails: OF_E_TOO_LARGE (above 16 MiB). */
OF_MUSTCHECK enum of_code of_seal(const struct of_keyring *ring, const char *aad, const void *plain, size_t plain_len,
                                  unsigned char **ret, size_t *ret_len, struct of_err *err);
/* *ret is NUL-terminated, the caller's; free with of_secret_free(). Fails: OF_E_CRYPTO (unknown key id, wrong aad, damaged). */
OF_MUSTCHECK enum of_code of_unseal(const struct of_keyring *ring, const char *key_id, const char *aad, const void *sealed,
                                    size_t sealed_len, char **ret, size_t *ret_len, struct of_err *err);
/* Cleanses (up to the first NUL) and frees a secret. NULL is fine. */
void of_secret_free(char *secret);

/* From libcrypto's generator; a failure aborts. */
void of_random(void *p, size_t n);
uint64_t of_random_u64(void);
/* Lower-case hex SHA-256 of p; out has 65 bytes. */
void of_sha256_hex(const void *p, size_t n, char out[65]);
/* base64 without line breaks; *ret is the caller's. */
char *of_base64(const void *p, size_t n);
/* Strict: padding, no blanks, no stray bits; at most cap bytes to out. */
bool of_base64_decode(const char *s, unsigned char *out, size_t cap, size_t *ret_len);

#endif
