/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-host.c: which host, and which state directory of it
 *
 * The machine id is the same on hosts that were made from one image, so it is told for people only
 * (hashed, for machine-id(5) asks to keep it from others); what tells kernels apart is the boot id.
 * Two drivers on one host, a session's and the system's, may migrate to each other.
 */

#include "config.h"

#include "driver/migrate-host.h"

#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static char *
read_line (const char *path)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL) || *g_strstrip (text) == '\0')
    return NULL;
  return g_steal_pointer (&text);
}

/* (nullable) */
static char *
hash_machine_id (void)
{
  g_autofree char *id = read_line ("/etc/machine-id");
  if (id == NULL)
    return NULL;
  g_autofree char *text = g_strconcat ("stasis-migration ", id, NULL);
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  return g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", sum, sum + 8, sum + 12, sum + 16, sum + 20);
}

/* By what it is, for it may have several names; by its name before it is made. */
static char *
name_state (const StasisPaths *paths)
{
  struct stat st = { 0 };
  const gboolean is_there = stat (paths->lib, &st) == 0;
  g_autofree char *text
      = g_strdup_printf ("%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, is_there ? "" : paths->lib,
                         (guint64) st.st_dev, (guint64) st.st_ino);
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  return g_strndup (sum, 16);
}

/* This one. */
void
stasis_migrate_host_fill (StasisMigrateHost *host, const StasisPaths *paths)
{
  host->name = g_strdup (g_get_host_name ());
  host->uuid = hash_machine_id ();
  host->boot_id = read_line ("/proc/sys/kernel/random/boot_id");
  host->state = name_state (paths);
}

/* Free what is in it. */
void
stasis_migrate_host_clear (StasisMigrateHost *host)
{
  g_clear_pointer (&host->name, g_free);
  g_clear_pointer (&host->uuid, g_free);
  g_clear_pointer (&host->boot_id, g_free);
  g_clear_pointer (&host->state, g_free);
}

/* The same kernel? */
gboolean
stasis_migrate_host_is_same (const StasisMigrateHost *a, const StasisMigrateHost *b)
{
  return a->boot_id != NULL && g_strcmp0 (a->boot_id, b->boot_id) == 0;
}

/* Not onto itself. */
gboolean
stasis_migrate_host_check_other (const StasisMigrateHost *source, const StasisMigrateHost *dest,
                                 GError **error)
{
  if (!stasis_migrate_host_is_same (source, dest) || g_strcmp0 (source->state, dest->state) != 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("source and destination are the same: '%s', with the same state directory"),
               dest->name);
  return FALSE;
}
