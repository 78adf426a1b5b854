/* SPDX-License-Identifier: MIT */
/* OAuth 2.0 of the MCP server: metadata, registration, codes with PKCE, tokens. Whoever asks is the
 * user and agrees, so that no browser is needed. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "routes.h"

#define CODE_MS 60000
#define URIS_MAX 16384 /* bytes of a client's list: sixty-four of them are kept */

struct emu_mcp_client {
    char id[48], secret[48]; /* "" for a public client */
    char *uris;              /* JSON array of redirect URIs */
};

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
    free(m->grants);
    pthread_mutex_destroy(&m->mu);
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

/* The letters of the token's scopes into word; false where it does not count. */
static bool read_token(emu_req *r, emu_str token, char word[8])
{
    emu_ticket t;

    if (emu_same_secret(token, emu_str_of(r->e->mcp_token))) {
        memcpy(word, "rwo", 4);
        return true;
    }
    if (!emu_ticket_read(r, token, "at", EMU_LIT(""), &t) ||
        !emu_grant_counts(&r->e->mcp, t.grant))
        return false;
    memcpy(word, t.word, sizeof(t.word));
    return true;
}

int emu_mcp_check(emu_req *r)
{
    emu_str h = emu_header_of(r, "Authorization");
    char word[8];
    int scopes;

    if (!h.n) {
        challenge(r, 401, "invalid_request", "Missing authorization header", "");
        return 0;
    }
    r->key_known = h.n > 7 && strncasecmp(h.s, "Bearer ", 7) == 0 &&
                   read_token(r, (emu_str){h.s + 7, h.n - 7}, word);
    r->key_foreign = !r->key_known;
    if (!r->key_known) {
        challenge(r, 401, "invalid_token", "Invalid or expired access token", "");
        return 0;
    }
    scopes =
        (strchr(word, 'r') ? EMU_MCP_READ : 0) | (strchr(word, 'w') ? EMU_MCP_WRITE : 0);
    if (!scopes)
        emu_mcp_lacks_scope(r, "mcp:read");
    return scopes;
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

/* False: answered. What was cut short or could not be unpacked says nothing. */
static bool whole_body(emu_req *r)
{
    if (r->too_large)
        oauth_error(r, 413, "invalid_request", "The body is too large");
    else if (r->bad_encoding)
        oauth_error(r, 400, "invalid_request", "The Content-Encoding is wrong");
    return !r->too_large && !r->bad_encoding;
}

/* An absolute URI (RFC 3986) without a fragment: what is put behind it goes into a header. */
static bool is_uri(emu_str s)
{
    size_t scheme = 0;

    for (size_t i = 0; i < s.n; i++)
        if (s.s[i] <= ' ' || s.s[i] > '~' || strchr("#\"<>\\^`{|}", s.s[i]))
            return false;
    while (scheme < s.n && (isalnum((unsigned char)s.s[scheme]) ||
                            (scheme > 0 && strchr("+-.", s.s[scheme]))))
        scheme++;
    return scheme > 0 && isalpha((unsigned char)s.s[0]) && scheme + 1 < s.n &&
           s.s[scheme] == ':';
}

static bool good_uris(emu_req *r, const ej_val *uris)
{
    ej_cur c = ej_at(uris->raw);
    size_t n = 0;
    ej_val v;

    if (uris->kind != EJ_ARRAY || uris->raw.n > URIS_MAX)
        return false;
    for (ej_enter(&c); ej_item(&c); n++) {
        ej_take(&c, &v);
        if (v.kind != EJ_STRING || !is_uri(ej_text(&v, &r->arena)))
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
    if (!whole_body(r))
        return;
    if (!ej_check(r->body, &info)) {
        oauth_error(r, 400, "invalid_client_metadata", "The body is not JSON");
        return;
    }
    at = ej_at(r->body);
    ej_take(&at, &doc);
    if (doc.kind != EJ_OBJECT || !ej_get(&doc, "redirect_uris", &uris) ||
        !good_uris(r, &uris)) {
        oauth_error(r, 400, "invalid_redirect_uri",
                    "redirect_uris must be a list of absolute URIs without fragments,"
                    " of 16 KiB at most");
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

static const struct scope {
    char letter;
    const char *name;
} SCOPES[] = {{'r', "mcp:read"}, {'w', "mcp:write"}, {'o', "offline_access"}};

enum { SCOPE_N = sizeof(SCOPES) / sizeof(SCOPES[0]) };

/* Letters of the scopes that are known, of all when none is named. False: none is known. */
static bool scope_word(emu_str scope, char word[8])
{
    size_t n = 0;

    for (size_t i = 0; i < SCOPE_N; i++)
        if (!scope.n || has_word(scope, SCOPES[i].name))
            word[n++] = SCOPES[i].letter;
    word[n] = 0;
    return n > 0;
}

static void put_scopes(emu_buf *b, const char *word)
{
    const char *blank = "";

    for (size_t i = 0; i < SCOPE_N; i++) {
        if (!strchr(word, SCOPES[i].letter))
            continue;
        emu_buf_fmt(b, "%s%s", blank, SCOPES[i].name);
        blank = " ";
    }
}

/* What a code verifier and its challenge are made of (RFC 7636, 4.1 and 4.2). */
static bool is_pkce(emu_str s)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (size_t i = 0; i < s.n; i++)
        if (!memchr(unreserved, s.s[i], sizeof(unreserved) - 1))
            return false;
    return s.n >= 43 && s.n <= 128;
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
    emu_ticket code = {.kind = "code"};
    emu_buf b = {0};

    r->key_known = true;
    if (!find_client(r, client, &secret, &uris) || !lists(r, uris, uri)) {
        oauth_error(r, 400, "invalid_request", "Unknown client_id or redirect_uri");
        return;
    }
    emu_buf_str(&b, uri);
    emu_buf_ch(&b, memchr(uri.s, '?', uri.n) ? '&' : '?');
    if (!emu_str_is(emu_query(r, "response_type"), "code")) {
        emu_buf_z(&b, "error=unsupported_response_type");
    } else if (!is_pkce(pkce) ||
               !emu_str_is(emu_query(r, "code_challenge_method"), "S256")) {
        emu_buf_z(&b, "error=invalid_request");
    } else if (!scope_word(emu_query(r, "scope"), code.word)) {
        emu_buf_z(&b, "error=invalid_scope");
    } else {
        code.grant = emu_mcp_number(&r->e->mcp);
        code.until = emu_now_ms(r->e) + CODE_MS;
        emu_buf_z(&b, "code=");
        emu_ticket_write(r->e, &b, &code, bound_to(r, client, uri, pkce));
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

/* Answers with new tokens for a code or a refresh token, which is used up; the access token has
 * the scopes of `word`. */
static void give_tokens(emu_req *r, const emu_ticket *used, emu_str client,
                        const char *word)
{
    int64_t now = emu_now_ms(r->e), seconds = EMU_SW(r->e, mcp_token_s);
    emu_ticket access = *used, refresh = *used;
    bool offline = strchr(used->word, 'o') != NULL;

    access.kind = "at";
    snprintf(access.word, sizeof(access.word), "%s", word);
    access.number = emu_mcp_number(&r->e->mcp);
    access.until = now + seconds * 1000;
    refresh.kind = "rt";
    refresh.number = emu_mcp_number(&r->e->mcp);
    refresh.until = now + EMU_SW(r->e, mcp_refresh_s) * 1000;
    if (!emu_grant_use(r->e, used, refresh.number,
                       offline && refresh.until > access.until ? refresh.until
                                                               : access.until)) {
        oauth_error(r, 400, "invalid_grant", "It was used before");
        return;
    }
    emu_buf_z(&r->out, "{\"access_token\":\"");
    emu_ticket_write(r->e, &r->out, &access, EMU_LIT(""));
    emu_buf_fmt(&r->out, "\",\"token_type\":\"Bearer\",\"expires_in\":%lld,",
                (long long)seconds);
    if (offline) {
        emu_buf_z(&r->out, "\"refresh_token\":\"");
        emu_ticket_write(r->e, &r->out, &refresh, client);
        emu_buf_z(&r->out, "\",");
    }
    emu_buf_z(&r->out, "\"scope\":\"");
    put_scopes(&r->out, word);
    emu_buf_z(&r->out, "\"}");
    emu_header(r, "Cache-Control", EMU_LIT("no-store"));
    emu_reply(r, 200, EMU_JSON);
}

static void use_code(emu_req *r, emu_str client)
{
    emu_arena *a = &r->arena;
    emu_str code = emu_form(a, r->body, "code"),
            uri = emu_form(a, r->body, "redirect_uri");
    emu_str verifier = emu_form(a, r->body, "code_verifier");
    emu_ticket t;

    if (!code.n || !uri.n || !verifier.n)
        oauth_error(r, 400, "invalid_request",
                    "code, redirect_uri and code_verifier are required");
    else if (!is_pkce(verifier) ||
             !emu_ticket_read(r, code, "code",
                              bound_to(r, client, uri, s256(r, verifier)), &t))
        oauth_error(r, 400, "invalid_grant", "The code does not count (any more)");
    else
        give_tokens(r, &t, client, t.word);
}

/* Fewer scopes may be asked for, which hold for the access token alone (RFC 6749, 6). */
static void use_refresh_token(emu_req *r, emu_str client)
{
    emu_arena *a = &r->arena;
    emu_str token = emu_form(a, r->body, "refresh_token");
    emu_str scope = emu_form(a, r->body, "scope");
    emu_ticket t;
    char word[8];

    if (!token.n)
        oauth_error(r, 400, "invalid_request", "refresh_token is required");
    else if (!emu_ticket_read(r, token, "rt", client, &t))
        oauth_error(r, 400, "invalid_grant", "The refresh token does not count");
    else if (!scope.n)
        give_tokens(r, &t, client, t.word);
    else if (!scope_word(scope, word) || strspn(word, t.word) < strlen(word))
        oauth_error(r, 400, "invalid_scope", "The scope was not granted");
    else
        give_tokens(r, &t, client, word);
}

void emu_do_mcp_token(emu_req *r)
{
    emu_arena *a = &r->arena;
    emu_str client, grant, secret = {NULL, 0}, uris;

    r->key_foreign = true; /* codes and tokens are not recorded */
    if (!whole_body(r))
        return;
    client = emu_form(a, r->body, "client_id");
    grant = emu_form(a, r->body, "grant_type");
    if (!find_client(r, client, &secret, &uris) ||
        (secret.n && !emu_same_secret(emu_form(a, r->body, "client_secret"), secret)))
        oauth_error(r, 401, "invalid_client", "Unknown client or wrong secret");
    else if (emu_str_is(grant, "authorization_code"))
        use_code(r, client);
    else if (emu_str_is(grant, "refresh_token"))
        use_refresh_token(r, client);
    else if (!grant.n)
        oauth_error(r, 400, "invalid_request", "grant_type is required");
    else
        oauth_error(r, 400, "unsupported_grant_type", "Unknown grant_type");
}
