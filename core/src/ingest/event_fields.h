/* SPDX-License-Identifier: MIT */
/* The table of an event's top-level fields. */
#ifndef TW_INGEST_EVENT_FIELDS_H
#define TW_INGEST_EVENT_FIELDS_H

#include <stddef.h>

/*
 * Types and limits: field table of the Amplitude HTTP V2 and Batch API docs, read
 * 2026-11-23. The last eight are in no table but sent by the official SDKs. The server
 * ignores unknown keys without a word, so an unknown key is refused here. Ordered by
 * length, then by name: see field_find.
 */
#define EVENT_FIELDS(X)                                    \
    X(IP, "ip", TEXT)                                      \
    X(DMA, "dma", TEXT)                                    \
    X(ADID, "adid", TEXT)                                  \
    X(CITY, "city", TEXT)                                  \
    X(IDFA, "idfa", TEXT)                                  \
    X(IDFV, "idfv", TEXT)                                  \
    X(PLAN, "plan", PLAN)                                  \
    X(TIME, "time", TIME)                                  \
    X(DELAY, "delay", NUMBER) /* SDKs */                   \
    X(PRICE, "price", NUMBER)                              \
    X(GROUPS, "groups", GROUPS)                            \
    X(REGION, "region", TEXT)                              \
    X(CARRIER, "carrier", TEXT)                            \
    X(COUNTRY, "country", TEXT)                            \
    X(LIBRARY, "library", TEXT) /* SDKs */                 \
    X(OS_NAME, "os_name", TEXT)                            \
    X(RECEIPT, "receipt", TEXT) /* SDKs */                 \
    X(REVENUE, "revenue", NUMBER)                          \
    X(USER_ID, "user_id", ID)                              \
    X(CURRENCY, "currency", CURRENCY)                      \
    X(EVENT_ID, "event_id", INTEGER)                       \
    X(LANGUAGE, "language", TEXT)                          \
    X(PLATFORM, "platform", TEXT)                          \
    X(QUANTITY, "quantity", INTEGER)                       \
    X(DEVICE_ID, "device_id", ID)                          \
    X(INSERT_ID, "insert_id", INSERT_ID)                   \
    X(PRODUCT_ID, "productId", TEXT)                       \
    X(ANDROID_ID, "android_id", TEXT)                      \
    X(EVENT_TYPE, "event_type", EVENT_TYPE)                \
    X(OS_VERSION, "os_version", TEXT)                      \
    X(PARTNER_ID, "partner_id", TEXT)  /* partners */      \
    X(RECEIPT_SIG, "receiptSig", TEXT) /* SDKs */          \
    X(SESSION_ID, "session_id", SESSION)                   \
    X(USER_AGENT, "user_agent", TEXT)                      \
    X(APP_VERSION, "app_version", TEXT)                    \
    X(REVENUE_TYPE, "revenueType", TEXT)                   \
    X(DEVICE_BRAND, "device_brand", TEXT)                  \
    X(DEVICE_MODEL, "device_model", TEXT)                  \
    X(LOCATION_LAT, "location_lat", NUMBER)                \
    X(LOCATION_LNG, "location_lng", NUMBER)                \
    X(VERSION_NAME, "version_name", TEXT) /* SDKs */       \
    X(USER_PROPERTIES, "user_properties", USER)            \
    X(EVENT_PROPERTIES, "event_properties", OBJECT)        \
    X(GROUP_PROPERTIES, "group_properties", GROUP)         \
    X(ANDROID_APP_SET_ID, "android_app_set_id", TEXT)      \
    X(METADATA, "ingestion_metadata", METADATA) /* SDKs */ \
    X(DEVICE_MANUFACTURER, "device_manufacturer", TEXT)    \
    X(SKIP_SYNC, "$skip_user_properties_sync", BOOL)

typedef enum field_type {
    TYPE_TEXT,
    TYPE_ID,
    TYPE_EVENT_TYPE,
    TYPE_INSERT_ID,
    TYPE_CURRENCY,
    TYPE_NUMBER,
    TYPE_INTEGER,
    TYPE_SESSION,
    TYPE_TIME,
    TYPE_BOOL,
    TYPE_OBJECT, /* anything inside */
    TYPE_USER,
    TYPE_GROUP,
    TYPE_GROUPS,
    TYPE_PLAN,
    TYPE_METADATA
} field_type;

#define TW_FIELD_ENUM(id, name, type) FIELD_##id,
enum { EVENT_FIELDS(TW_FIELD_ENUM) FIELD_COUNT };
#undef TW_FIELD_ENUM

typedef struct tw_event_field {
    const char *name;
    unsigned char size;
    unsigned char type;
    unsigned char id;
} tw_event_field;

/* NULL for an unknown name. */
const tw_event_field *tw__event_field_find(const char *text, size_t size);
extern const tw_event_field tw__event_fields[FIELD_COUNT]; /* by id */
/* The field that a mistaken name was probably meant to be; NULL where none is near. */
const char *tw__event_field_near(const char *text, size_t size);

#endif
