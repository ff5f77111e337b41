/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/crypto.h"

#include "common/crypto/crypto_int.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define VERSION_BYTE 1
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define OVERHEAD (1 + NONCE_BYTES + TAG_BYTES)
#define PLAIN_MAX (16 * 1024 * 1024) /* credentials; far below what GCM allows */

OF_DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free, of_cipher_freep)

/* out has n + OVERHEAD bytes. */
static bool seal_into(const struct of_key *key, const char *aad, const void *plain, int n, unsigned char *out)
{
    OF_CLEANUP(of_cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char *nonce = out + 1;
    unsigned char *cipher = nonce + NONCE_BYTES;
    int len = 0;
    int tail = 0;
    out[0] = VERSION_BYTE;
    of_random(nonce, NONCE_BYTES);
    return ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &len, (const unsigned char *)aad, (int)strlen(aad)) == 1 &&
           EVP_EncryptUpdate(ctx, cipher, &len, plain, n) == 1 && EVP_EncryptFinal_ex(ctx, cipher + len, &tail) == 1 &&
           len + tail == n && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, cipher + n) == 1;
}

/* out is only to be trusted if this gives true. */
static bool open_into(const struct of_key *key, const char *aad, const unsigned char *sealed, int n, char *out)
{
    OF_CLEANUP(of_cipher_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const unsigned char *nonce = sealed + 1;
    const unsigned char *cipher = nonce + NONCE_BYTES;
    unsigned char tag[TAG_BYTES];
    unsigned char *plain = (unsigned char *)out;
    int len = 0;
    int tail = 0;
    memcpy(tag, cipher + n, sizeof(tag));
    return ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &len, (const unsigned char *)aad, (int)strlen(aad)) == 1 &&
           EVP_DecryptUpdate(ctx, plain, &len, cipher, n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, plain + len, &tail) == 1 && len + tail == n;
}

enum of_code of_seal(const struct of_keyring *ring, const char *aad, const void *plain, size_t plain_len, unsigned char **ret,
                     size_t *ret_len, struct of_err *err)
{
    if (plain_len > PLAIN_MAX) {
        return of_err_set(err, OF_E_TOO_LARGE, "a secret of %zu bytes", plain_len);
    }
    const struct of_key *key = of_keyring_find(ring, of_keyring_current(ring));
    size_t size = plain_len + OVERHEAD;
    OF_CLEANUP(of_freep) unsigned char *sealed = of_alloc(size);
    if (!seal_into(key, aad, plain_len > 0 ? plain : "", (int)plain_len, sealed)) {
        ERR_clear_error(); /* the queue belongs to the thread: what stays would be taken for somebody else's failure */
        return of_err_set(err, OF_E_CRYPTO, "cannot encrypt");
    }
    *ret = OF_TAKE(sealed);
    *ret_len = size;
    return OF_OK;
}

enum of_code of_unseal(const struct of_keyring *ring, const char *key_id, const char *aad, const void *sealed, size_t sealed_len,
                       char **ret, size_t *ret_len, struct of_err *err)
{
    const unsigned char *bytes = sealed;
    const struct of_key *key = of_keyring_find(ring, key_id);
    if (!key) {
        return of_err_set(err, OF_E_CRYPTO, "key %.32s is not in the key ring", key_id);
    }
    if (sealed_len < OVERHEAD || sealed_len - OVERHEAD > PLAIN_MAX || bytes[0] != VERSION_BYTE) {
        return of_err_set(err, OF_E_CRYPTO, "sealed text is damaged");
    }
    size_t n = sealed_len - OVERHEAD;
    char *plain = of_alloc(n + 1);
    if (!open_into(key, aad, bytes, (int)n, plain)) {
        OPENSSL_cleanse(plain, n);
        free(plain);
        ERR_clear_error();
        return of_err_set(err, OF_E_CRYPTO, "sealed text is damaged, belongs elsewhere or has another key");
    }
    plain[n] = '\0';
    *ret = plain;
    *ret_len = n;
    return OF_OK;
}

void of_secret_free(char *secret)
{
    if (secret) {
        OPENSSL_cleanse(secret, strlen(secret));
        free(secret);
    }
}

void of_random(void *p, size_t n)
{
    OF_BUG_ON(n > INT_MAX);
    int ok = RAND_bytes(p, (int)n);
    OF_BUG_ON(ok != 1); /* without randomness nothing is safe */
}

uint64_t of_random_u64(void)
{
    uint64_t v = 0;
    of_random(&v, sizeof(v));
    return v;
}

void of_sha256_hex(const void *p, size_t n, char out[65])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[32];
    int ok = EVP_Digest(n > 0 ? p : "", n, digest, NULL, EVP_sha256(), NULL);
    OF_BUG_ON(ok != 1);
    for (size_t i = 0; i < sizeof(digest); i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 15];
    }
    out[64] = '\0';
}
