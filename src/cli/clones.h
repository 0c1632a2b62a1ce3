/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clones.h: restore --clone
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

/* --clone and --count of these options make sense together. */
gboolean stasis_cli_clones_check (const StasisCliArgs *args, GError **error);

/* Start the clones that they ask for, and say so.  @path is absolute; @xml (nullable). */
gboolean stasis_cli_clones_run (StasisCli *cli, const StasisCliArgs *args, const char *path,
                                const char *xml, guint flags, GError **error);

G_END_DECLS
