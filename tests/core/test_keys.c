/* SPDX-License-Identifier: MIT */
/* Tokens that threads replace, carry and redact at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include <tidewheel/common.h>

#include "gate/keys.h"

enum { CALLERS = 3, ROUNDS = 2000, LONG = 3000 };

typedef struct world {
    tw_keys *keys;
    char tokens[3][LONG + 1]; /* each of one letter, so that a mixture shows */
    atomic_int wrong, over;
} world;

static int is_whole(const char *token)
{
    return strlen(token) == LONG && strspn(token, (char[]){token[0], '\0'}) == LONG;
}

static void *replace(void *ctx)
{
    world *wd = ctx;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        const char *token = wd->tokens[i % 3];

        if (tw__keys_set_token(wd->keys, token, i % 4 == 3 ? 0 : LONG) != TW_OK)
            atomic_fetch_add(&wd->wrong, 1);
    }
    atomic_store(&wd->over, 1);
    return NULL;
}

static void carry(world *wd, tw_buf *lines, char *said)
{
    static const char name[] = "Authorization: Bearer ";
    tw_token *held = tw__keys_hold(wd->keys);
    int rc = tw__keys_bearer(lines, wd->keys);

    if (rc != TW_OK && rc != TW_E_CONFIG)
        atomic_fetch_add(&wd->wrong, 1);
    if (rc == TW_OK && (strncmp(lines->data, name, sizeof name - 1) != 0 ||
                        !is_whole(lines->data + sizeof name - 1)))
        atomic_fetch_add(&wd->wrong, 1);
    if (held != NULL) {
        memcpy(said, held->text, LONG + 1);
        tw__keys_redact(wd->keys, said);
        if (strcmp(said, "***") != 0)
            atomic_fetch_add(&wd->wrong, 1);
    }
    tw__keys_let(wd->keys, held);
    tw__buf_reset(lines);
}

static void *call(void *ctx)
{
    world *wd = ctx;
    char said[LONG + 1];
    tw_buf lines;

    tw__buf_init(&lines, 64 * 1024);
    while (!atomic_load(&wd->over))
        carry(wd, &lines, said);
    tw__buf_clear(&lines);
    return NULL;
}

static void a_token_is_whole_and_redacted_or_there_is_none(void **state)
{
    static world wd;
    pthread_t callers[CALLERS];
    pthread_t setter;
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        memset(wd.tokens[i], 'a' + i, LONG);
    wd.keys = tw__keys_new("key-of-the-test", "secret-of-the-test");
    assert_non_null(wd.keys);
    for (i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call, &wd), 0);
    assert_int_equal(pthread_create(&setter, NULL, replace, &wd), 0);
    for (i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    pthread_join(setter, NULL);
    assert_int_equal(atomic_load(&wd.wrong), 0);
    /* Nobody holds one any more. */
    assert_int_equal(tw__keys_set_token(wd.keys, "", 0), TW_OK);
    assert_null(wd.keys->newest);
    assert_int_equal(tw__keys_token(wd.keys), 0);
    tw__keys_free(wd.keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_whole_and_redacted_or_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
