/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * input.h: the files that a command line names
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

#define STASIS_CLI_XML_MAX (1024u * 1024) /* octets of a definition, as the driver takes it */

/* Read a whole text; "-" is standard input. */
char *stasis_cli_read_text (const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same where @path may be NULL: then *@out_text is NULL. */
gboolean stasis_cli_read_optional (const char *path, char **out_text, GError **error);

/* What messages of the library call the file. */
const char *stasis_cli_source_name (const char *path);

/* (transfer full): as it is typed into a shell: quoted where that is needed. */
char *stasis_cli_shell_word (const char *word);

/* The absolute path of an image, however it was given.  Nothing else is changed in it: "..", behind
 * a link to a folder, is what the kernel takes it for.  "-" is refused. */
char *stasis_cli_image_path (const StasisCli *cli, const char *path,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
