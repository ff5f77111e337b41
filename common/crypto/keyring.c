/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/crypto.h"

#include "common/crypto/crypto_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#define FILE_MAX_BYTES (64 * 1024)
#define KEYS_MAX 256
#define LINE_MAX_BYTES 256

struct of_keyring {
    struct of_key keys[KEYS_MAX];
    int n;
};

void of_keyring_free(struct of_keyring *ring)
{
    if (ring) {
        OPENSSL_cleanse(ring, sizeof(*ring));
        free(ring);
    }
}

OF_DEFINE_CLEANUP(struct of_keyring, of_keyring_free, of_keyring_freep)

const char *of_keyring_current(const struct of_keyring *ring)
{
    return ring->keys[ring->n - 1].id;
}

const struct of_key *of_keyring_find(const struct of_keyring *ring, const char *id)
{
    for (int i = 0; i < ring->n; i++) {
        if (strcmp(ring->keys[i].id, id) == 0) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

void of_keyring_new_line(char *buf, size_t size)
{
    unsigned char id[4];
    unsigned char key[OF_KEY_BYTES];
    of_random(id, sizeof(id));
    of_random(key, sizeof(key));
    char *text = of_base64(key, sizeof(key));
    int n = snprintf(buf, size, "k%02x%02x%02x%02x %s", id[0], id[1], id[2], id[3], text);
    OPENSSL_cleanse(key, sizeof(key));
    of_secret_free(text);
    OF_BUG_ON(n < 0 || (size_t)n >= size);
}

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* One line, NUL-terminated and without blanks around it. Says what is wrong, NULL if nothing. */
static const char *add_line(struct of_keyring *ring, const char *line)
{
    if (ring->n == KEYS_MAX) {
        return "too many keys";
    }
    struct of_key *key = &ring->keys[ring->n];
    size_t id_len = 0;
    while (is_id_char(line[id_len])) {
        id_len++;
    }
    if (id_len == 0 || id_len > OF_KEY_ID_MAX || !is_blank(line[id_len])) {
        return "expected '<id> <base64>', the id of 1 to 32 letters, digits, _ and -";
    }
    memcpy(key->id, line, id_len);
    key->id[id_len] = '\0';
    if (of_keyring_find(ring, key->id)) {
        return "this key id stands here already";
    }
    const char *text = line + id_len;
    while (is_blank(*text)) {
        text++;
    }
    size_t len = 0;
    if (!of_base64_decode(text, key->bytes, sizeof(key->bytes), &len) || len != OF_KEY_BYTES) {
        return "expected base64 of 32 bytes";
    }
    ring->n++;
    return NULL;
}

/* text[0..n) is one line of the file. */
static const char *add_raw_line(struct of_keyring *ring, const char *text, size_t n)
{
    while (n > 0 && is_blank(*text)) {
        text++;
        n--;
    }
    while (n > 0 && is_blank(text[n - 1])) {
        n--;
    }
    if (n == 0 || *text == '#') {
        return NULL;
    }
    if (n >= LINE_MAX_BYTES || memchr(text, '\0', n)) {
        return "not a line of text";
    }
    char line[LINE_MAX_BYTES];
    memcpy(line, text, n);
    line[n] = '\0';
    const char *why = add_line(ring, line);
    OPENSSL_cleanse(line, sizeof(line));
    return why;
}

static enum of_code parse(struct of_keyring *ring, const char *path, const char *text, size_t n, struct of_err *err)
{
    int number = 0;
    while (n > 0) {
        const char *newline = memchr(text, '\n', n);
        size_t len = newline ? (size_t)(newline - text) : n;
        number++;
        const char *why = add_raw_line(ring, text, len);
        if (why) {
            return of_err_set(err, OF_E_CONFIG, "%s line %d: %s", path, number, why);
        }
        size_t used = newline ? len + 1 : len;
        text += used;
        n -= used;
    }
    if (ring->n == 0) {
        return of_err_set(err, OF_E_CONFIG, "%s: no key in it", path);
    }
    return OF_OK;
}

/* Reads at most cap bytes; -1 with errno. */
static ssize_t read_file(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t len = 0;
    ssize_t n = 1;
    while (n > 0 && len < cap) {
        n = read(fd, buf + len, cap - len);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n > 0) {
            len += (size_t)n;
        }
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return n < 0 ? -1 : (ssize_t)len;
}

enum of_code of_keyring_load(const char *path, struct of_keyring **ret, struct of_err *err)
{
    char *text = of_alloc(FILE_MAX_BYTES);
    ssize_t n = read_file(path, text, FILE_MAX_BYTES);
    if (n < 0) {
        char reason[80] = "";
        const char *words = strerror_r(errno, reason, sizeof(reason));
        free(text);
        return of_err_set(err, OF_E_CONFIG, "%s: %s", path, words);
    }
    OF_CLEANUP(of_keyring_freep) struct of_keyring *ring = of_calloc(1, sizeof(*ring));
    enum of_code code = n == FILE_MAX_BYTES ? of_err_set(err, OF_E_CONFIG, "%s: too large for a key ring", path)
                                            : parse(ring, path, text, (size_t)n, err);
    OPENSSL_cleanse(text, FILE_MAX_BYTES);
    free(text);
    if (code == OF_OK) {
        *ret = OF_TAKE(ring);
    }
    return code;
}
