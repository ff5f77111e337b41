/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

OF_DEFINE_CLEANUP(struct of_keyring, of_keyring_free, of_ring_freep)

static enum of_code load_mem(const char *text, size_t n, struct of_keyring **ret, struct of_err *err)
{
    char path[] = "/tmp/of-test-crypto-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), (ssize_t)n);
    close(fd);
    enum of_code code = of_keyring_load(path, ret, err);
    unlink(path);
    return code;
}

static struct of_keyring *load(const char *text)
{
    struct of_keyring *ring = NULL;
    struct of_err err = OF_ERR_INIT;
    if (load_mem(text, strlen(text), &ring, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    return ring;
}

static void refused(const char *text, const char *words)
{
    struct of_keyring *ring = NULL;
    struct of_err err = OF_ERR_INIT;
    enum of_code code = load_mem(text, strlen(text), &ring, &err);
    if (code != OF_E_CONFIG || !strstr(err.msg, words)) {
        fail_msg("'%s': expected '%s', got '%s'", text, words, err.msg);
    }
    assert_null(ring);
    assert_null(strstr(err.msg, "AAAA"));
}

static void key_ring_files(void **state)
{
    (void)state;
    OF_CLEANUP(of_ring_freep) struct of_keyring *ring =
        load("# old first\n\nold " KEY_A "\n  new_1-X\t" KEY_B " \r\n# end");
    assert_string_equal(of_keyring_current(ring), "new_1-X");
    OF_CLEANUP(of_ring_freep) struct of_keyring *longest = load("abcdefghijklmnopqrstuvwxyz012345 " KEY_A);
    assert_string_equal(of_keyring_current(longest), "abcdefghijklmnopqrstuvwxyz012345");
}

static void hostile_key_ring_files(void **state)
{
    (void)state;
    refused("", "no key");
    refused("# nothing\n\n", "no key");
    refused("a " KEY_A "\na " KEY_B "\n", "line 2: this key id");
    refused("\n\na\n", "line 3: expected '<id>");
    refused(KEY_A "\n", "line 1: expected '<id>");
    refused("a=b " KEY_A "\n", "expected '<id>");
    refused("abcdefghijklmnopqrstuvwxyz0123456 " KEY_A, "expected '<id>");
    refused("a AAAA\n", "32 bytes");
    refused("a " KEY_A "AAAA\n", "32 bytes");
    refused("a " KEY_A " trailing\n", "32 bytes");
    refused("a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", "32 bytes"); /* stray bits */
    refused("a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "32 bytes");  /* no padding */
    struct of_keyring *ring = NULL;
    struct of_err err = OF_ERR_INIT;
    const char nul[] = "a " KEY_A "\0x\n";
    assert_int_equal(load_mem(nul, sizeof(nul) - 1, &ring, &err), OF_E_CONFIG);
    OF_CLEANUP(of_freep) char *big = of_alloc(100000);
    memset(big, '\n', 100000);
    assert_int_equal(load_mem(big, 100000, &ring, &err), OF_E_CONFIG);
    memset(big, 'a', 1000);
    assert_int_equal(load_mem(big, 1000, &ring, &err), OF_E_CONFIG);
    assert_int_equal(of_keyring_load("/nonexistent/ring", &ring, &err), OF_E_CONFIG);
    assert_non_null(strstr(err.msg, "/nonexistent/ring: No such file"));
    assert_int_equal(of_keyring_load("/tmp", &ring, &err), OF_E_CONFIG); /* a folder */
    assert_null(ring);
}

static void too_many_keys(void **state)
{
    (void)state;
    OF_CLEANUP(of_freep) char *text = of_calloc(300, 64);
    size_t len = 0;
    for (int i = 0; i < 257; i++) {
        len += (size_t)snprintf(text + len, 64, "k%d %s\n", i, KEY_A);
    }
    refused(text, "line 257: too many keys");
}

static void new_lines_load(void **state)
{
    (void)state;
    char one[80];
    char two[80];
    of_keyring_new_line(one, sizeof(one));
    of_keyring_new_line(two, sizeof(two));
    assert_string_not_equal(one, two);
    OF_CLEANUP(of_freep) char *text = of_asprintf("%s\n%s\n", one, two);
    OF_CLEANUP(of_ring_freep) struct of_keyring *ring = load(text);
    assert_int_equal(strncmp(two, of_keyring_current(ring), strlen(of_keyring_current(ring))), 0);
}

static void seals_and_unseals(void **state)
{
    (void)state;
    OF_CLEANUP(of_ring_freep) struct of_keyring *ring = load("a " KEY_A "\nb " KEY_B "\n");
    struct of_err err = OF_ERR_INIT;
    unsigned char *sealed = NULL;
    unsigned char *again = NULL;
    size_t n = 0;
    size_t n_again = 0;
    assert_int_equal(of_seal(ring, "org_1/pco", "token", 5, &sealed, &n, &err), OF_OK);
    assert_int_equal(n, 1 + 12 + 5 + 16);
    assert_int_equal(sealed[0], 1);
    assert_null(memmem(sealed, n, "token", 5));
    assert_int_equal(of_seal(ring, "org_1/pco", "token", 5, &again, &n_again, &err), OF_OK);
    assert_memory_not_equal(sealed, again, n); /* another nonce */
    char *plain = NULL;
    size_t len = 0;
    assert_int_equal(of_unseal(ring, "b", "org_1/pco", sealed, n, &plain, &len, &err), OF_OK);
    assert_int_equal(len, 5);
    assert_string_equal(plain, "token");
    of_secret_free(plain);
    free(sealed);
    free(again);
    assert_int_equal(of_seal(ring, "", "", 0, &sealed, &n, &err), OF_OK);
    assert_int_equal(of_unseal(ring, "b", "", sealed, n, &plain, &len, &err), OF_OK);
    assert_int_equal(len, 0);
    assert_string_equal(plain, "");
    of_secret_free(plain);
    free(sealed);
    of_secret_free(NULL);
}

static void what_is_not_right_is_not_opened(void **state)
{
    (void)state;
    OF_CLEANUP(of_ring_freep) struct of_keyring *ring = load("a " KEY_A "\nb " KEY_B "\n");
    struct of_err err = OF_ERR_INIT;
    OF_CLEANUP(of_freep) unsigned char *sealed = NULL;
    size_t n = 0;
    char *plain = NULL;
    size_t len = 77;
    assert_int_equal(of_seal(ring, "org_1", "secret-token", 12, &sealed, &n, &err), OF_OK);
    assert_int_equal(of_unseal(ring, "b", "org_2", sealed, n, &plain, &len, &err), OF_E_CRYPTO);
    assert_int_equal(of_unseal(ring, "a", "org_1", sealed, n, &plain, &len, &err), OF_E_CRYPTO);
    assert_int_equal(err.cls, OF_CLASS_SYSTEMIC);
    assert_int_equal(of_unseal(ring, "c", "org_1", sealed, n, &plain, &len, &err), OF_E_CRYPTO);
    assert_string_equal(err.msg, "key c is not in the key ring");
    for (size_t i = 0; i < n; i++) { /* each byte counts */
        sealed[i] ^= 1;
        assert_int_equal(of_unseal(ring, "b", "org_1", sealed, n, &plain, &len, &err), OF_E_CRYPTO);
        sealed[i] ^= 1;
    }
    for (size_t short_n = 0; short_n < n; short_n++) {
        OF_CLEANUP(of_freep) unsigned char *cut = of_alloc(short_n);
        memcpy(cut, sealed, short_n);
        assert_int_equal(of_unseal(ring, "b", "org_1", cut, short_n, &plain, &len, &err), OF_E_CRYPTO);
    }
    assert_null(plain);
    assert_int_equal(len, 77);
    assert_int_equal(of_unseal(ring, "b", "org_1", sealed, n, &plain, &len, &err), OF_OK);
    of_secret_free(plain);
}

static void hashes(void **state)
{
    (void)state;
    char hex[65];
    of_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    of_sha256_hex(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void base64(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"\xfb\xff", "+/8="}};
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        OF_CLEANUP(of_freep) char *text = of_base64(rows[i][0], strlen(rows[i][0]));
        assert_string_equal(text, rows[i][1]);
        unsigned char out[8];
        size_t len = 0;
        assert_true(of_base64_decode(text, out, sizeof(out), &len));
        assert_int_equal(len, strlen(rows[i][0]));
        assert_memory_equal(out, rows[i][0], len);
    }
    static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "Zg==Zg==",
                                      "Zm-v", "=Zg=", "Zm9vYmFyYmF6"};
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        unsigned char out[8];
        size_t len = 99;
        if (of_base64_decode(bad[i], out, sizeof(out), &len)) {
            fail_msg("'%s' was accepted", bad[i]);
        }
        assert_int_equal(len, 99);
    }
}

static void randomness(void **state)
{
    (void)state;
    assert_true(of_random_u64() != of_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_ring_files), cmocka_unit_test(hostile_key_ring_files),
        cmocka_unit_test(too_many_keys),  cmocka_unit_test(new_lines_load),
        cmocka_unit_test(seals_and_unseals), cmocka_unit_test(what_is_not_right_is_not_opened),
        cmocka_unit_test(hashes),         cmocka_unit_test(base64),
        cmocka_unit_test(randomness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
