/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-map.c: image map
 *
 * The picture replaces a picture of its kind, or nothing: neither the image that it is of nor
 * anybody's other file.  What was looked at is what is replaced (util/atomic-file.h).
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/safe-open.h"

/* Where the picture goes. */
typedef struct
{
  const char *path; /* (borrowed) "-": standard output */
  gboolean is_svg;
  int folder;        /* (owned) -1 for standard output */
  char *name;        /* (owned) (nullable) */
  StasisFileId seen; /* what it replaces */
} Target;

static void
target_clear (Target *target)
{
  stasis_fd_clear (&target->folder);
  g_free (target->name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Target, target_clear)

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_REFUSED, message);
  return FALSE;
}

static gboolean
has_magic (int fd, const char *magic)
{
  char head[8];
  const gsize size = strlen (magic);
  g_assert (size <= sizeof head);
  return stasis_fd_pread_exact (fd, head, size, 0, NULL) && memcmp (head, magic, size) == 0;
}

static gboolean
is_picture (int fd, gboolean is_svg)
{
  if (is_svg)
    return has_magic (fd, "<svg") || has_magic (fd, "<?xml");
  return has_magic (fd, "\x89PNG\r\n\x1a\n");
}

/* What is there now, under the name and in @image. */
static gboolean
check_replaced (Target *target, const char *image, GError **error)
{
  struct stat st, own;
  if (fstatat (target->folder, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || stasis_throw_errno (error, "'%s'", target->path);
  if (!S_ISREG (st.st_mode))
    return refuse (error, _ ("'%s' is no regular file; - is standard output"), target->path);

  stasis_autofd int fd
      = openat (target->folder, target->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot open '%s'"), target->path);
  target->seen = (StasisFileId){ st.st_dev, st.st_ino };
  if (stat (image, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino)
    return refuse (error, _ ("'%s' is the save image itself"), target->path);
  if (st.st_size == 0 || is_picture (fd, target->is_svg))
    return TRUE;
  return refuse (error, _ ("'%1$s' exists and is no %2$s picture; remove it first"), target->path,
                 target->is_svg ? "SVG" : "PNG");
}

/* Look at the place before anything is drawn. */
static gboolean
target_init (Target *target, const char *image, GError **error)
{
  if (strcmp (target->path, "-") == 0)
    return TRUE;
  target->folder = stasis_safe_open_place (target->path, &target->name, error);
  return target->folder >= 0 && check_replaced (target, image, error);
}

static gboolean
write_picture (StasisCli *cli, GBytes *picture, const Target *target, GError **error)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (picture, &size);
  if (target->folder < 0)
    {
      cli->json = TRUE; /* nothing else goes there */
      return stasis_fd_write_exact (STDOUT_FILENO, octets, size, error);
    }
  g_autofree char *folder = stasis_safe_folder_path (target->folder);
  if (folder == NULL)
    return stasis_throw_errno (error, "'%s'", target->path);
  g_autofree char *path = g_build_filename (folder, target->name, NULL);
  g_autoptr (StasisAtomicFile) file
      = stasis_atomic_file_begin_in (target->folder, path, &target->seen, 0644, error);
  return file != NULL && stasis_fd_write_exact (stasis_atomic_file_fd (file), octets, size, error)
         && stasis_atomic_file_commit (file, NULL, error);
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
  g_auto (Target) target = { .path = svg != NULL ? svg : png, .is_svg = svg != NULL, .folder = -1 };
  g_autofree char *path = stasis_cli_image_path (cli, file, error);
  StasisDriver *driver = NULL;
  if (path == NULL || !target_init (&target, path, error)
      || !stasis_cli_files_driver (cli, &driver, error))
    return FALSE;
  g_autoptr (GBytes) picture
      = stasis_driver_draw_image_map (driver, path, target.is_svg ? "svg" : "png", NULL, error);
  return picture != NULL && write_picture (cli, picture, &target, error);
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
  .description = N_ ("Draw which pages of the guest's memory have data and which are zero, or, of\n"
                     "an incremental image, in its parent. Needs an image whose memory lies in\n"
                     "place (stasis, libvirt-sparse)."),
  .options = map_options,
  .run = run_map,
};
