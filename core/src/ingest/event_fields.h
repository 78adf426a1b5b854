/* SPDX-License-Identifier: MIT */
/* The table of an event's top-level fields. */
#ifndef TW_INGEST_EVENT_FIELDS_H
#define TW_INGEST_EVENT_FIELDS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Types and limits: field table of the Amplitude HTTP V2 and Batch API docs (API; V2: in that
 * of HTTP V2 alone), those for partners (PARTNERS), or only sent by the official SDKs (SDKS);
 * read 2026-11-23. The server ignores unknown keys without a word, so an unknown key is
 * refused here. Ordered by length, then by name: see field_find. The page docs/events.md is
 * made from what stands here.
 */
#define EVENT_FIELDS(X)                                                                 \
    X(IP, "ip", TEXT, API,                                                              \
      "Address to look the place up by; \"$remote\": the upload's.")                    \
    X(DMA, "dma", TEXT, API, "Designated market area.")                                 \
    X(ADID, "adid", TEXT, API, "Google Play advertising id.")                           \
    X(CITY, "city", TEXT, API, "City.")                                                 \
    X(IDFA, "idfa", TEXT, API, "iOS advertiser id.")                                    \
    X(IDFV, "idfv", TEXT, API, "iOS vendor id.")                                        \
    X(PLAN, "plan", PLAN, API, "Tracking plan.")                                        \
    X(TIME, "time", TIME, API, "When it happened; now where absent.")                   \
    X(DELAY, "delay", NUMBER, SDKS, "Sent by SDKs.")                                    \
    X(PRICE, "price", NUMBER, API,                                                      \
      "Of one item; negative for a refund. price * quantity goes before revenue.")      \
    X(GROUPS, "groups", GROUPS, API, "Group type to value or list of values.")          \
    X(REGION, "region", TEXT, API, "Region.")                                           \
    X(CARRIER, "carrier", TEXT, API, "Carrier.")                                        \
    X(COUNTRY, "country", TEXT, API, "Country.")                                        \
    X(LIBRARY, "library", TEXT, SDKS, "Name and version of the sending library.")       \
    X(OS_NAME, "os_name", TEXT, API, "OS or browser.")                                  \
    X(RECEIPT, "receipt", TEXT, SDKS, "Receipt of a purchase.")                         \
    X(REVENUE, "revenue", NUMBER, API,                                                  \
      "price * quantity, where there is no price; negative for a refund.")              \
    X(USER_ID, "user_id", ID, API, "Who did it; user_id or device_id is required.")     \
    X(CURRENCY, "currency", CURRENCY, API, "ISO 4217 code.")                            \
    X(EVENT_ID, "event_id", INTEGER, API,                                               \
      "Counter that orders events of one user and time.")                               \
    X(LANGUAGE, "language", TEXT, API, "Language.")                                     \
    X(PLATFORM, "platform", TEXT, API, "Platform of the device.")                       \
    X(QUANTITY, "quantity", INTEGER, API, "Number of items, 1 where absent.")           \
    X(DEVICE_ID, "device_id", ID, API,                                                  \
      "On which device; a hash of user_id where absent.")                               \
    X(INSERT_ID, "insert_id", INSERT_ID, API,                                           \
      "The server keeps the first event of a device that has it; a UUID where absent.") \
    X(PRODUCT_ID, "productId", TEXT, API, "Product. Needs price or revenue.")           \
    X(ANDROID_ID, "android_id", TEXT, API, "Android id, not the advertising one.")      \
    X(EVENT_TYPE, "event_type", EVENT_TYPE, API, "Name of the event. Required.")        \
    X(OS_VERSION, "os_version", TEXT, API, "Version of the OS or browser.")             \
    X(PARTNER_ID, "partner_id", TEXT, PARTNERS, "Id of an integration partner.")        \
    X(RECEIPT_SIG, "receiptSig", TEXT, SDKS, "Signature of the receipt.")               \
    X(SESSION_ID, "session_id", SESSION, API, "The session's start; -1 for none.")      \
    X(USER_AGENT, "user_agent", TEXT, V2,                                               \
      "User agent string, parsed into user properties.")                                \
    X(APP_VERSION, "app_version", TEXT, API, "Version of the application.")             \
    X(REVENUE_TYPE, "revenueType", TEXT, API,                                           \
      "Kind of revenue. Needs price or revenue.")                                       \
    X(DEVICE_BRAND, "device_brand", TEXT, API, "Brand.")                                \
    X(DEVICE_MODEL, "device_model", TEXT, API, "Model.")                                \
    X(LOCATION_LAT, "location_lat", NUMBER, API, "Latitude.")                           \
    X(LOCATION_LNG, "location_lng", NUMBER, API, "Longitude.")                          \
    X(VERSION_NAME, "version_name", TEXT, SDKS, "Sent by SDKs.")                        \
    X(USER_PROPERTIES, "user_properties", USER, API,                                    \
      "Properties of the user; operations with $identify.")                             \
    X(EVENT_PROPERTIES, "event_properties", OBJECT, API, "Properties of the event.")    \
    X(GROUP_PROPERTIES, "group_properties", GROUP, API,                                 \
      "Properties of the groups; only with $groupidentify.")                            \
    X(ANDROID_APP_SET_ID, "android_app_set_id", TEXT, V2, "Android app set id.")        \
    X(METADATA, "ingestion_metadata", METADATA, SDKS, "Where the event was made.")      \
    X(DEVICE_MANUFACTURER, "device_manufacturer", TEXT, API, "Manufacturer.")           \
    X(SKIP_SYNC, "$skip_user_properties_sync", BOOL, API,                               \
      "Neither reads nor changes the user's properties.")

/* Names the server keeps for events it makes itself (HTTP V2 API docs, read 2026-11-23). */
#define RESERVED_NAMES(X)                 \
    X("[Amplitude] Start Session")        \
    X("[Amplitude] End Session")          \
    X("[Amplitude] Revenue")              \
    X("[Amplitude] Revenue (Verified)")   \
    X("[Amplitude] Revenue (Unverified)") \
    X("[Amplitude] Merged User")

/* Ids the server refuses, whatever their case (HTTP V2 API docs, read 2026-11-23; the zeros are
 * compared as they are). */
#define BANNED_IDS(X) \
    X("anonymous")    \
    X("nil")          \
    X("none")         \
    X("null")         \
    X("n/a")          \
    X("na")           \
    X("undefined")    \
    X("unknown")      \
    X("{}")           \
    X("lmy47d")       \
    X("0")            \
    X("-1")
#define BANNED_UUID_TEXT "00000000-0000-0000-0000-000000000000"

/* What a property operation does, and what its value must be (Identify API docs, read
 * 2026-11-23; $clearAll: SDK docs), in the order in which the server applies them. */
#define OPERATIONS(X)                                                     \
    X("$clearAll", ANY, "all properties go; the value means nothing")     \
    X("$unset", PROPERTIES, "the property goes; the value means nothing") \
    X("$set", PROPERTIES, "sets it")                                      \
    X("$setOnce", PROPERTIES, "sets it where it has no value")            \
    X("$add", NUMBERS, "adds a number")                                   \
    X("$append", PROPERTIES, "value or list, put behind its list")        \
    X("$prepend", PROPERTIES, "value or list, put before its list")       \
    X("$preInsert", PROPERTIES, "as $prepend, without those it has")      \
    X("$postInsert", PROPERTIES, "as $append, without those it has")      \
    X("$remove", PROPERTIES, "value or list, taken out of its list")

enum {
    MAX_GROUP_TYPES = 5,  /* per event; the rest is not tracked */
    MAX_GROUP_VALUES = 10 /* (HTTP V2 API docs, `groups`, read 2026-11-23) */
};

/* 10-digit seconds are taken as January 1970 by the server; micro- and nanoseconds lie
 * tens of thousands of years ahead. The bounds are the years 1973 and 5138. */
#define TIME_MIN INT64_C(100000000000)
#define TIME_MAX INT64_C(99999999999999)

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

#define TW_FIELD_ENUM(id, name, type, source, doc) FIELD_##id,
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
