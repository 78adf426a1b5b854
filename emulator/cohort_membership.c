/* SPDX-License-Identifier: MIT */
/* POST /api/3/cohorts/membership: users added and removed, in order, all or none. */
#include <string.h>

#include "cohort_write.h"
#include "routes.h"

typedef struct operation {
    emu_str id_type, name;
    emu_id_type type;
    bool add;
    emu_id_list ids;
} operation;

typedef struct membership {
    emu_writer w;
    emu_cohort cohort;
    operation *ops;
    size_t n, total;
} membership;

/* False: answered. */
static bool read_operation(membership *m, const ej_val *item)
{
    emu_writer *w = &m->w;
    operation *op = &m->ops[m->n];
    ej_val ids, type, name;

    memset(op, 0, sizeof(*op));
    ej_get(item, "ids", &ids);
    ej_get(item, "id_type", &type);
    ej_get(item, "operation", &name);
    if (ids.kind <= EJ_NULL || type.kind <= EJ_NULL || name.kind <= EJ_NULL) {
        emu_write_fail_field(w, "Missing required field:",
                             ids.kind <= EJ_NULL    ? "ids"
                             : type.kind <= EJ_NULL ? "id_type"
                                                    : "operation");
        return false;
    }
    op->id_type = type.raw;
    op->name = name.raw;
    op->add = emu_str_is(name.raw, "\"ADD\"");
    if (emu_str_is(type.raw, "\"BY_NAME\""))
        op->type = BY_USER_ID;
    else if (!emu_str_is(type.raw, "\"BY_ID\"") &&
             !(emu_str_is(type.raw, "\"BY_AMP_ID\"") &&
               EMU_SW(w->r->e, membership_by_amp_id)))
        emu_write_fail_field(w, "Invalid value for", "id_type");
    if (!op->add && !emu_str_is(name.raw, "\"REMOVE\""))
        emu_write_fail_field(w, "Invalid value for", "operation");
    if (ids.kind != EJ_ARRAY)
        emu_write_fail_field(w, "Invalid value for", "ids");
    if (w->r->status)
        return false;
    if (!emu_str_is(m->cohort.group, "User"))
        op->type = BY_GROUP;
    if (emu_ids_read(w, &ids, &op->ids) && op->ids.n == 0)
        emu_write_fail(w, 400, "memberships must not be empty", NULL);
    m->total += op->ids.n;
    m->n++;
    return !w->r->status;
}

static bool check_membership(membership *m)
{
    emu_writer *w = &m->w;
    ej_val id, list, group, item, skip;
    ej_cur c;
    size_t n = 0;

    if (!emu_write_need(w, "cohort_id", &id) || !emu_write_need(w, "memberships", &list))
        return false;
    if (id.kind != EJ_STRING || list.kind != EJ_ARRAY) {
        emu_write_fail_field(w, "Invalid value for",
                             id.kind != EJ_STRING ? "cohort_id" : "memberships");
        return false;
    }
    if (!emu_write_optional(w, "count_group", EJ_STRING, &group) ||
        !emu_write_optional(w, "skip_invalid_ids", EJ_BOOL, &skip))
        return false;
    if (!emu_cohort_find(w->r, ej_text(&id, &w->r->arena), &m->cohort)) {
        emu_write_fail(w, 404, "Cohort not found", NULL);
        return false;
    }
    if (group.kind != EJ_NONE &&
        !emu_str_eq(ej_text(&group, &w->r->arena), m->cohort.group)) {
        emu_write_fail(w, 400, "count_group does not match the cohort", NULL);
        return false;
    }
    c = ej_at(list.raw);
    for (ej_enter(&c); ej_item(&c); n++)
        ej_take(&c, &item);
    m->ops = emu_arena_alloc(&w->r->arena, (n + 1) * sizeof(*m->ops));
    c = ej_at(list.raw);
    for (ej_enter(&c); m->ops && ej_item(&c);) {
        ej_take(&c, &item);
        if (!read_operation(m, &item))
            return false;
    }
    if (m->n == 0)
        emu_write_fail(w, 400, "memberships must not be empty", NULL);
    else if (m->total > EMU_IDS_MAX)
        emu_write_fail(w, 400, "Too many ids", NULL);
    return !w->r->status;
}

static void put_result(membership *m, emu_buf *b)
{
    emu_buf_z(b, "{\"cohort_id\":");
    emu_buf_quote(b, m->cohort.id);
    emu_buf_z(b, ",\"memberships_result\":[");
    for (size_t i = 0; i < m->n; i++) {
        emu_buf_z(b, i ? ",{\"skipped_ids\":" : "{\"skipped_ids\":");
        emu_ids_put_invalid(b, &m->ops[i].ids, EMU_IDS_MAX);
        emu_buf_z(b, ",\"id_type\":");
        emu_buf_str(b, m->ops[i].id_type);
        emu_buf_z(b, ",\"operation\":");
        emu_buf_str(b, m->ops[i].name);
        emu_buf_ch(b, '}');
    }
    emu_buf_put(b, "]}", 3);
    b->n--;
}

void emu_do_cohort_membership(emu_req *r)
{
    membership m = {.w = {.r = r, .membership = true}};
    emu_buf result = {0};
    size_t matched = 0;
    bool refused;
    int rc = 0;

    if (!emu_write_read(&m.w) || !check_membership(&m))
        return;
    if (!emu_cohort_claim(r->e, m.cohort.id)) {
        emu_buf_z(&r->out,
                  "{\"error\":{\"http_code\":429,\"type\":\"unspecified\",\"code\":1429,"
                  "\"message\":\"Too Many Requests\"}}");
        emu_reply(r, 429, EMU_JSON_UTF8);
        return;
    }
    emu_write_begin(&m.w);
    for (size_t i = 0; i < m.n; i++) {
        emu_ids_match(&m.w, m.ops[i].type, m.cohort.group, &m.ops[i].ids);
        matched += m.ops[i].ids.matched;
    }
    refused = matched < m.total && !emu_write_flag(&m.w, "skip_invalid_ids", true);
    for (size_t i = 0; i < m.n && !refused && !rc; i++)
        rc = emu_members_change(&m.w, m.cohort.id, m.ops[i].type, &m.ops[i].ids,
                                m.ops[i].add);
    if (!refused && !rc)
        rc = emu_write_run(&m.w, "UPDATE cohorts SET modified=?2,computed=?2 WHERE id=?1",
                           m.cohort.id, emu_now_ms(r->e) / 1000);
    put_result(&m, &result);
    if (refused && !result.failed) {
        emu_write_fail(&m.w, 400, "Invalid ids", result.p);
    } else if (!result.failed) {
        emu_buf_put(&r->out, result.p, result.n);
        emu_reply(r, 200, EMU_JSON_UTF8);
    }
    emu_buf_free(&result);
    emu_write_end(&m.w, !refused, rc);
}
