/* SPDX-License-Identifier: MIT */
/* The fields of a stored event, and what a row shows of them. */
#ifndef EMU_EVENT_DOC_H
#define EMU_EVENT_DOC_H

#include "json.h"

/* Keys of the event that a row shows or that take part in it. (clang-format never settles
 * on this list.) */
/* clang-format off */
#define EMU_FIELDS(X)                                                                              \
    X(app_version) X(carrier) X(city) X(country) X(currency) X(device_brand) X(device_id)      \
    X(device_manufacturer) X(device_model) X(dma) X(event_id) X(event_properties) X(groups)    \
    X(insert_id) X(ip) X(language) X(library) X(location_lat) X(location_lng) X(os_name)       \
    X(os_version) X(partner_id) X(paying) X(plan) X(platform) X(price) X(productId)            \
    X(quantity) X(region) X(revenue) X(revenueType) X(start_version) X(user_id)                \
    X(version_name)
/* clang-format on */

typedef enum emu_field {
#define X(name) F_##name,
    EMU_FIELDS(X)
#undef X
        F_COUNT
} emu_field;

typedef struct emu_doc {
    ej_val v[F_COUNT];
} emu_doc;

void emu_doc_read(emu_doc *d, emu_str text);
/* Adds what the user's built-ins say: device and place as a whole, the rest one by one. */
void emu_doc_fill(emu_doc *d, emu_str traits);
/* The service's name of a language, NULL when it shows the text as sent. */
const char *emu_doc_language(const ej_val *v, emu_arena *a);
bool emu_doc_pays(const ej_val *v, emu_arena *a);
/* Appends price times quantity, else the revenue: needs one of the two to be a number. */
void emu_doc_revenue(emu_buf *b, const emu_doc *d);
/* The revenue of an event: that, else the same of the properties in which the official SDKs send
 * it; NAN when there is none. */
double emu_doc_amount(const emu_doc *d);

#endif
