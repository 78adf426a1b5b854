/* SPDX-License-Identifier: MIT */
/* The token of the MCP server. */
#include <tidewheel/mcp.h>

#include "base/error.h"
#include "client/client_internal.h"
#include "client/config.h"

int tw_mcp_set_token(tw_client *cl, const char *token, size_t size, tw_error **err)
{
    const char *rule;
    tw_rooms *here;
    int rc = tw__client_enter(&here, cl, err);

    if (rc != TW_OK)
        return rc;
    if (token == NULL)
        return tw__gate_set_token(here->gate, "", 0, err);
    rule = tw__token_rule(token, size);
    if (rule != NULL)
        return tw__error_at(err, TW_E_CONFIG, "mcp_token", "mcp_token was refused: %s",
                            rule);
    if (cl->lacks_mcp_tls)
        return tw__error_at(err, TW_E_CONFIG, "mcp_token",
                            "mcp_token was refused: the client was made for loopback "
                            "hosts alone and has no certificates; give the option "
                            "mcp_token or mcp_url");
    return tw__gate_set_token(here->gate, token, size, err);
}
