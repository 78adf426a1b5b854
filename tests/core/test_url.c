/* SPDX-License-Identifier: MIT */
/* URLs and addresses: what a base may look like, what goes into a path, who is public. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "net/address.h"
#include "net/url.h"

static void good_bases_are_normalised(void **state)
{
    static const char *const pairs[][2] = {
        {"https://api2.amplitude.com", "https://api2.amplitude.com"},
        {"HTTPS://API2.Amplitude.COM/", "https://api2.amplitude.com"},
        {"https://gateway.example:443/amp/", "https://gateway.example/amp"},
        {"https://gateway.example:8443/amp/v1", "https://gateway.example:8443/amp/v1"},
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"http://127.0.0.1:80/", "http://127.0.0.1"},
        {"http://127.255.3.4:1", "http://127.255.3.4:1"},
        {"http://localhost:65535", "http://localhost:65535"},
        {"http://[::1]:9", "http://[::1]:9"},
        {"https://10.0.0.1", "https://10.0.0.1"}, /* the user's own gateway */
        {"https://my_host-1", "https://my_host-1"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tw_error *err = NULL;
        char *base = NULL;

        print_message("%s\n", pairs[i][0]);
        assert_int_equal(
            tw__url_base(&base, "base_url", pairs[i][0], strlen(pairs[i][0]), &err),
            TW_OK);
        assert_string_equal(base, pairs[i][1]);
        tw__free(base);
    }
}

static void bad_bases_name_the_rule(void **state)
{
    static const char *const pairs[][2] = {
        {"", "https://"},
        {"amplitude.com", "https://"},
        {"ftp://amplitude.com", "https://"},
        {"file:///etc/passwd", "https://"},
        {"https//amplitude.com", "https://"},
        {"http://amplitude.com", "loopback"},
        {"http://10.0.0.1", "loopback"},
        {"http://localhost.evil.example", "loopback"},
        {"http://127.0.0.1.evil.example", "loopback"},
        {"http://[::2]", "loopback"},
        {"http://[::ffff:127.0.0.1]", "loopback"},
        {"https://user@amplitude.com", "user name"},
        {"https://user:pw@amplitude.com", "user name"},
        {"https://amplitude.com@evil.example", "user name"},
        {"https://amplitude.com?x=1", "query"},
        {"https://amplitude.com/?", "query"},
        {"https://amplitude.com#x", "fragment"},
        {"https://ampli tude.com", "white space"},
        {"https://amplitude.com\r\nX: y", "white space"},
        {"https://amplitude.com/\t", "white space"},
        {"https://ampl\xC3\xAFtude.com", "non-ASCII"},
        {"https://amplitude.com\\@evil.example", "backslash"},
        {"https://", "host name"},
        {"https:///path", "host name"},
        {"https://:443", "host name"},
        {"https://a..b", "empty label"},
        {"https://.a", "empty label"},
        {"https://a.", "dot"},
        {"https://a%41", "character"},
        {"https://127.1", "IPv4"},
        {"http://2130706433", "IPv4"},
        {"http://0x7f000001", "IPv4"},
        {"http://127.0.0.0x1", "IPv4"},
        {"https://1.2.3.4.5", "IPv4"},
        {"https://256.1.1.1", "IPv4"},
        {"https://[::1", "IPv6"},
        {"https://[zz::1]", "IPv6"},
        {"https://[::1]x", "port"},
        {"https://a:", "port"},
        {"https://a:0", "port"},
        {"https://a:65536", "port"},
        {"https://a:99999999999", "port"},
        {"https://a:8o", "port"},
        {"https://a/../b", "segments"},
        {"https://a/./b", "segments"},
        {"https://a//b", "segments"},
        {"https://a/b//", "segments"},
        {"https://a/%2e%2e/b", "path"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tw_error *err = NULL;
        char *base = NULL;

        print_message("%s\n", pairs[i][0]);
        assert_int_equal(
            tw__url_base(&base, "base_url", pairs[i][0], strlen(pairs[i][0]), &err),
            TW_E_CONFIG);
        assert_null(base);
        assert_string_equal(tw_error_field(err), "base_url");
        assert_non_null(strstr(tw_error_message(err), pairs[i][1]));
        tw_error_free(err);
    }
}

static void no_byte_of_a_nul_is_lost(void **state)
{
    char *base = NULL;

    (void)state;
    assert_int_equal(tw__url_base(&base, "base_url", "https://a\0b", 11, NULL),
                     TW_E_CONFIG);
    assert_null(base);
}

static void every_byte_of_a_segment_is_encoded(void **state)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    int c;

    (void)state;
    for (c = 1; c < 256; c++) {
        char in[2] = {(char)c, 'x'};
        char want[8];
        tw_buf buf;

        tw__buf_init(&buf, 64);
        assert_int_equal(tw__url_encode_segment(&buf, in, 2), TW_OK);
        if (strchr(plain, c) != NULL)
            snprintf(want, sizeof want, "%cx", c);
        else
            snprintf(want, sizeof want, "%%%02Xx", (unsigned)c);
        assert_int_equal(buf.size, strlen(want));
        assert_memory_equal(buf.data, want, buf.size);
        tw__buf_clear(&buf);
    }
}

static void segments_that_move_are_refused(void **state)
{
    tw_buf buf;

    (void)state;
    tw__buf_init(&buf, 64);
    assert_int_equal(tw__url_encode_segment(&buf, "", 0), TW_E_VALIDATION);
    assert_int_equal(tw__url_encode_segment(&buf, ".", 1), TW_E_VALIDATION);
    assert_int_equal(tw__url_encode_segment(&buf, "..", 2), TW_E_VALIDATION);
    assert_int_equal(tw__url_encode_segment(&buf, "a\0b", 3), TW_E_VALIDATION);
    assert_int_equal(buf.size, 0);
    assert_int_equal(tw__url_encode_segment(&buf, "...", 3), TW_OK);
    assert_int_equal(tw__url_encode_segment(&buf, "../../x", 7), TW_OK);
    assert_int_equal(tw__buf_putc(&buf, '\0'), TW_OK);
    assert_string_equal(buf.data, ".....%2F..%2Fx");
    tw__buf_clear(&buf);
}

static void parts_of_a_link_are_found(void **state)
{
    static const char link[] = "https://b.s3.example:444/a/b.csv?X-Sig=%2F1&e=2";
    const char *rule;
    tw_url url;

    (void)state;
    assert_int_equal(tw__url_parse(&url, link, strlen(link), &rule), TW_OK);
    assert_int_equal(url.secure, 1);
    assert_int_equal(url.host_size, 12);
    assert_memory_equal(url.host, "b.s3.example", 12);
    assert_memory_equal(url.port, "444", 3);
    assert_int_equal(url.path_size, 8);
    assert_int_equal(url.query_size, strlen("X-Sig=%2F1&e=2"));
    assert_int_equal(tw__url_parse(&url, "//host/x", 8, &rule), TW_E_VALIDATION);
    assert_int_equal(tw__url_parse(&url, "/x", 2, &rule), TW_E_VALIDATION);
}

static int sockaddr_public(const char *text)
{
    struct sockaddr_storage storage;
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;

    memset(&storage, 0, sizeof storage);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        storage.ss_family = AF_INET6;
    else
        fail();
    return tw__sockaddr_is_public((struct sockaddr *)&storage);
}

static void private_addresses_are_known(void **state)
{
    static const char *const inside[] = {"0.0.0.0",
                                         "10.1.2.3",
                                         "100.64.0.1",
                                         "100.127.255.255",
                                         "127.0.0.1",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.9.9",
                                         "192.168.1.1",
                                         "192.0.2.1",
                                         "198.18.0.1",
                                         "198.19.0.1",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "::",
                                         "::1",
                                         "fe80::1",
                                         "fc00::1",
                                         "fd12:3456::1",
                                         "ff02::1",
                                         "::ffff:10.0.0.1",
                                         "::ffff:8.8.8.8",
                                         "64:ff9b::7f00:1",
                                         "2002:7f00:1::",
                                         "2001:db8::1",
                                         "2001::1"};
    static const char *const outside[] = {
        "8.8.8.8",      "100.63.255.255",   "100.128.0.1",
        "172.32.0.1",   "192.167.1.1",      "52.216.1.2",
        "2600:9000::1", "64:ff9b::808:808", "2002:808:808::"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof inside / sizeof *inside; i++) {
        print_message("%s\n", inside[i]);
        assert_false(sockaddr_public(inside[i]));
    }
    for (i = 0; i < sizeof outside / sizeof *outside; i++) {
        print_message("%s\n", outside[i]);
        assert_true(sockaddr_public(outside[i]));
    }
    assert_true(tw__host_is_private("localhost", 9));
    assert_true(tw__host_is_private("a.localhost.", 12));
    assert_true(tw__host_is_private("[fe80::1]", 9));
    assert_true(tw__host_is_private("169.254.169.254", 15));
    assert_false(tw__host_is_private("notlocalhost", 12));
    assert_false(tw__host_is_private("s3.amazonaws.com", 16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bases_are_normalised),
        cmocka_unit_test(bad_bases_name_the_rule),
        cmocka_unit_test(no_byte_of_a_nul_is_lost),
        cmocka_unit_test(every_byte_of_a_segment_is_encoded),
        cmocka_unit_test(segments_that_move_are_refused),
        cmocka_unit_test(parts_of_a_link_are_found),
        cmocka_unit_test(private_addresses_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
