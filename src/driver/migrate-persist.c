/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-persist.c: the persistent definition that a guest brings along
 *
 * It is to be there if the guest begins here, and only then; who sees to that may be the
 * supervisor, long after the driver that prepared the migration has died.  So it waits in the run
 * folder, which goes with a guest that never begins.
 */

#include "config.h"

#include "driver/migrate-persist.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-verdict.h"
#include "driver/paths.h"
#include "util/fault.h"

#define KEPT     "definition.incoming"
#define XML_MODE 0600

gboolean
stasis_migrate_persist_keep (const char *folder, const char *xml, GError **error)
{
  g_autofree char *path = g_build_filename (folder, KEPT, NULL);
  return stasis_atomic_file_write (path, xml, strlen (xml), XML_MODE, error);
}

/* The link by its UUID is made by whoever misses it (registry.c). */
static gboolean
store (const char *definition, const char *xml, gsize size, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (definition);
  return stasis_fault ("migrate-persist", error) && stasis_paths_make (folder, error)
         && stasis_atomic_file_write (definition, xml, size, XML_MODE, error);
}

gboolean
stasis_migrate_persist_apply (const char *folder, StasisStatus *status, GError **error)
{
  g_autofree char *path = g_build_filename (folder, KEPT, NULL);
  g_autofree char *xml = NULL;
  gsize size = 0;
  g_autoptr (GError) local = NULL;
  const gboolean is_kept = g_file_get_contents (path, &xml, &size, &local);
  if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return TRUE;
  if (!is_kept || !store (status->definition, xml, size, is_kept ? &local : NULL))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                   _ ("the definition of domain '%1$s' cannot be stored: %2$s"), status->name,
                   local->message);
      return FALSE;
    }
  status->is_transient = FALSE;
  unlink (path);
  return TRUE;
}

/* The journal may not have come to say so. */
static gboolean
query_begun (const StasisJournal *journal, gboolean *out_has_begun, GError **error)
{
  const StasisMigrateJournal *migration = journal->migration;
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  *out_has_begun = journal->step == STASIS_STEP_MIGRATE_BEGUN;
  if (journal->step != STASIS_STEP_MIGRATE_INCOMING || migration == NULL
      || migration->verdicts == NULL)
    return TRUE;
  if (!stasis_migrate_verdict_get (migration->verdicts, migration->token, &verdict, error))
    return FALSE;
  *out_has_begun = verdict == STASIS_VERDICT_BEGUN;
  return TRUE;
}

gboolean
stasis_migrate_persist_end (const char *folder, StasisStatus *status, GError **error)
{
  gboolean has_begun = FALSE;
  if (!query_begun (&status->journal, &has_begun, error))
    return FALSE;
  return !has_begun || stasis_migrate_persist_apply (folder, status, error);
}
