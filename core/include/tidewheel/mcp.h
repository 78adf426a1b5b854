/* SPDX-License-Identifier: MIT */
/* The hosted MCP server: the token of a user. Calls are made by name, see call.h. */
#ifndef TIDEWHEEL_MCP_H
#define TIDEWHEEL_MCP_H

#include <tidewheel/common.h>

TW_BEGIN_DECLS

/**
 * Puts another OAuth access token in the place of the option mcp_token, for all calls that start
 * from now on: tokens expire while clients live.
 *
 * @param token copied; NULL for none, an empty text is refused
 * @return TW_OK; TW_E_CONFIG for a text that cannot be sent; TW_E_NOMEM. @thread any
 */
TW_API int tw_mcp_set_token(tw_client *cl, const char *token, size_t size,
                            tw_error **err);

TW_END_DECLS

#endif
