/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.h: devices that come, go and change, by the XML of one
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

/* The last word on a device that was to go: @gone, or that the guest still has it. */
void stasis_cli_say_detached (StasisCli *cli, gboolean is_gone, const char *gone);

/* The device comes, or goes; the options say to what. @done is said then. */
gboolean stasis_cli_change_device (StasisCli *cli, const StasisCliArgs *args, const char *xml,
                                   gboolean attach, const char *done, GError **error);

/* It is as the XML says. */
gboolean stasis_cli_update_device (StasisCli *cli, const StasisCliArgs *args, const char *xml,
                                   const char *done, GError **error);

G_END_DECLS
