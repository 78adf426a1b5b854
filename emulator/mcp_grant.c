/* SPDX-License-Identifier: MIT */
/* Signed codes and tokens of the MCP server, and what became of the grant that each belongs to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

bool emu_mcp_init(emu_mcp *m)
{
    pthread_mutex_init(&m->mu, NULL);
    return emu_random(m->secret, sizeof(m->secret));
}

/* --- tickets --- */

/* "emu-KIND-WORD-GRANT-NUMBER-UNTIL-SIGNATURE"; signed are the parts from KIND on and what the
 * ticket is bound to, with a NUL behind each. */
void emu_ticket_write(twe *e, emu_buf *out, const emu_ticket *t, emu_str bound)
{
    unsigned char sum[32];
    emu_buf text = {0}, said = {0};
    char sig[65];

    emu_buf_fmt(&text, "emu-%s-%s-%llu-%llu-%lld-", t->kind, t->word,
                (unsigned long long)t->grant, (unsigned long long)t->number,
                (long long)t->until);
    emu_buf_z(&said, text.p ? text.p + 4 : "");
    for (size_t i = 0; i < said.n; i++)
        if (said.p[i] == '-')
            said.p[i] = 0;
    emu_buf_str(&said, bound);
    emu_buf_ch(&said, 0);
    emu_hmac_sha256((emu_str){(const char *)e->mcp.secret, sizeof(e->mcp.secret)},
                    (emu_str){said.p, said.n}, sum);
    emu_hex(sig, sum, sizeof(sum));
    emu_buf_put(out, text.p, text.n);
    emu_buf_z(out, sig);
    emu_buf_free(&text);
    emu_buf_free(&said);
}

bool emu_ticket_read(emu_req *r, emu_str text, const char *kind, emu_str bound,
                     emu_ticket *t)
{
    emu_str copy = emu_arena_copy(&r->arena, text);
    unsigned long long grant, number;
    emu_buf again = {0};
    long long until;
    bool good;

    *t = (emu_ticket){.kind = kind};
    if (!copy.s || sscanf(copy.s, "emu-%*7[a-z]-%7[a-z]-%llu-%llu-%lld-", t->word, &grant,
                          &number, &until) != 4)
        return false;
    t->grant = grant;
    t->number = number;
    t->until = until;
    emu_ticket_write(r->e, &again, t, bound);
    good =
        emu_same_secret((emu_str){again.p, again.n}, text) && emu_now_ms(r->e) < t->until;
    emu_buf_free(&again);
    return good;
}

uint64_t emu_mcp_number(emu_mcp *m)
{
    return ++m->numbers;
}

/* --- grants --- */

/* @locks needs m->mu */
static emu_grant *find(emu_mcp *m, uint64_t id)
{
    for (size_t i = 0; i < m->grant_n; i++)
        if (m->grants[i].id == id)
            return &m->grants[i];
    return NULL;
}

/* Those whose code and tokens all have expired go. @locks needs m->mu */
static void sweep(emu_mcp *m, int64_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->grant_n; i++) {
        if (m->grants[i].until > now)
            m->grants[kept++] = m->grants[i];
        else if (m->grants[i].id > m->forgotten)
            m->forgotten = m->grants[i].id;
    }
    m->grant_n = kept;
}

/* @locks needs m->mu */
static bool add(emu_mcp *m, const emu_grant *g)
{
    if (m->grant_n == m->grant_cap) {
        size_t more = m->grant_cap ? m->grant_cap * 2 : 16;
        emu_grant *p = realloc(m->grants, more * sizeof(*p));

        if (!p)
            return false;
        m->grants = p;
        m->grant_cap = more;
    }
    m->grants[m->grant_n++] = *g;
    return true;
}

bool emu_grant_use(twe *e, const emu_ticket *t, uint64_t refresh, int64_t until)
{
    emu_grant fresh = {.id = t->grant, .until = until, .refresh = refresh};
    emu_mcp *m = &e->mcp;
    emu_grant *g;
    bool good;

    if (fresh.until < t->until)
        fresh.until = t->until;
    pthread_mutex_lock(&m->mu);
    sweep(m, emu_now_ms(e));
    g = find(m, t->grant);
    if (strcmp(t->kind, "code") == 0) {
        /* A code up to the last one forgotten has expired, unless the clock was set back. */
        good = !g && t->grant > m->forgotten && add(m, &fresh);
    } else {
        good = g && !g->revoked && g->refresh == t->number;
        if (good)
            *g = fresh;
    }
    if (g && !good)
        g->revoked = true; /* whoever has it as well may be a thief */
    pthread_mutex_unlock(&m->mu);
    return good;
}

bool emu_grant_counts(emu_mcp *m, uint64_t id)
{
    const emu_grant *g;
    bool counts;

    pthread_mutex_lock(&m->mu);
    g = find(m, id);
    counts = g && !g->revoked;
    pthread_mutex_unlock(&m->mu);
    return counts;
}
