/* SPDX-License-Identifier: MIT */
/* What a client says about itself: options, hosts, versions; no secrets. */
#include "client/describe.h"

#include <stdio.h>
#include <string.h>

#include <tidewheel/json.h>
#include <tidewheel/version.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "gate/endpoints.h"
#include "net/curl_transport.h"

static void put_key(tw_json_writer *wr, const char *key)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
}

/* Paths and the environment may hold bytes that are no text. */
static void put_text(tw_json_writer *wr, const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;
    char *copy = NULL;

    if (size != 0 && tw__utf8_check(text, size) != size) {
        copy = tw__strdup(text);
        if (copy != NULL)
            tw__utf8_repair(copy);
        text = copy;
    }
    if (text == NULL || size == 0)
        tw_json_put_null(wr);
    else
        tw_json_put_string(wr, text, size, -1, 0);
    tw__free(copy);
}

/* The API key by its last four characters; it is no secret, but nobody needs the rest. */
static void put_secret(tw_json_writer *wr, const tw_config *cfg, tw_option_id id)
{
    const char *key = tw__config_text(cfg, id);
    size_t size = strlen(key);
    char text[16] = "***";

    if (id == TW_OPT_API_KEY && size >= 12)
        snprintf(text, sizeof text, "...%s", key + size - 4);
    put_text(wr, size > 0 ? text : NULL);
}

/* User name and password of a proxy URL make way for three asterisks. */
static void put_proxy(tw_json_writer *wr, const char *proxy)
{
    const char *scheme = strstr(proxy, "://");
    const char *at = strrchr(proxy, '@');
    char text[1024];

    if (at == NULL) {
        put_text(wr, proxy);
        return;
    }
    if (scheme != NULL && scheme < at)
        snprintf(text, sizeof text, "%.*s***%s", (int)(scheme + 3 - proxy), proxy, at);
    else
        snprintf(text, sizeof text, "***%s", at);
    put_text(wr, text);
}

static void put_option(tw_json_writer *wr, const tw_config *cfg, tw_option_id id)
{
    const tw_option *option = tw__option(id);
    double number;

    put_key(wr, option->name);
    switch (option->type) {
    case TW_OPTION_SECRET:
        put_secret(wr, cfg, id);
        break;
    case TW_OPTION_INT:
        tw_json_put_int(wr, (int64_t)tw__config_number(cfg, id));
        break;
    case TW_OPTION_SECONDS:
        number = tw__config_number(cfg, id);
        tw_json_put_real(wr, number);
        break;
    case TW_OPTION_BOOL:
        tw_json_put_bool(wr, tw__config_number(cfg, id) != 0);
        break;
    default:
        if (id == TW_OPT_PROXY)
            put_proxy(wr, tw__config_text(cfg, id));
        else if (id == TW_OPT_CA_PEM)
            put_text(wr, tw__config_is_set(cfg, id) ? "given" : NULL);
        else
            put_text(wr, tw__config_text(cfg, id));
    }
}

static void put_all(tw_json_writer *wr, const tw_config *cfg, const tw_network *net)
{
    char curl[TW_CURL_VERSION_SIZE];
    size_t i;

    tw__curl_version(curl);
    tw_json_put_object(wr);
    put_key(wr, "version");
    put_text(wr, TW_VERSION);
    put_key(wr, "libcurl");
    put_text(wr, curl);
    put_key(wr, "hosts");
    tw_json_put_object(wr);
    for (i = 0; i < TW_HOST_COUNT; i++) {
        put_key(wr, tw__host_name((tw_host)i));
        put_text(wr, net->base[i]);
    }
    tw_json_put_object_end(wr);
    put_key(wr, "proxy");
    put_proxy(wr, net->proxy);
    put_key(wr, "proxy_from");
    put_text(wr, net->proxy_source);
    put_key(wr, "no_proxy");
    put_text(wr, net->no_proxy);
    put_key(wr, "certificates");
    put_text(wr, net->ca_source);
    put_key(wr, "options");
    tw_json_put_object(wr);
    for (i = 0; i < TW_OPT_COUNT; i++)
        put_option(wr, cfg, (tw_option_id)i);
    tw_json_put_object_end(wr);
    tw_json_put_object_end(wr);
}

int tw__describe(char **out, const tw_config *cfg, const tw_network *net, tw_error **err)
{
    tw_json_writer_options options = TW_JSON_WRITER_OPTIONS_INIT;
    tw_json_writer *wr;
    const char *text;
    size_t size;
    int rc;

    *out = NULL;
    options.max_string_chars = 0;
    rc = tw_json_writer_new(&wr, &options, err);
    if (rc != TW_OK)
        return rc;
    put_all(wr, cfg, net);
    if (tw_json_writer_complete(wr)) {
        text = tw_json_writer_text(wr, &size);
        *out = tw__strndup(text, size);
        rc = *out != NULL ? TW_OK : tw__error_nomem(err);
    } else {
        rc = tw_json_writer_error(wr, err);
    }
    tw_json_writer_free(wr);
    return rc;
}
