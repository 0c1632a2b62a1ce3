/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-place.c: where a save image goes: a file by its name, or a descriptor
 *
 * A file by its name is written beside it and renamed, whatever the kind of image.  Everything
 * else is a stream: standard output, an inherited descriptor, a FIFO.
 */

#include "config.h"

#include "driver/save-place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"
#include "util/safe-open.h"

#define READER_MS 100 /* between two tries to open a FIFO; no event tells of a reader */

static gboolean
refuse (GError **error, const char *name, const char *reason)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, "%s %s", name, reason);
  return FALSE;
}

static gboolean
check_descriptor (const StasisSavePlace *place, GError **error)
{
  struct stat st;
  const int flags = fcntl (place->fd, F_GETFL);
  if (flags < 0 || fstat (place->fd, &st) < 0)
    return stasis_throw_errno (error, "%s", place->name);
  if (isatty (place->fd))
    return refuse (error, place->name, _ ("is a terminal: send the image into a file or a pipe"));
  if (!S_ISREG (st.st_mode) && !S_ISFIFO (st.st_mode) && !S_ISSOCK (st.st_mode))
    return refuse (error, place->name, _ ("is neither a file nor a pipe nor a socket"));
  if ((flags & O_ACCMODE) == O_RDONLY)
    return refuse (error, place->name, _ ("is open for reading only"));
  return TRUE;
}

/* Whoever planted a FIFO where a file was to be written would get the guest, and root would end it
 * for him. */
static gboolean
check_fifo (int fd, const char *path, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  if (!S_ISFIFO (st.st_mode))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("'%s' is no pipe any more"), path);
  else if (st.st_uid != 0 && st.st_uid != geteuid ())
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                 _ ("'%1$s' is a FIFO that belongs to user %2$u, neither to root nor to you, and "
                    "its reader would have the guest; '-' with a redirection ('>'), or --fd, "
                    "writes to it anyway"),
                 path, (guint) st.st_uid);
  else
    return TRUE;
  return FALSE;
}

/* The very pipe that was seen there, open for nothing yet. */
static int
open_fifo (const char *path, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (path, O_PATH, error);
  return fd >= 0 && check_fifo (fd, path, error) ? stasis_fd_steal (&fd) : -1;
}

static gboolean
resolve_path (StasisSavePlace *place, const char *path, GError **error)
{
  struct stat st;
  place->name = g_strdup (path);
  if (stat (path, &st) == 0 && S_ISFIFO (st.st_mode))
    {
      place->fifo = open_fifo (path, error);
      return place->fifo >= 0;
    }
  place->target = stasis_save_target_new (path, error);
  return place->target != NULL;
}

/* Look at the place, and touch nothing. */
StasisSavePlace *
stasis_save_place_new (const char *path, int fd, const char *fd_name, GError **error)
{
  g_autoptr (StasisSavePlace) place = g_new0 (StasisSavePlace, 1);
  place->fd = place->own_fd = place->fifo = -1;
  if (path != NULL)
    return resolve_path (place, path, error) ? g_steal_pointer (&place) : NULL;

  place->fd = fd;
  place->name
      = fd_name != NULL ? g_strdup (fd_name) : g_strdup_printf (_ ("file descriptor %d"), fd);
  return check_descriptor (place, error) ? g_steal_pointer (&place) : NULL;
}

/* TRUE where nothing that was written can be rewritten. */
gboolean
stasis_save_place_is_stream (const StasisSavePlace *place)
{
  return place->target == NULL;
}

/* Open a FIFO as soon as somebody reads it. */
gboolean
stasis_save_place_open (StasisSavePlace *place, GCancellable *cancellable, GError **error)
{
  g_autofree char *by_number = g_strdup_printf ("/proc/self/fd/%d", place->fifo);
  while (place->fifo >= 0 && place->own_fd < 0)
    {
      place->own_fd = open (by_number, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
      place->fd = place->own_fd;
      if (place->own_fd >= 0)
        break;
      if (errno != ENXIO && errno != EINTR)
        return stasis_throw_errno (error, "'%s'", place->name);

      struct pollfd cancelled = { .fd = -1, .events = POLLIN };
      if (cancellable != NULL)
        cancelled.fd = g_cancellable_get_fd (cancellable);
      poll (&cancelled, 1, READER_MS);
      if (cancelled.fd >= 0)
        g_cancellable_release_fd (cancellable);
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
    }
  return TRUE;
}

/* Begin the new file, or the way into the descriptor. */
gboolean
stasis_save_place_begin (StasisSavePlace *place, gsize keep, GError **error)
{
  if (place->target != NULL)
    {
      place->file = stasis_save_target_begin (place->target, error);
      return place->file != NULL;
    }
  place->sink = stasis_save_sink_new (place->fd, keep);
  stasis_save_sink_set_reader (place->sink, place->reader);
  return TRUE;
}

/* The descriptor of the new file. */
int
stasis_save_place_file_fd (const StasisSavePlace *place)
{
  return place->file != NULL ? stasis_atomic_file_fd (place->file) : -1;
}

/* Of what has gone into a descriptor there is nothing to be taken back. */
gboolean
stasis_save_place_note (const StasisSavePlace *place, StasisJournal *journal, GError **error)
{
  if (place->file == NULL)
    return TRUE;
  journal->target = g_strdup (place->target->path);
  journal->temp = g_strdup (stasis_atomic_file_temp_path (place->file));
  journal->replaced = place->target->seen;
  return stasis_file_id_of_fd (stasis_atomic_file_fd (place->file), &journal->image, error);
}

/* Octets of the image so far. */
guint64
stasis_save_place_written (const StasisSavePlace *place)
{
  struct stat st;
  if (place->sink != NULL)
    return stasis_save_sink_written (place->sink);
  return fstat (stasis_save_place_file_fd (place), &st) == 0 ? (guint64) st.st_size : 0;
}

/* NULL is fine. */
void
stasis_save_place_free (StasisSavePlace *place)
{
  if (place == NULL)
    return;

  stasis_save_sink_free (place->sink);
  stasis_atomic_file_free (place->file);
  stasis_fd_clear (&place->own_fd);
  stasis_fd_clear (&place->fifo);
  stasis_save_target_free (place->target);
  g_free (place->name);
  g_free (place);
}
