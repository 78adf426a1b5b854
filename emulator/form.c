/* SPDX-License-Identifier: MIT */
/* Fields of a request from its body (urlencoded or multipart) or its query. */
#include "form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

static const char *find(emu_str hay, emu_str needle)
{
    return hay.n && needle.n ? memmem(hay.s, hay.n, needle.s, needle.n) : NULL;
}

/* The delimiter line of a multipart body, "--boundary"; s == NULL when it is none. */
static emu_str delimiter(emu_req *r, emu_str type)
{
    const char *at = type.s ? strcasestr(type.s, "boundary=") : NULL;
    char line[80];
    size_t n;

    if (!at || strncasecmp(type.s, "multipart/form-data", 19) != 0)
        return (emu_str){NULL, 0};
    at += 9;
    n = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
    if (n == 0 || n > 70)
        return (emu_str){NULL, 0};
    snprintf(line, sizeof(line), "--%.*s", (int)n, at);
    return emu_arena_copy(&r->arena, emu_str_of(line));
}

/* One part at a time: headers, empty line, content, then CR LF before the next delimiter. */
static emu_str multipart_field(emu_req *r, emu_str line, const char *name)
{
    emu_str rest = r->body, blank = EMU_LIT("\r\n\r\n");
    char want[64];
    const char *p;

    snprintf(want, sizeof(want), " name=\"%s\"", name); /* not filename="…" */
    while ((p = find(rest, line)) != NULL) {
        const char *end = rest.s + rest.n, *next, *body;
        emu_str part;

        p += line.n;
        next = find((emu_str){p, (size_t)(end - p)}, line);
        part = (emu_str){p, (size_t)((next ? next : end) - p)};
        body = find(part, blank);
        if (body && find((emu_str){part.s, (size_t)(body - part.s)}, emu_str_of(want))) {
            emu_str value = {body + 4, (size_t)(part.s + part.n - body - 4)};

            if (value.n >= 2 && next)
                value.n -= 2;
            return emu_arena_copy(&r->arena, value);
        }
        rest = (emu_str){p, (size_t)(end - p)};
    }
    return (emu_str){NULL, 0};
}

emu_str emu_field(emu_req *r, const char *name)
{
    emu_str line = delimiter(r, emu_header_of(r, "Content-Type"));
    emu_str v =
        line.s ? multipart_field(r, line, name) : emu_form(&r->arena, r->body, name);

    return v.s ? v : emu_form(&r->arena, r->query, name);
}
