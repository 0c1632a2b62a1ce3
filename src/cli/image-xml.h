/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-xml.h: change the definition inside a save image
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

/* In the editor.  *@out_changed: FALSE where the user left it as it was. */
gboolean stasis_cli_image_edit (StasisCli *cli, const char *path, gboolean *out_changed,
                                GError **error);

/* By the definition in a file. */
gboolean stasis_cli_image_define (StasisCli *cli, const char *path, const char *xml_file,
                                  GError **error);

G_END_DECLS
