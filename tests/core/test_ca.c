/* SPDX-License-Identifier: MIT */
/* The search for trusted certificates: order, required places, what the error says. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/ca.h"

static char folder[] = "/tmp/tidewheel-ca-XXXXXX";
static char file_a[64], file_b[64], file_bad[64], file_absent[64], folder_of_certs[64];
static const char *const nowhere[] = {NULL};

static void write_file(char *path, const char *name, const char *text)
{
    FILE *file;

    snprintf(path, 64, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define PEM(text) "-----BEGIN CERTIFICATE-----\n" text "\n-----END CERTIFICATE-----"

static int setup(void **state)
{
    char path[128];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    write_file(file_a, "a.pem", PEM("AAAA"));
    write_file(file_b, "b.pem", PEM("BBBB"));
    write_file(file_bad, "bad.pem", "no certificate at all");
    snprintf(file_absent, sizeof file_absent, "%s/absent.pem", folder);
    snprintf(folder_of_certs, sizeof folder_of_certs, "%s/certs", folder);
    mkdir(folder_of_certs, 0700);
    snprintf(path, sizeof path, "%s/certs/one.0", folder);
    assert_int_equal(link(file_a, path), 0);
    snprintf(path, sizeof path, "%s/certs/two.0", folder);
    assert_int_equal(link(file_b, path), 0);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* ---- a false environment -------------------------------------------------------------- */

static const char *env_name[2], *env_value[2];

static const char *env(const char *name)
{
    int i;

    for (i = 0; i < 2; i++) {
        if (env_name[i] != NULL && strcmp(env_name[i], name) == 0)
            return env_value[i];
    }
    return NULL;
}

static tw_ca_places places_none(void)
{
    tw_ca_places places;

    memset(&places, 0, sizeof places);
    memset(env_name, 0, sizeof env_name);
    places.env = env;
    places.known = nowhere;
    return places;
}

static void assert_finds(const tw_ca_places *places, const char *text, const char *source)
{
    tw_error *err = NULL;
    tw_ca ca;

    assert_int_equal(tw__ca_load(&ca, places, &err), TW_OK);
    assert_non_null(strstr(ca.pem, text));
    assert_int_equal(strlen(ca.pem), ca.size);
    assert_non_null(strstr(ca.source, source));
    tw__ca_clear(&ca);
    assert_null(ca.pem);
}

static void assert_fails(const tw_ca_places *places, const char *first,
                         const char *second)
{
    tw_error *err = NULL;
    tw_ca ca;

    assert_int_equal(tw__ca_load(&ca, places, &err), TW_E_CONFIG);
    assert_null(ca.pem);
    print_message("%s\n", tw_error_message(err));
    assert_non_null(strstr(tw_error_message(err), first));
    assert_non_null(strstr(tw_error_message(err), second));
    tw_error_free(err);
}

/* Each place counts only when those before it are empty. */
static void places_are_searched_in_order(void **state)
{
    const char *known[] = {file_absent, file_b, NULL};
    tw_ca_places places = places_none();

    (void)state;
    places.fallback = file_a;
    assert_finds(&places, "AAAA", "ca_fallback");
    places.known = known;
    assert_finds(&places, "BBBB", "b.pem");
    places.built_in = file_a;
    assert_finds(&places, "AAAA", "a.pem");
    env_name[0] = "SSL_CERT_DIR";
    env_value[0] = folder_of_certs;
    assert_finds(&places, "AAAA", "SSL_CERT_DIR=");
    assert_finds(&places, "BBBB", "SSL_CERT_DIR=");
    env_name[0] = "SSL_CERT_FILE";
    env_value[0] = file_b;
    assert_finds(&places, "BBBB", "SSL_CERT_FILE=");
    env_name[1] = "CURL_CA_BUNDLE";
    env_value[1] = file_a;
    assert_finds(&places, "AAAA", "CURL_CA_BUNDLE=");
    env_name[0] = "AMPLITUDE_CA_BUNDLE";
    assert_finds(&places, "BBBB", "AMPLITUDE_CA_BUNDLE=");
    places.pem = PEM("CCCC");
    places.pem_size = strlen(places.pem);
    assert_finds(&places, "CCCC", "ca_pem");
    places.file = file_a;
    assert_finds(&places, "AAAA", "ca_file=");
}

static void what_was_named_must_be_good(void **state)
{
    tw_ca_places places = places_none();

    (void)state;
    places.fallback = file_a;
    places.file = file_absent;
    assert_fails(&places, "ca_file", "not there");
    places.file = file_bad;
    assert_fails(&places, "ca_file", "without a PEM certificate");
    places.file = folder;
    assert_fails(&places, "ca_file", "a folder");
    places.file = NULL;
    places.pem = "garbage";
    places.pem_size = 7;
    assert_fails(&places, "ca_pem", "no PEM certificate");
    places.pem = NULL;
    env_name[0] = "AMPLITUDE_CA_BUNDLE";
    env_value[0] = file_absent;
    assert_fails(&places, "AMPLITUDE_CA_BUNDLE", "not there");
}

static void other_bad_places_are_passed_over(void **state)
{
    const char *known[] = {file_bad, file_b, NULL};
    tw_ca_places places = places_none();

    (void)state;
    places.built_in = file_absent;
    places.known = known;
    env_name[0] = "SSL_CERT_FILE";
    env_value[0] = file_bad;
    env_name[1] = "SSL_CERT_DIR";
    env_value[1] = file_absent;
    assert_finds(&places, "BBBB", "b.pem");
}

static void failure_names_every_place(void **state)
{
    tw_ca_places places = places_none();

    (void)state;
    assert_fails(&places, "ca_file", "Tried:");
    places.built_in = file_absent;
    places.fallback = file_bad;
    env_name[0] = "SSL_CERT_FILE";
    env_value[0] = file_absent;
    assert_fails(&places, "SSL_CERT_FILE=", "ca_fallback=");
    assert_fails(&places, file_absent, file_bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_searched_in_order),
        cmocka_unit_test(what_was_named_must_be_good),
        cmocka_unit_test(other_bad_places_are_passed_over),
        cmocka_unit_test(failure_names_every_place),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
