/* SPDX-License-Identifier: MIT */
/* Everything public in tidewheel. */
#ifndef TIDEWHEEL_TIDEWHEEL_H
#define TIDEWHEEL_TIDEWHEEL_H

#include <tidewheel/call.h>
#include <tidewheel/client.h>
#include <tidewheel/cohorts.h>
#include <tidewheel/common.h>
#include <tidewheel/config.h>
#include <tidewheel/error.h>
#include <tidewheel/event.h>
#include <tidewheel/export.h>
#include <tidewheel/job.h>
#include <tidewheel/json.h>
#include <tidewheel/mcp.h>
#include <tidewheel/spool.h>
#include <tidewheel/taxonomy.h>
#include <tidewheel/version.h>

#endif
