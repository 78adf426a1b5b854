/* SPDX-License-Identifier: MIT */
/* Reading the fields of a stored event. */
#include "event_doc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dict.h"

static const emu_str NAMES[F_COUNT] = {
#define X(name) {#name, sizeof(#name) - 1},
    EMU_FIELDS(X)
#undef X
};

void emu_doc_read(emu_doc *d, emu_str text)
{
    ej_cur c = ej_at(text);
    ej_val key, v;

    memset(d, 0, sizeof(*d));
    if (!text.n)
        return;
    ej_enter(&c);
    while (ej_key(&c, &key)) {
        ej_take(&c, &v);
        if (v.kind == EJ_NULL)
            continue;
        for (int i = 0; i < F_COUNT; i++) {
            bool same = key.escaped
                            ? ej_key_is(&key, NAMES[i].s)
                            : key.raw.n - 2 == NAMES[i].n &&
                                  memcmp(key.raw.s + 1, NAMES[i].s, NAMES[i].n) == 0;

            if (same) {
                d->v[i] = v;
                break;
            }
        }
    }
}

/* Device and place are shown as a whole: of the event when it says anything about them, else
 * as identified before. */
static void fill_block(emu_doc *d, const emu_doc *traits, const emu_field *block,
                       size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (d->v[block[i]].kind != EJ_NONE)
            return;
    for (size_t i = 0; i < n; i++)
        d->v[block[i]] = traits->v[block[i]];
}

void emu_doc_fill(emu_doc *d, emu_str text)
{
    static const emu_field device[] = {F_platform,     F_os_name,
                                       F_os_version,   F_device_brand,
                                       F_device_model, F_device_manufacturer,
                                       F_carrier};
    static const emu_field geo[] = {F_country, F_region, F_city, F_dma};
    static const emu_field loose[] = {F_language, F_start_version, F_app_version};
    emu_doc traits;

    d->v[F_paying] = (ej_val){0}; /* no field of an event */
    if (d->v[F_app_version].kind == EJ_NONE)
        d->v[F_app_version] = d->v[F_version_name];
    if (!text.n)
        return;
    emu_doc_read(&traits, text);
    fill_block(d, &traits, device, sizeof(device) / sizeof(device[0]));
    fill_block(d, &traits, geo, sizeof(geo) / sizeof(geo[0]));
    for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++)
        fill_block(d, &traits, &loose[i], 1);
    d->v[F_paying] = traits.v[F_paying];
}

/* A small part of the service's table of languages; other values stay as sent. */
const char *emu_doc_language(const ej_val *v, emu_arena *a)
{
    static const char *const names[][2] = {
        {"ar", "Arabic"},        {"bs", "Bosnian"},
        {"bosanski", "Bosnian"}, {"ca", "Catalan"},
        {"cs", "Czech"},         {"da", "Danish"},
        {"de", "German"},        {"el", "Greek"},
        {"en", "English"},       {"es", "Spanish"},
        {"fi", "Finnish"},       {"fr", "French"},
        {"he", "Hebrew"},        {"hi", "Hindi"},
        {"hu", "Hungarian"},     {"id", "Indonesian"},
        {"it", "Italian"},       {"ja", "Japanese"},
        {"ko", "Korean"},        {"nl", "Dutch"},
        {"no", "Norwegian"},     {"pl", "Polish"},
        {"pt", "Portuguese"},    {"ro", "Romanian"},
        {"ru", "Russian"},       {"sv", "Swedish"},
        {"th", "Thai"},          {"tr", "Turkish"},
        {"uk", "Ukrainian"},     {"vi", "Vietnamese"},
        {"zh", "Chinese"},       {"brazilian portuguese", "Portuguese"}};
    emu_str s = v->kind == EJ_STRING ? ej_text(v, a) : (emu_str){"", 0};
    size_t n = 0;

    while (n < s.n && s.s[n] != '-' && s.s[n] != '_')
        n++;

    for (size_t i = 0; s.n && i < sizeof(names) / sizeof(names[0]); i++) {
        if (emu_str_case_is((emu_str){s.s, n}, names[i][0]))
            return names[i][1];
    }
    return NULL;
}

/* identify sends a text; a revenue event sets the boolean. */
bool emu_doc_pays(const ej_val *v, emu_arena *a)
{
    return ej_true(v) || (v->kind == EJ_STRING && emu_str_case_is(ej_text(v, a), "true"));
}

/* --- revenue --- */

/* Exact product of two plain decimals; false when the digits do not fit. */
static bool decimal_product(emu_buf *out, emu_str x, emu_str y)
{
    emu_str in[2] = {x, y};
    int64_t mantissa[2] = {0, 0}, product;
    int scale = 0, negative = 0;
    char digits[48];
    int n;

    for (int k = 0; k < 2; k++) {
        bool point = false;

        for (size_t i = 0; i < in[k].n; i++) {
            char c = in[k].s[i];

            if (c == '-' && i == 0)
                negative ^= 1;
            else if (c == '.' && !point)
                point = true;
            else if (c < '0' || c > '9' ||
                     __builtin_mul_overflow(mantissa[k], 10, &mantissa[k]) ||
                     __builtin_add_overflow(mantissa[k], c - '0', &mantissa[k]))
                return false;
            else
                scale += point;
        }
    }
    if (__builtin_mul_overflow(mantissa[0], mantissa[1], &product) || scale > 18)
        return false;
    for (; scale > 0 && product % 10 == 0; scale--)
        product /= 10;
    n = snprintf(digits, sizeof(digits), "%0*lld", scale + 1, (long long)product);
    if (negative && product)
        emu_buf_ch(out, '-');
    emu_buf_put(out, digits, (size_t)(n - scale));
    if (scale) {
        emu_buf_ch(out, '.');
        emu_buf_put(out, digits + n - scale, (size_t)scale);
    }
    return true;
}

/* price x quantity wins over revenue (HTTP V2 API docs). */
void emu_doc_revenue(emu_buf *b, const emu_doc *d)
{
    const ej_val *price = &d->v[F_price], *quantity = &d->v[F_quantity];

    if (price->kind != EJ_NUMBER)
        emu_buf_str(b, d->v[F_revenue].raw);
    else if (quantity->kind != EJ_NUMBER || emu_str_is(quantity->raw, "1"))
        emu_buf_str(b, price->raw);
    else if (!decimal_product(b, price->raw, quantity->raw) &&
             !ej_put_double(b, ej_double(price) * ej_double(quantity)))
        emu_buf_z(b, "null"); /* beyond the largest number */
}

static double number_member(const ej_val *object, const char *name)
{
    ej_val v;

    if (object->kind != EJ_OBJECT || !ej_get(object, name, &v) || v.kind != EJ_NUMBER)
        return NAN;
    return emu_number_of(v.raw);
}

/* Price times quantity before revenue; top-level fields, else the properties in which the
 * official SDKs send them. NAN when there is neither. */
double emu_doc_amount(const emu_doc *d)
{
    const ej_val *ep = &d->v[F_event_properties];
    emu_buf b = {0};
    double price, quantity, r;

    if (d->v[F_price].kind == EJ_NUMBER || d->v[F_revenue].kind == EJ_NUMBER) {
        emu_doc_revenue(&b, d);
        r = emu_number_of((emu_str){b.p, b.n});
        emu_buf_free(&b);
        return r;
    }
    if (!ep->raw.n || !memmem(ep->raw.s, ep->raw.n, "\"$", 2))
        return NAN;
    price = number_member(ep, "$price");
    quantity = number_member(ep, "$quantity");
    if (!isnan(price))
        return isnan(quantity) ? price : price * quantity;
    return number_member(ep, "$revenue");
}
