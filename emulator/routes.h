/* SPDX-License-Identifier: MIT */
/* Handlers named by the route tables. */
#ifndef EMU_ROUTES_H
#define EMU_ROUTES_H

#include "http.h"

typedef void emu_handler(emu_req *r);

emu_handler emu_do_cohort_list, emu_do_cohort_one, emu_do_cohort_usage,
    emu_do_cohort_request, emu_do_cohort_status, emu_do_cohort_file, emu_do_cohort_upload,
    emu_do_cohort_membership, emu_do_storage;
emu_handler emu_do_category_list, emu_do_category_one, emu_do_category_add,
    emu_do_category_rename, emu_do_category_delete, emu_do_event_list, emu_do_event_one,
    emu_do_event_add, emu_do_event_update, emu_do_event_delete, emu_do_event_restore,
    emu_do_property_list, emu_do_property_one, emu_do_property_add,
    emu_do_property_update, emu_do_property_delete, emu_do_property_restore;
emu_handler emu_do_user_search, emu_do_user_activity, emu_do_profile;
emu_handler emu_do_mcp, emu_do_mcp_resource, emu_do_mcp_server, emu_do_mcp_register,
    emu_do_mcp_authorize, emu_do_mcp_token;
emu_handler emu_do_users, emu_do_events_list, emu_do_segmentation, emu_do_funnels,
    emu_do_retention, emu_do_ltv, emu_do_realtime, emu_do_composition,
    emu_do_session_length, emu_do_session_average, emu_do_sessions_per_user,
    emu_do_chart_csv, emu_do_chart_query;
emu_handler emu_do_control;

#endif
