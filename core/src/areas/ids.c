/* SPDX-License-Identifier: MIT */
/* Ids on their way into request bodies: kept as the JSON they will be. */
#include "areas/ids.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"

enum { PARTS = TW_IDS_PER_COHORT / TW_IDS_PER_REQUEST };

struct tw_ids {
    tw_buf text; /* every id quoted and followed by a comma */
    size_t count;
    size_t begins[PARTS]; /* of each part in the text */
};

int tw__quote(tw_buf *buf, const char *text, size_t size)
{
    size_t from = 0;
    size_t i;
    int rc = tw__buf_putc(buf, '"');

    for (i = 0; i < size && rc == TW_OK; i++) {
        if (text[i] != '"' && text[i] != '\\')
            continue;
        rc = tw__buf_put(buf, text + from, i - from);
        if (rc == TW_OK)
            rc = tw__buf_putc(buf, '\\');
        from = i;
    }
    if (rc == TW_OK)
        rc = tw__buf_put(buf, text + from, size - from);
    return rc == TW_OK ? tw__buf_putc(buf, '"') : rc;
}

const char *tw__text_fault(const char *text, size_t size)
{
    size_t i;

    if (size == 0)
        return "was empty";
    for (i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return "held a control character";
    }
    return tw__utf8_check(text, size) == size ? NULL : "was not UTF-8";
}

int tw_ids_new(tw_ids **out, tw_error **err)
{
    tw_ids *ids = tw__alloc_zero(1, sizeof *ids);

    *out = ids;
    if (ids == NULL)
        return tw__error_nomem(err);
    tw__buf_init(&ids->text, (size_t)1 << 31);
    return TW_OK;
}

void tw_ids_free(tw_ids *ids)
{
    if (ids == NULL)
        return;
    tw__buf_clear(&ids->text);
    tw__free(ids);
}

static int ids_refuse(const tw_ids *ids, int code, const char *fault, tw_error **err)
{
    char field[40];

    snprintf(field, sizeof field, "ids[%zu]", ids->count);
    tw__error_at(err, code, field, "%s %s", field, fault);
    if (err != NULL)
        tw__error_set_index(*err, (int64_t)ids->count);
    return code;
}

int tw_ids_add(tw_ids *ids, const char *text, size_t size, tw_error **err)
{
    const char *fault = tw__text_fault(text, size);
    size_t before = ids->text.size;
    int rc;

    if (fault != NULL)
        return ids_refuse(ids, TW_E_VALIDATION, fault, err);
    if (ids->count == TW_IDS_PER_COHORT)
        return ids_refuse(ids, TW_E_VALIDATION,
                          "was one more than the 2,000,000 of a cohort", err);
    rc = tw__quote(&ids->text, text, size);
    if (rc == TW_OK)
        rc = tw__buf_putc(&ids->text, ',');
    if (rc != TW_OK) {
        ids->text.size = before;
        return rc == TW_E_NOMEM ? tw__error_nomem(err)
                                : ids_refuse(ids, TW_E_TOO_LARGE,
                                             "made the list longer than 2 GiB", err);
    }
    if (ids->count % TW_IDS_PER_REQUEST == 0)
        ids->begins[ids->count / TW_IDS_PER_REQUEST] = before;
    ids->count++;
    return TW_OK;
}

size_t tw_ids_count(const tw_ids *ids)
{
    return ids->count;
}

size_t tw__ids_parts(const tw_ids *ids)
{
    return (ids->count + TW_IDS_PER_REQUEST - 1) / TW_IDS_PER_REQUEST;
}

size_t tw__ids_part(const tw_ids *ids, size_t part, const char **text, size_t *size)
{
    size_t first = part * TW_IDS_PER_REQUEST;
    size_t left = ids->count - first;
    size_t end = left > TW_IDS_PER_REQUEST ? ids->begins[part + 1] : ids->text.size;

    *text = ids->text.data + ids->begins[part];
    *size = end - ids->begins[part] - 1; /* without the last comma */
    return left > TW_IDS_PER_REQUEST ? (size_t)TW_IDS_PER_REQUEST : left;
}
