/* SPDX-License-Identifier: MIT */
/* The gate: hosts, keys and time limits that every call shares. */
#include "gate/gate.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gate/gate_internal.h"
#include "net/address.h"
#include "net/url.h"

static int host_set(gate_host *host, const char *base, tw_error **err)
{
    const char *rule;
    tw_url url;

    if (base == NULL)
        return TW_OK;
    if (tw__url_parse(&url, base, strlen(base), &rule) != TW_OK)
        return tw__error(err, TW_E_CONFIG, "a base URL was refused: %s", rule);
    host->loopback = tw__host_is_loopback(url.host, url.host_size);
    host->base = tw__strdup(base);
    host->name = tw__strndup(url.host, (size_t)(url.path - url.host));
    return host->base != NULL && host->name != NULL ? TW_OK : tw__error_nomem(err);
}

static const char agent_name[] = "User-Agent: ";

static char *user_agent_header(const char *value)
{
    size_t size = strlen(value);
    char *line = tw__alloc(sizeof agent_name + size);

    if (line == NULL)
        return NULL;
    memcpy(line, agent_name, sizeof agent_name - 1);
    memcpy(line + sizeof agent_name - 1, value, size + 1);
    return line;
}

int tw__gate_new(tw_gate **out, tw_loop *loop, const tw_gate_settings *settings,
                 tw_error **err)
{
    tw_gate *gate;
    int rc = TW_OK;
    int i;

    *out = NULL;
    gate = tw__alloc_zero(1, sizeof *gate);
    if (gate == NULL)
        return tw__error_nomem(err);
    gate->loop = tw__loop_ref(loop);
    gate->region =
        settings->region != NULL && strcmp(settings->region, "eu") == 0 ? "eu" : "us";
    gate->connect_timeout_ms = settings->connect_timeout_ms;
    gate->timeout_ms = settings->timeout_ms;
    gate->dash_timeout_ms = settings->dash_timeout_ms;
    gate->max_query_cost = settings->max_query_cost;
    tw__retry_quota_init(&gate->quota);
    for (i = 0; i < TW_HOST_COUNT && rc == TW_OK; i++)
        rc = host_set(&gate->hosts[i], settings->base[i], err);
    if (rc == TW_OK) {
        gate->keys = tw__keys_new(settings->api_key, settings->secret_key);
        gate->user_agent = user_agent_header(settings->user_agent);
        if (gate->keys == NULL || gate->user_agent == NULL)
            rc = tw__error_nomem(err);
    }
    if (rc == TW_OK && settings->mcp_token != NULL && settings->mcp_token[0] != '\0')
        rc = tw__gate_set_token(gate, settings->mcp_token, strlen(settings->mcp_token),
                                err);
    if (rc != TW_OK) {
        tw__gate_free(gate);
        return rc;
    }
    *out = gate;
    return TW_OK;
}

int tw__gate_again(tw_gate **out, const tw_gate *from, tw_loop *loop, tw_error **err)
{
    tw_gate_settings settings;
    int i;

    for (i = 0; i < TW_HOST_COUNT; i++)
        settings.base[i] = from->hosts[i].base;
    settings.api_key = from->keys->api_key;
    settings.secret_key = from->keys->secret_key;
    settings.mcp_token = tw__keys_inherited_token(from->keys);
    settings.user_agent = from->user_agent + sizeof agent_name - 1;
    settings.region = from->region;
    settings.connect_timeout_ms = from->connect_timeout_ms;
    settings.timeout_ms = from->timeout_ms;
    settings.dash_timeout_ms = from->dash_timeout_ms;
    settings.max_query_cost = from->max_query_cost;
    return tw__gate_new(out, loop, &settings, err);
}

void tw__gate_abandon(tw_gate *from)
{
    tw__keys_free(from->keys);
    from->keys = NULL;
}

void tw__gate_free(tw_gate *gate)
{
    int i;

    if (gate == NULL)
        return;
    for (i = 0; i < TW_HOST_COUNT; i++) {
        tw__free(gate->hosts[i].base);
        tw__free(gate->hosts[i].name);
    }
    tw__keys_free(gate->keys);
    tw__free(gate->user_agent);
    tw__loop_unref(gate->loop);
    tw__free(gate);
}

tw_loop *tw__gate_loop(tw_gate *gate)
{
    return gate->loop;
}

const char *tw__gate_api_key(const tw_gate *gate)
{
    return gate->keys->api_key;
}

int64_t tw__gate_max_query_cost(const tw_gate *gate)
{
    return gate->max_query_cost;
}

int tw__gate_set_token(tw_gate *gate, const char *token, size_t size, tw_error **err)
{
    int rc = tw__keys_set_token(gate->keys, token, size);

    return rc == TW_OK ? TW_OK : tw__error_nomem(err);
}

uint64_t tw__gate_token(const tw_gate *gate)
{
    return tw__keys_token(gate->keys);
}

tw_mcp_server *tw__gate_mcp(tw_gate *gate)
{
    return &gate->mcp;
}

void tw__gate_redact(const tw_gate *gate, char *text)
{
    tw__keys_redact(gate->keys, text);
}

int tw__gate_allows(const tw_gate *gate, tw_endpoint_id id, tw_error **err)
{
    const tw_endpoint *row = tw__endpoint(id);

    if (row == NULL)
        return tw__error(err, TW_E_INVALID, "there was no endpoint number %d", (int)id);
    if (gate->hosts[row->host].base == NULL)
        return tw__error_at(err, TW_E_CONFIG, "region",
                            "%s was refused: this API has no host in region \"%s\"",
                            row->name, gate->region);
    if (row->auth == TW_AUTH_BEARER)
        return tw__gate_token(gate) != 0
                   ? TW_OK
                   : tw__error_at(err, TW_E_CONFIG, "mcp_token",
                                  "%s was refused: it needs the option mcp_token, the "
                                  "OAuth token of a user",
                                  row->name);
    if (row->auth != TW_AUTH_BODY && gate->keys->secret_key[0] == '\0')
        return tw__error_at(err, TW_E_CONFIG, "secret_key",
                            "%s was refused: it needs the option secret_key", row->name);
    return TW_OK;
}
