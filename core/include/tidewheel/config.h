/* SPDX-License-Identifier: MIT */
/* Options of a client, set by name from one table. */
#ifndef TIDEWHEEL_CONFIG_H
#define TIDEWHEEL_CONFIG_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/** An empty configuration: all defaults. Owned by caller, free with tw_config_free. */
TW_API int tw_config_new(tw_config **out, tw_error **err);
TW_API void tw_config_free(tw_config *cfg);

typedef enum tw_option_type {
    TW_OPTION_STRING,
    TW_OPTION_SECRET, /* a string that is shown as "...1234" or not at all */
    TW_OPTION_BOOL,
    TW_OPTION_INT,
    TW_OPTION_SECONDS, /* a real number of seconds */
    TW_OPTION_CHOICE   /* a string out of a list */
} tw_option_type;

/** The table, for bindings and documentation: row `index`, TW_DONE past the end. All strings
 * static. Any of the out pointers may be NULL. */
TW_API int tw_config_row(size_t index, const char **name, tw_option_type *type,
                         const char **standard, const char **doc);

/* Setters: TW_E_CONFIG for an unknown name (with the nearest known one), a wrong type, a value
 * out of range, control characters. Text is copied. A number setter on a SECONDS or INT row
 * takes either form where exact. */
TW_API int tw_config_set_string(tw_config *cfg, const char *name, const char *text,
                                size_t size, tw_error **err);
TW_API int tw_config_set_int(tw_config *cfg, const char *name, int64_t value,
                             tw_error **err);
TW_API int tw_config_set_real(tw_config *cfg, const char *name, double value,
                              tw_error **err);
TW_API int tw_config_set_bool(tw_config *cfg, const char *name, int value,
                              tw_error **err);

TW_END_DECLS

#endif
