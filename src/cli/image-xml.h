/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-xml.h: change the definition inside a save image
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

/* The options of commands that do. */
#define STASIS_CLI_RUN_STATE_OPTIONS \
  { "running", STASIS_CLI_FLAG, NULL, N_ ("set domain to be running on restore") }, \
  { \
    "paused", STASIS_CLI_FLAG, NULL, N_ ("set domain to be paused on restore") \
  }

/* In the editor.  @define is the command that takes the text from a file, without that file: for
 * an edited text that is refused.  *@out_changed: FALSE where the user left it as it was and the
 * options say nothing. */
gboolean stasis_cli_image_edit (StasisCli *cli, const StasisCliArgs *args, const char *path,
                                const char *define, gboolean *out_changed, GError **error);

/* By the definition in the file that option --xml names. */
gboolean stasis_cli_image_define (StasisCli *cli, const StasisCliArgs *args, const char *path,
                                  GError **error);

G_END_DECLS
