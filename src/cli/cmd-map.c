/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-map.c: image map
 */

#include "config.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "util/atomic-file.h"
#include "util/fd.h"

static gboolean
write_picture (StasisCli *cli, GBytes *picture, const char *target, GError **error)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (picture, &size);
  if (strcmp (target, "-") != 0)
    return stasis_atomic_file_write (target, octets, size, 0644, error);
  cli->json = TRUE; /* nothing else goes there */
  return stasis_fd_write_exact (STDOUT_FILENO, octets, size, error);
}

static gboolean
run_map (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  const char *svg = stasis_cli_args_get (args, "svg");
  const char *png = stasis_cli_args_get (args, "png");
  if ((svg == NULL) == (png == NULL))
    {
      g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                           _ ("say where the picture goes: either --svg or --png"));
      return FALSE;
    }
  stasis_cli_doing (cli, _ ("failed to draw the memory in save image %1$s"), file);
  g_autofree char *path = stasis_cli_image_path (file, error);
  if (path == NULL)
    return FALSE;
  g_autoptr (GBytes) picture
      = stasis_image_draw_map (path, svg != NULL ? "svg" : "png", NULL, error);
  return picture != NULL && write_picture (cli, picture, svg != NULL ? svg : png, error);
}

static const StasisCliOption map_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("saved state file to look at") },
  { "svg", STASIS_CLI_NAMED, "file", N_ ("write the picture as SVG; - for standard output") },
  { "png", STASIS_CLI_NAMED, "file", N_ ("write the picture as PNG; - for standard output") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_image_map = {
  .name = "image map",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("draw the memory in a save image"),
  .description = N_ ("Draw which pages of the guest's memory have data and which are zero. Needs\n"
                     "an image whose memory lies in place (stasis, libvirt-sparse)."),
  .options = map_options,
  .run = run_map,
};
