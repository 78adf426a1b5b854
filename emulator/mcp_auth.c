/* SPDX-License-Identifier: MIT */
/* OAuth 2.0 of the MCP server: metadata, registration, codes with PKCE, tokens. Whoever asks is the
 * user and agrees, so that no browser is needed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "routes.h"

#define CODE_MS 60000
#define SIGN_N 64

struct emu_mcp_client {
    char id[48], secret[48]; /* "" for a public client */
    char *uris;              /* JSON array of redirect URIs */
};

void emu_mcp_init(emu_mcp *m)
{
    pthread_mutex_init(&m->mu, NULL);
    emu_random(m->secret, sizeof(m->secret));
}

static void free_client(struct emu_mcp_client *c)
{
    if (c)
        free(c->uris);
    free(c);
}

void emu_mcp_free(emu_mcp *m)
{
    for (size_t i = 0; i < EMU_MCP_KEPT; i++)
        free_client(m->clients[i]);
    pthread_mutex_destroy(&m->mu);
}

/* --- signatures --- */

/* Of the parts, each ended by NUL. */
static void sign(twe *e, char out[SIGN_N + 1], const emu_str *parts, size_t n)
{
    unsigned char sum[32];
    emu_buf b = {0};

    emu_buf_put(&b, e->mcp.secret, sizeof(e->mcp.secret));
    for (size_t i = 0; i < n; i++) {
        emu_buf_str(&b, parts[i]);
        emu_buf_ch(&b, 0);
    }
    emu_sha256(b.p, b.n, sum);
    emu_hex(out, sum, sizeof(sum));
    emu_buf_free(&b);
}

/* "emu-KIND-WORD-UNTIL-SIGNATURE" into out. */
static void put_signed(twe *e, emu_buf *out, const char *kind, const char *word,
                       int64_t until, emu_str bound)
{
    char sig[SIGN_N + 1], number[32];
    emu_str parts[4];

    snprintf(number, sizeof(number), "%lld", (long long)until);
    parts[0] = emu_str_of(kind);
    parts[1] = emu_str_of(word);
    parts[2] = emu_str_of(number);
    parts[3] = bound;
    sign(e, sig, parts, 4);
    emu_buf_fmt(out, "emu-%s-%s-%s-%s", kind, word, number, sig);
}

/* The word of a text that put_signed made and that still counts; false otherwise. */
static bool read_signed(emu_req *r, emu_str text, const char *kind, emu_str bound,
                        char word[8], char sig[SIGN_N + 1])
{
    emu_str copy = emu_arena_copy(&r->arena, text);
    emu_buf again = {0};
    long long until = 0;
    char seen[8];
    bool good;

    if (!copy.s || sscanf(copy.s, "emu-%7[a-z]-%7[a-z]-%lld-%64[0-9a-f]", seen, word,
                          &until, sig) != 4)
        return false;
    put_signed(r->e, &again, kind, word, until, bound);
    good = emu_same_secret((emu_str){again.p, again.n}, text) &&
           emu_now_ms(r->e) < (int64_t)until;
    emu_buf_free(&again);
    return good;
}

/* --- the token of a request --- */

static void challenge(emu_req *r, int status, const char *error, const char *why,
                      const char *more)
{
    emu_buf b = {0};
    emu_str value;

    emu_buf_fmt(&b,
                "Bearer realm=\"OAuth\","
                " resource_metadata=\"%s/.well-known/oauth-protected-resource\","
                " error=\"%s\", error_description=\"%s\"%s",
                r->e->url, error, why, more);
    value = emu_arena_copy(&r->arena, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    emu_header(r, "WWW-Authenticate", value);
    r->out.n = 0;
    emu_buf_fmt(&r->out, "{\"error\":\"%s\",\"error_description\":\"%s\"}", error, why);
    emu_reply(r, status, EMU_JSON);
}

int emu_mcp_check(emu_req *r)
{
    emu_str h = emu_header_of(r, "Authorization"), token;
    char word[8], sig[SIGN_N + 1];

    if (!h.n) {
        challenge(r, 401, "invalid_request", "Missing authorization header", "");
        return 0;
    }
    token = (emu_str){h.s + 7, h.n > 7 ? h.n - 7 : 0};
    if (h.n > 7 && strncasecmp(h.s, "Bearer ", 7) == 0) {
        if (emu_same_secret(token, emu_str_of(r->e->mcp_token)))
            r->key_known = true;
        else if (read_signed(r, token, "at", EMU_LIT(""), word, sig))
            r->key_known = true;
    }
    r->key_foreign = !r->key_known;
    if (!r->key_known) {
        challenge(r, 401, "invalid_token", "Invalid or expired access token", "");
        return 0;
    }
    if (emu_same_secret(token, emu_str_of(r->e->mcp_token)))
        return EMU_MCP_READ | EMU_MCP_WRITE;
    return (strchr(word, 'r') ? EMU_MCP_READ : 0) |
           (strchr(word, 'w') ? EMU_MCP_WRITE : 0);
}

void emu_mcp_lacks_scope(emu_req *r, const char *scope)
{
    char more[64];

    snprintf(more, sizeof(more), ", scope=\"%s\"", scope);
    challenge(r, 403, "insufficient_scope", "The token lacks a scope", more);
}

/* --- metadata --- */

void emu_do_mcp_resource(emu_req *r)
{
    emu_buf_fmt(&r->out,
                "{\"resource\":\"%s\",\"authorization_servers\":[\"%s\"],"
                "\"scopes_supported\":[\"mcp:read\",\"mcp:write\",\"offline_access\"]}",
                r->e->url, r->e->url);
    emu_reply(r, 200, EMU_JSON);
}

void emu_do_mcp_server(emu_req *r)
{
    const char *u = r->e->url;

    emu_buf_fmt(&r->out,
                "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/authorize\","
                "\"token_endpoint\":\"%s/token\",\"registration_endpoint\":"
                "\"%s/register\",\"response_types_supported\":[\"code\"],"
                "\"grant_types_supported\":[\"authorization_code\",\"refresh_token\"],"
                "\"code_challenge_methods_supported\":[\"S256\"],"
                "\"token_endpoint_auth_methods_supported\":[\"client_secret_post\","
                "\"none\"],\"scopes_supported\":[\"mcp:read\",\"mcp:write\","
                "\"offline_access\"]}",
                u, u, u, u);
    emu_reply(r, 200, EMU_JSON);
}

/* --- registration (RFC 7591) --- */

static void oauth_error(emu_req *r, int status, const char *error, const char *why)
{
    r->out.n = 0;
    emu_buf_fmt(&r->out, "{\"error\":\"%s\",\"error_description\":\"%s\"}", error, why);
    emu_reply(r, status, EMU_JSON);
}

static bool good_uris(const ej_val *uris)
{
    ej_cur c = ej_at(uris->raw);
    size_t n = 0;
    ej_val v;

    if (uris->kind != EJ_ARRAY)
        return false;
    for (ej_enter(&c); ej_item(&c); n++) {
        ej_take(&c, &v);
        if (v.kind != EJ_STRING || v.raw.n < 10)
            return false;
    }
    return n > 0;
}

static struct emu_mcp_client *new_client(const ej_val *uris, bool secret)
{
    struct emu_mcp_client *c = calloc(1, sizeof(*c));
    unsigned char random[16];

    if (!c || !emu_random(random, sizeof(random)))
        goto fail;
    memcpy(c->id, "emu-client-", 11);
    emu_hex(c->id + 11, random, 8);
    if (secret) {
        memcpy(c->secret, "emu-", 4);
        emu_hex(c->secret + 4, random + 8, 8);
    }
    c->uris = emu_strdup_n(uris->raw.s, uris->raw.n);
    if (c->uris)
        return c;
fail:
    free_client(c);
    return NULL;
}

void emu_do_mcp_register(emu_req *r)
{
    ej_val doc = {.raw = r->body}, uris, method;
    struct emu_mcp_client *c;
    emu_mcp *m = &r->e->mcp;
    bool secret = true;
    ej_info info;
    ej_cur at;

    r->key_known = true; /* nothing in it is a secret */
    if (r->bad_encoding || !ej_check(r->body, &info)) {
        oauth_error(r, 400, "invalid_client_metadata", "The body is not JSON");
        return;
    }
    at = ej_at(r->body);
    ej_take(&at, &doc);
    if (doc.kind != EJ_OBJECT || !ej_get(&doc, "redirect_uris", &uris) ||
        !good_uris(&uris)) {
        oauth_error(r, 400, "invalid_redirect_uri", "redirect_uris is required");
        return;
    }
    if (ej_get(&doc, "token_endpoint_auth_method", &method))
        secret = !ej_key_is(&method, "none");
    c = new_client(&uris, secret);
    if (!c) {
        oauth_error(r, 500, "server_error", "memory ran out");
        return;
    }
    emu_buf_fmt(&r->out, "{\"client_id\":\"%s\",", c->id);
    if (secret)
        emu_buf_fmt(&r->out, "\"client_secret\":\"%s\",\"client_secret_expires_at\":0,",
                    c->secret);
    emu_buf_fmt(&r->out,
                "\"redirect_uris\":%s,\"token_endpoint_auth_method\":\"%s\","
                "\"grant_types\":[\"authorization_code\",\"refresh_token\"],"
                "\"response_types\":[\"code\"]}",
                c->uris, secret ? "client_secret_post" : "none");
    pthread_mutex_lock(&m->mu);
    free_client(m->clients[m->next_client]);
    m->clients[m->next_client] = c;
    m->next_client = (m->next_client + 1) % EMU_MCP_KEPT;
    pthread_mutex_unlock(&m->mu);
    emu_reply(r, 201, EMU_JSON);
}

/* Copies what is needed; a client may go at any time. */
static bool find_client(emu_req *r, emu_str id, emu_str *secret, emu_str *uris)
{
    emu_mcp *m = &r->e->mcp;
    bool found = false;

    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < EMU_MCP_KEPT && !found; i++) {
        const struct emu_mcp_client *c = m->clients[i];

        found = c && emu_str_is(id, c->id);
        if (found) {
            *secret = emu_arena_copy(&r->arena, emu_str_of(c->secret));
            *uris = emu_arena_copy(&r->arena, emu_str_of(c->uris));
        }
    }
    pthread_mutex_unlock(&m->mu);
    return found && secret->s && uris->s;
}

/* --- codes --- */

static bool lists(emu_req *r, emu_str uris, emu_str uri)
{
    ej_cur c = ej_at(uris);
    ej_val v;

    for (ej_enter(&c); ej_item(&c);) {
        ej_take(&c, &v);
        if (emu_str_eq(ej_text(&v, &r->arena), uri))
            return true;
    }
    return false;
}

static bool has_word(emu_str list, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= list.n; i++)
        if (memcmp(list.s + i, word, n) == 0 && (i == 0 || list.s[i - 1] == ' ') &&
            (i + n == list.n || list.s[i + n] == ' '))
            return true;
    return false;
}

/* Letters of the scopes; without any, all of them. */
static void scope_word(emu_str scope, char word[8])
{
    snprintf(word, 8, "%s%s%s", has_word(scope, "mcp:read") ? "r" : "",
             has_word(scope, "mcp:write") ? "w" : "",
             has_word(scope, "offline_access") ? "o" : "");
    if (!word[0])
        memcpy(word, "rwo", 4);
}

/* What a code is bound to. */
static emu_str bound_to(emu_req *r, emu_str client, emu_str uri, emu_str code_challenge)
{
    emu_buf b = {0};
    emu_str text;

    emu_buf_str(&b, client);
    emu_buf_ch(&b, ' ');
    emu_buf_str(&b, uri);
    emu_buf_ch(&b, ' ');
    emu_buf_str(&b, code_challenge);
    text = emu_arena_copy(&r->arena, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    return text;
}

static void put_state(emu_buf *b, emu_str state)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!state.n)
        return;
    emu_buf_z(b, "&state=");
    for (size_t i = 0; i < state.n; i++) {
        emu_buf_ch(b, '%');
        emu_buf_ch(b, hex[(unsigned char)state.s[i] >> 4]);
        emu_buf_ch(b, hex[(unsigned char)state.s[i] & 15]);
    }
}

void emu_do_mcp_authorize(emu_req *r)
{
    emu_str client = emu_query(r, "client_id"), uri = emu_query(r, "redirect_uri");
    emu_str pkce = emu_query(r, "code_challenge"), secret, uris;
    emu_buf b = {0};
    char word[8];

    r->key_known = true;
    if (!find_client(r, client, &secret, &uris) || !lists(r, uris, uri)) {
        oauth_error(r, 400, "invalid_request", "Unknown client_id or redirect_uri");
        return;
    }
    emu_buf_str(&b, uri);
    emu_buf_ch(&b, memchr(uri.s, '?', uri.n) ? '&' : '?');
    if (!emu_str_is(emu_query(r, "response_type"), "code")) {
        emu_buf_z(&b, "error=unsupported_response_type");
    } else if (!pkce.n || !emu_str_is(emu_query(r, "code_challenge_method"), "S256")) {
        emu_buf_z(&b, "error=invalid_request");
    } else {
        scope_word(emu_query(r, "scope"), word);
        emu_buf_z(&b, "code=");
        put_signed(r->e, &b, "code", word, emu_now_ms(r->e) + CODE_MS,
                   bound_to(r, client, uri, pkce));
    }
    put_state(&b, emu_query(r, "state"));
    emu_header(r, "Location", emu_arena_copy(&r->arena, (emu_str){b.p, b.n}));
    emu_buf_free(&b);
    emu_reply_z(r, 302, NULL, "");
}

/* --- tokens --- */

/* base64url of the SHA-256, without padding (RFC 7636). */
static emu_str s256(emu_req *r, emu_str verifier)
{
    unsigned char sum[32];
    emu_buf b = {0};
    emu_str text;

    emu_sha256(verifier.s, verifier.n, sum);
    emu_base64(&b, sum, sizeof(sum));
    while (b.n && b.p[b.n - 1] == '=')
        b.n--;
    for (size_t i = 0; i < b.n; i++)
        b.p[i] = b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i];
    text = emu_arena_copy(&r->arena, (emu_str){b.p, b.n});
    emu_buf_free(&b);
    return text;
}

/* False where the code was used before. */
static bool use_code(emu_mcp *m, const char *sig)
{
    bool fresh = true;

    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < EMU_MCP_KEPT; i++)
        fresh &= strcmp(m->used[i], sig) != 0;
    if (fresh) {
        memcpy(m->used[m->next_used], sig, SIGN_N + 1);
        m->next_used = (m->next_used + 1) % EMU_MCP_KEPT;
    }
    pthread_mutex_unlock(&m->mu);
    return fresh;
}

static void give_tokens(emu_req *r, const char *word, emu_str client)
{
    int64_t seconds = EMU_SW(r->e, mcp_token_s);

    emu_buf_z(&r->out, "{\"access_token\":\"");
    put_signed(r->e, &r->out, "at", word, emu_now_ms(r->e) + seconds * 1000, EMU_LIT(""));
    emu_buf_fmt(&r->out, "\",\"token_type\":\"Bearer\",\"expires_in\":%lld,",
                (long long)seconds);
    if (strchr(word, 'o')) {
        emu_buf_z(&r->out, "\"refresh_token\":\"");
        put_signed(r->e, &r->out, "rt", word, INT64_MAX, client);
        emu_buf_z(&r->out, "\",");
    }
    emu_buf_fmt(&r->out, "\"scope\":\"%s%s%s\"}", strchr(word, 'r') ? "mcp:read " : "",
                strchr(word, 'w') ? "mcp:write " : "",
                strchr(word, 'o') ? "offline_access" : "");
    emu_header(r, "Cache-Control", EMU_LIT("no-store"));
    emu_reply(r, 200, EMU_JSON);
}

void emu_do_mcp_token(emu_req *r)
{
    emu_arena *a = &r->arena;
    emu_str client = emu_form(a, r->body, "client_id"), secret = {NULL, 0}, uris;
    emu_str grant = emu_form(a, r->body, "grant_type");
    char word[8], sig[SIGN_N + 1];

    r->key_foreign = true; /* codes and tokens are not recorded */
    if (!find_client(r, client, &secret, &uris) ||
        (secret.n && !emu_same_secret(emu_form(a, r->body, "client_secret"), secret))) {
        oauth_error(r, 401, "invalid_client", "Unknown client or wrong secret");
    } else if (emu_str_is(grant, "authorization_code")) {
        emu_str pkce = s256(r, emu_form(a, r->body, "code_verifier"));
        emu_str bound = bound_to(r, client, emu_form(a, r->body, "redirect_uri"), pkce);

        if (!read_signed(r, emu_form(a, r->body, "code"), "code", bound, word, sig) ||
            !use_code(&r->e->mcp, sig))
            oauth_error(r, 400, "invalid_grant", "The code does not count (any more)");
        else
            give_tokens(r, word, client);
    } else if (emu_str_is(grant, "refresh_token")) {
        if (!read_signed(r, emu_form(a, r->body, "refresh_token"), "rt", client, word,
                         sig))
            oauth_error(r, 400, "invalid_grant", "The refresh token does not count");
        else
            give_tokens(r, word, client);
    } else {
        oauth_error(r, 400, "unsupported_grant_type", "Unknown grant_type");
    }
}
