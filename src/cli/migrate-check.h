/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check.h: whether a domain could migrate, as a table
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

/* FALSE where it could not, or nobody knows. */
gboolean stasis_cli_check_migrate (StasisCli *cli, const StasisCliArgs *args, guint flags,
                                   const StasisMigrateRequest *request, GError **error);

G_END_DECLS
