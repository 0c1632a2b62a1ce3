/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * edit.h: fetch a definition, let the user edit it, put it back
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

/* What is edited.  Both are called on the main thread. */
typedef struct
{
  /* The definition as it stands now (the caller's to free); called again before apply(), to see
   * whether somebody else changed it meanwhile. */
  char *(*fetch) (gpointer data, GError **error);
  /* Make @xml the definition.  On failure nothing has changed. */
  gboolean (*apply) (gpointer data, const char *xml, GError **error);
  /* The command line (the caller's to free) that makes the text in @path the definition; @path is
   * a word of a shell. */
  char *(*command) (gpointer data, const char *path);
} StasisCliEditOps;

/* *@out_changed: FALSE where the user left it as it was. */
gboolean stasis_cli_edit (StasisCli *cli, const StasisCliEditOps *ops, gpointer data,
                          gboolean *out_changed, GError **error);

G_END_DECLS
