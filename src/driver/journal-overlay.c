/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal-overlay.c: the overlays that a job lays over disks, as its journal notes them
 */

#include "config.h"

#include "driver/journal-overlay.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"
#include "util/json-path.h"

#define OVERLAYS_MAX 4096u

static void
free_overlay (gpointer data)
{
  StasisJournalOverlay *overlay = data;
  g_free (overlay->path);
  g_free (overlay->temp);
  g_free (overlay->node);
  g_free (overlay->overlay);
  g_free (overlay);
}

/* Of StasisJournalOverlay. */
GPtrArray *
stasis_journal_overlays_new (void)
{
  return g_ptr_array_new_with_free_func (free_overlay);
}

static StasisJson *
to_json (const StasisJournalOverlay *overlay)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_path (json, "path", overlay->path);
  stasis_json_set_path (json, "temp", overlay->temp);
  stasis_json_set_uint (json, "device", overlay->file.device);
  stasis_json_set_uint (json, "inode", overlay->file.inode);
  stasis_json_set_int (json, "mtime-ns", overlay->mtime_ns);
  if (overlay->node != NULL)
    stasis_json_set_string (json, "node", overlay->node);
  if (overlay->overlay != NULL)
    stasis_json_set_string (json, "overlay", overlay->overlay);
  stasis_json_set_int (json, "fdset", overlay->fdset);
  return json;
}

StasisJson *
stasis_journal_overlays_to_json (const GPtrArray *overlays)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < overlays->len; i++)
    stasis_json_array_append (array, to_json (g_ptr_array_index (overlays, i)));
  return array;
}

GPtrArray *
stasis_journal_overlays_from_json (const StasisJson *json)
{
  if (json == NULL || stasis_json_kind (json) != STASIS_JSON_ARRAY)
    return NULL;
  GPtrArray *overlays = stasis_journal_overlays_new ();
  for (guint i = 0; i < MIN (stasis_json_array_length (json), OVERLAYS_MAX); i++)
    {
      const StasisJson *one = stasis_json_array_get (json, i);
      g_autofree char *path = stasis_json_dup_path (one, "path");
      if (path == NULL)
        continue;
      StasisJournalOverlay *overlay = g_new0 (StasisJournalOverlay, 1);
      overlay->path = g_steal_pointer (&path);
      overlay->temp = stasis_json_dup_path (one, "temp");
      overlay->file.device = stasis_json_uint (stasis_json_get (one, "device"), 0);
      overlay->file.inode = stasis_json_uint (stasis_json_get (one, "inode"), 0);
      overlay->mtime_ns = stasis_json_int (stasis_json_get (one, "mtime-ns"), 0);
      overlay->node = g_strdup (stasis_json_string (stasis_json_get (one, "node"), NULL));
      overlay->overlay = g_strdup (stasis_json_string (stasis_json_get (one, "overlay"), NULL));
      overlay->fdset = stasis_json_int (stasis_json_get (one, "fdset"), -1);
      g_ptr_array_add (overlays, overlay);
    }
  return overlays;
}

static gboolean
is_file (const char *path, const StasisJournalOverlay *overlay, struct stat *out_st)
{
  return path != NULL && lstat (path, out_st) == 0 && out_st->st_dev == overlay->file.device
         && out_st->st_ino == overlay->file.inode;
}

static gboolean
unlink_one (const char *path, const StasisJournalOverlay *overlay, GError **error)
{
  struct stat st;
  if (!is_file (path, overlay, &st) || unlink (path) == 0 || errno == ENOENT)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot remove '%s'"), path);
}

/* The files. */
gboolean
stasis_journal_overlays_unlink (const GPtrArray *overlays, GError **error)
{
  gboolean ok = TRUE;
  for (guint i = 0; overlays != NULL && i < overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (overlays, i);
      ok = unlink_one (overlay->temp, overlay, ok ? error : NULL) && ok;
      ok = unlink_one (overlay->path, overlay, ok ? error : NULL) && ok;
    }
  return ok;
}

/* Whether one has been written to. */
gboolean
stasis_journal_overlays_are_written (const GPtrArray *overlays)
{
  for (guint i = 0; i < overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (overlays, i);
      struct stat st;
      if (is_file (overlay->path, overlay, &st)
          && (gint64) st.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + st.st_mtim.tv_nsec
                 != overlay->mtime_ns)
        return TRUE;
    }
  return FALSE;
}
