/* SPDX-License-Identifier: MIT */
/* The keys of a project, in the one place where they stand in memory. */
#define _GNU_SOURCE
#include "gate/keys.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <tidewheel/common.h>

#include "base/redact.h"

/* Basic: RFC 7617; the bytes of "api_key:secret_key", no line breaks. */
static size_t base64(char *out, const unsigned char *in, size_t size)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    size_t i;

    for (i = 0; i < size; i += 3) {
        unsigned a = in[i];
        unsigned b = i + 1 < size ? in[i + 1] : 0;
        unsigned c = i + 2 < size ? in[i + 2] : 0;

        out[at++] = digits[a >> 2];
        out[at++] = digits[(a & 3) << 4 | b >> 4];
        out[at++] = i + 1 < size ? digits[(b & 15) << 2 | c >> 6] : '=';
        out[at++] = i + 2 < size ? digits[c & 63] : '=';
    }
    out[at] = '\0';
    return at;
}

static void *pages_new(size_t size)
{
    void *pages =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return NULL;
        /* Best effort: containers often allow neither. */
#ifdef MADV_DONTDUMP
    madvise(pages, size, MADV_DONTDUMP);
#endif
    mlock(pages, size);
    return pages;
}

static void pages_free(void *pages, size_t size)
{
    explicit_bzero(pages, size);
    munmap(pages, size);
}

tw_keys *tw__keys_new(const char *api_key, const char *secret_key)
{
    char pair[2 * TW_KEY_MOST + 2];
    tw_keys *keys;
    int n;

    keys = pages_new(sizeof *keys);
    if (keys == NULL)
        return NULL;
    pthread_mutex_init(&keys->lock, NULL);
    snprintf(keys->api_key, sizeof keys->api_key, "%s", api_key);
    snprintf(keys->secret_key, sizeof keys->secret_key, "%s", secret_key);
    n = snprintf(pair, sizeof pair, "%s:%s", keys->api_key, keys->secret_key);
    n = n < (int)sizeof pair ? n : (int)sizeof pair - 1;
    strncpy(keys->basic, "Authorization: Basic ", sizeof keys->basic - 1);
    base64(keys->basic + strlen(keys->basic), (const unsigned char *)pair, (size_t)n);
    snprintf(keys->secret, sizeof keys->secret, "Authorization: Api-Key %s",
             keys->secret_key);
    explicit_bzero(pair, sizeof pair);
    return keys;
}

static void tokens_free(tw_token *token)
{
    while (token != NULL) {
        tw_token *older = token->older;

        pages_free(token, token->size);
        token = older;
    }
}

void tw__keys_free(tw_keys *keys)
{
    if (keys == NULL)
        return;
    tokens_free(keys->newest);
    pthread_mutex_destroy(&keys->lock);
    pages_free(keys, sizeof *keys);
}

static void key_redact(char *text, const char *key, const char *mark)
{
    if (strlen(key) >= 4)
        tw__redact(text, key, strlen(key), mark);
}

void tw__keys_redact(tw_keys *keys, char *text)
{
    char mark[16] = "***";
    const tw_token *token;
    size_t size = strlen(keys->api_key);

    key_redact(text, keys->basic + strlen("Authorization: Basic "), "***");
    key_redact(text, keys->secret_key, "***");
    pthread_mutex_lock(&keys->lock);
    for (token = keys->newest; token != NULL; token = token->older)
        key_redact(text, token->text, "***");
    pthread_mutex_unlock(&keys->lock);
    if (size >= 12)
        snprintf(mark, sizeof mark, "...%s", keys->api_key + size - 4);
    key_redact(text, keys->api_key, mark);
}

/* Wipes the tokens that are older than what somebody holds. @locks needs keys.lock */
static void tokens_drop(tw_keys *keys)
{
    tw_token **end = &keys->newest;
    tw_token **at = &keys->newest;

    for (; *at != NULL; at = &(*at)->older) {
        if ((*at)->users > 0 || *at == atomic_load(&keys->current))
            end = &(*at)->older;
    }
    tokens_free(*end);
    *end = NULL;
}

int tw__keys_set_token(tw_keys *keys, const char *token, size_t size)
{
    tw_token *made = NULL;

    if (size != 0) {
        made = pages_new(sizeof *made + size + 1);
        if (made == NULL)
            return TW_E_NOMEM;
        made->size = sizeof *made + size + 1;
        memcpy(made->text, token, size);
    }
    pthread_mutex_lock(&keys->lock);
    if (made != NULL) {
        made->older = keys->newest;
        keys->newest = made;
        keys->tokens++;
    }
    atomic_store(&keys->current, made);
    tokens_drop(keys);
    pthread_mutex_unlock(&keys->lock);
    return TW_OK;
}

tw_token *tw__keys_hold(tw_keys *keys)
{
    tw_token *token;

    pthread_mutex_lock(&keys->lock);
    token = atomic_load(&keys->current);
    if (token != NULL)
        token->users++;
    pthread_mutex_unlock(&keys->lock);
    return token;
}

void tw__keys_let(tw_keys *keys, tw_token *token)
{
    if (keys == NULL || token == NULL)
        return;
    pthread_mutex_lock(&keys->lock);
    token->users--;
    tokens_drop(keys);
    pthread_mutex_unlock(&keys->lock);
}

/* Another thread may have held the lock during the fork, most likely to read. */
const char *tw__keys_inherited_token(const tw_keys *keys)
{
    const tw_token *token = atomic_load(&keys->current);

    return token != NULL ? token->text : "";
}

uint64_t tw__keys_token(tw_keys *keys)
{
    uint64_t number;

    pthread_mutex_lock(&keys->lock);
    number = atomic_load(&keys->current) != NULL ? keys->tokens : 0;
    pthread_mutex_unlock(&keys->lock);
    return number;
}

int tw__keys_bearer(tw_buf *lines, tw_keys *keys)
{
    size_t before = lines->size;
    int rc = tw__buf_reserve(lines, TW_TOKEN_MOST + 32); /* no copy is left by growing */
    const tw_token *token;

    if (rc == TW_OK)
        rc = tw__buf_puts(lines, "Authorization: Bearer ");
    pthread_mutex_lock(&keys->lock);
    token = atomic_load(&keys->current);
    if (token == NULL)
        rc = TW_E_CONFIG;
    else if (rc == TW_OK)
        rc = tw__buf_put(lines, token->text, strlen(token->text) + 1);
    pthread_mutex_unlock(&keys->lock);
    if (rc != TW_OK)
        lines->size = before;
    return rc;
}
