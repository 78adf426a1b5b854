/* SPDX-License-Identifier: MIT */
/* Options of a client, set by name and checked at once. */
#include "client/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/distance.h"
#include "base/error.h"
#include "gate/keys.h"
#include "net/url.h"
#include "json/number.h"

enum { TEXT_MOST = 4096, PEM_MOST = 8 * 1024 * 1024 };

typedef struct config_value {
    int set;
    char *text;
    size_t size;
    double number;
} config_value;

struct tw_config {
    config_value values[TW_OPT_COUNT];
    tw_transport transport;
    int has_transport;
};

int tw_config_new(tw_config **out, tw_error **err)
{
    *out = tw__alloc_zero(1, sizeof **out);
    return *out != NULL ? TW_OK : tw__error_nomem(err);
}

void tw_config_free(tw_config *cfg)
{
    size_t i;

    if (cfg == NULL)
        return;
    for (i = 0; i < TW_OPT_COUNT; i++)
        tw__free_secret(cfg->values[i].text, cfg->values[i].size);
    tw__free(cfg);
}

int tw_config_set_transport(tw_config *cfg, const tw_transport *transport, tw_error **err)
{
    if (transport->size != sizeof *transport)
        return tw__error(err, TW_E_INVALID, "the transport was made for another version");
    cfg->transport = *transport;
    cfg->has_transport = 1;
    return TW_OK;
}

/* ---- names --------------------------------------------------------------------------- */

static const char *nearest_name(const char *name)
{
    const char *best = NULL;
    unsigned least = 4;
    size_t i;

    for (i = 0; i < TW_OPT_COUNT; i++) {
        const char *known = tw__option(i)->name;
        unsigned distance = tw__distance(name, strlen(name), known, strlen(known));

        if (distance < least) {
            least = distance;
            best = known;
        }
    }
    return best;
}

static int option_find(size_t *index, const char *name, tw_error **err)
{
    const char *near;

    for (*index = 0; *index < TW_OPT_COUNT; (*index)++) {
        if (strcmp(tw__option(*index)->name, name) == 0)
            return TW_OK;
    }
    near = nearest_name(name);
    if (near != NULL)
        return tw__error_at(err, TW_E_CONFIG, name,
                            "the option \"%s\" is unknown; did you mean \"%s\"?", name,
                            near);
    return tw__error_at(err, TW_E_CONFIG, name, "the option \"%s\" is unknown", name);
}

/* ---- rules of texts ------------------------------------------------------------------- */

/* Every byte between the bounds, or one of `more`. */
static int all_between(const char *text, size_t size, unsigned char low,
                       unsigned char high, const char *more)
{
    size_t i;

    for (i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < low || c > high) && (c == '\0' || strchr(more, c) == NULL))
            return 0;
    }
    return 1;
}

static const char *line_rule(const char *text, size_t size)
{
    if (size == 0)
        return "it is empty";
    if (!all_between(text, size, 0x21, 0x7E, ""))
        return "control characters, spaces and non-ASCII characters are not allowed";
    return NULL;
}

const char *tw__token_rule(const char *text, size_t size)
{
    return size > TW_TOKEN_MOST ? "it is longer than 8192 characters"
                                : line_rule(text, size);
}

static const char *proxy_rule(const char *text, size_t size)
{
    static const char *const schemes[] = {"http://",    "https://",  "socks4://",
                                          "socks4a://", "socks5://", "socks5h://"};
    size_t i;

    if (size == 0)
        return NULL;
    if (!all_between(text, size, 0x21, 0x7E, ""))
        return "control characters, spaces and non-ASCII characters are not allowed";
    for (i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (size > strlen(schemes[i]) &&
            strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
            return NULL;
    }
    return "it does not begin with http://, https://, socks4://, socks4a://, socks5:// or "
           "socks5h://";
}

static const char *text_rule(const tw_option *option, const char *text, size_t size)
{
    if (size > (option->rule == TW_RULE_PEM ? PEM_MOST : TEXT_MOST) &&
        option->rule != TW_RULE_TOKEN)
        return "it is too long";
    switch (option->rule) {
    case TW_RULE_KEY:
        /* Basic authentication ends the name at the first colon (RFC 7617). */
        if (option == tw__option(TW_OPT_API_KEY) && memchr(text, ':', size) != NULL)
            return "a colon is not allowed";
        return size > TW_KEY_MOST ? "it is longer than 512 characters"
                                  : line_rule(text, size);
    case TW_RULE_TOKEN:
        return tw__token_rule(text, size);
    case TW_RULE_PROXY:
        return proxy_rule(text, size);
    case TW_RULE_LINE:
        if (size == 0)
            return "it is empty";
        return all_between(text, size, 0x20, 0x7E, "")
                   ? NULL
                   : "control and non-ASCII characters are not allowed";
    case TW_RULE_PATH:
        return all_between(text, size, 0x20, 0xFF, "")
                   ? NULL
                   : "control characters are not allowed";
    case TW_RULE_PEM:
        return all_between(text, size, 0x20, 0xFF, "\r\n\t")
                   ? NULL
                   : "control characters are not allowed";
    default:
        return NULL;
    }
}

static const char *choice_rule(const tw_option *option, const char *text, size_t size)
{
    const char *at = option->choices;

    while (*at != '\0') {
        size_t n = strcspn(at, "|");

        if (n == size && memcmp(at, text, n) == 0)
            return NULL;
        at += n + (at[n] == '|');
    }
    return "it has to be one of ";
}

/* ---- setters -------------------------------------------------------------------------- */

static void value_put(tw_config *cfg, size_t index, char *text, double number)
{
    config_value *value = &cfg->values[index];

    tw__free_secret(value->text, value->size);
    value->set = 1;
    value->text = text;
    value->size = text != NULL ? strlen(text) : 0;
    value->number = number;
}

static int type_error(const tw_option *option, const char *given, tw_error **err)
{
    static const char *const names[] = {
        "a text", "a text", "a boolean", "an integer", "a number of seconds", "a text"};

    return tw__error_at(err, TW_E_CONFIG, option->name,
                        "%s was refused: it must be %s, not %s", option->name,
                        names[option->type], given);
}

int tw_config_set_string(tw_config *cfg, const char *name, const char *text, size_t size,
                         tw_error **err)
{
    const tw_option *option;
    const char *rule;
    char *copy;
    size_t index;
    int rc = option_find(&index, name, err);

    if (rc != TW_OK)
        return rc;
    option = tw__option(index);
    if (option->type != TW_OPTION_STRING && option->type != TW_OPTION_SECRET &&
        option->type != TW_OPTION_CHOICE)
        return type_error(option, "a text", err);
    if (option->choices != NULL) {
        rule = choice_rule(option, text, size);
        if (rule != NULL)
            return tw__error_at(err, TW_E_CONFIG, name, "%s was refused: %s%s", name,
                                rule, option->choices);
    }
    rule = text_rule(option, text, size);
    if (rule != NULL)
        return tw__error_at(err, TW_E_CONFIG, name, "%s was refused: %s", name, rule);
    if (option->rule == TW_RULE_BASE) {
        rc = tw__url_base(&copy, name, text, size, err);
        if (rc != TW_OK)
            return rc;
    } else {
        copy = tw__strndup(text, size);
        if (copy == NULL)
            return tw__error_nomem(err);
    }
    value_put(cfg, index, copy, 0);
    return TW_OK;
}

/* An integer is given where `given` says so; it is exact as a double up to 2^53. */
static int number_set(tw_config *cfg, const char *name, double number, const char *given,
                      tw_error **err)
{
    const tw_option *option;
    size_t index;
    int rc = option_find(&index, name, err);

    if (rc != TW_OK)
        return rc;
    option = tw__option(index);
    if (option->type != TW_OPTION_INT && option->type != TW_OPTION_SECONDS)
        return type_error(option, given, err);
    if (option->type == TW_OPTION_INT && isfinite(number) && number != floor(number))
        return type_error(option, "a fraction", err);
    /* The negation refuses NaN as well. */
    if (!(number >= option->min && number <= option->max))
        return tw__error_at(err, TW_E_CONFIG, name,
                            "%s was refused: it must be between %.15g and %.15g", name,
                            option->min, option->max);
    value_put(cfg, index, NULL, number);
    return TW_OK;
}

int tw_config_set_int(tw_config *cfg, const char *name, int64_t value, tw_error **err)
{
    return number_set(cfg, name, (double)value, "an integer", err);
}

int tw_config_set_real(tw_config *cfg, const char *name, double value, tw_error **err)
{
    return number_set(cfg, name, value, "a number", err);
}

int tw_config_set_bool(tw_config *cfg, const char *name, int value, tw_error **err)
{
    const tw_option *option;
    size_t index;
    int rc = option_find(&index, name, err);

    if (rc != TW_OK)
        return rc;
    option = tw__option(index);
    if (option->type != TW_OPTION_BOOL)
        return type_error(option, "a boolean", err);
    value_put(cfg, index, NULL, value != 0);
    return TW_OK;
}

/* ---- reading --------------------------------------------------------------------------- */

int tw__config_is_set(const tw_config *cfg, tw_option_id id)
{
    return cfg->values[id].set;
}

const char *tw__config_text(const tw_config *cfg, tw_option_id id)
{
    return cfg->values[id].set ? cfg->values[id].text : tw__option(id)->standard;
}

/* A number of the table: digits, and a point where it has a fraction. No locale counts. */
static double table_number(const char *text)
{
    uint64_t digits = 0;
    int64_t exponent = 0;
    int behind = 0;
    double value;

    for (; *text != '\0'; text++) {
        if (*text == '.') {
            behind = 1;
            continue;
        }
        digits = digits * 10 + (uint64_t)(*text - '0');
        exponent -= behind;
    }
    (void)tw__number_decimal(&value, digits, exponent, 0);
    return value;
}

double tw__config_number(const tw_config *cfg, tw_option_id id)
{
    const tw_option *option = tw__option(id);

    if (cfg->values[id].set)
        return cfg->values[id].number;
    if (option->type == TW_OPTION_BOOL)
        return strcmp(option->standard, "true") == 0;
    return table_number(option->standard);
}

int64_t tw__config_ms(const tw_config *cfg, tw_option_id id)
{
    return (int64_t)ceil(tw__config_number(cfg, id) * 1000);
}

const tw_transport *tw__config_transport(const tw_config *cfg)
{
    return cfg->has_transport ? &cfg->transport : NULL;
}
