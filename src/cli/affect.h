/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * affect.h: the options that say what a change is made to
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

#define STASIS_CLI_AFFECT_OPTIONS \
  { "config", STASIS_CLI_FLAG, NULL, N_ ("affect next boot") }, \
      { "live", STASIS_CLI_FLAG, NULL, N_ ("affect running domain") }, \
  { \
    "current", STASIS_CLI_FLAG, NULL, N_ ("affect current domain") \
  }

/* FALSE where they exclude each other. */
gboolean stasis_cli_affect (const StasisCliArgs *args, StasisAffectFlags *out_flags,
                            GError **error);

/* A number with a unit ("512M", "1GiB"), or without one in KiB: in KiB, rounded up. */
gboolean stasis_cli_parse_kib (const char *text, guint64 *out_kib, GError **error);

G_END_DECLS
