/* SPDX-License-Identifier: MIT */
/* The version of tidewheel, kept here and read by every build. */
#ifndef TIDEWHEEL_VERSION_H
#define TIDEWHEEL_VERSION_H

#define TW_VERSION "0.1.0"
#define TW_VERSION_MAJOR 0
#define TW_VERSION_MINOR 1
#define TW_VERSION_PATCH 0

#endif
