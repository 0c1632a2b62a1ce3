/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-journal.c: what the status file keeps of a migration
 */

#include "config.h"

#include "driver/migrate-journal.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-secret.h"
#include "driver/migrate-token.h"
#include "driver/migration-end.h"
#include "util/json-path.h"

#define DOORS_MAX  16u
#define COPIED_MAX 1024u
#define PEERS_MAX  16u

StasisMigrateJournal *
stasis_migrate_journal_new (const char *token)
{
  StasisMigrateJournal *journal = g_new0 (StasisMigrateJournal, 1);
  journal->token = g_strdup (token);
  journal->doors = g_new0 (char *, 1);
  return journal;
}

StasisMigrateJournal *
stasis_migrate_journal_copy (const StasisMigrateJournal *journal)
{
  StasisMigrateJournal *copy = g_memdup2 (journal, sizeof *journal);
  copy->token = g_strdup (journal->token);
  copy->secret = g_strdup (journal->secret);
  copy->peer = g_strdup (journal->peer);
  copy->doors = g_strdupv (journal->doors);
  copy->note = g_strdup (journal->note);
  copy->verdicts = g_strdup (journal->verdicts);
  copy->copied = g_strdupv (journal->copied);
  copy->copies_to = g_strdupv (journal->copies_to);
  if (journal->parameters != NULL)
    copy->parameters = stasis_json_ref (journal->parameters);
  return copy;
}

/* NULL is fine. */
void
stasis_migrate_journal_free (StasisMigrateJournal *journal)
{
  if (journal == NULL)
    return;
  g_free (journal->token);
  g_free (journal->secret);
  g_free (journal->peer);
  g_strfreev (journal->doors);
  g_free (journal->note);
  g_free (journal->verdicts);
  g_strfreev (journal->copied);
  g_strfreev (journal->copies_to);
  stasis_json_unref (journal->parameters);
  g_free (journal);
}

static StasisJson *
strings_to_json (char **strings)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; strings[i] != NULL; i++)
    stasis_json_array_append_string (array, strings[i]);
  return array;
}

StasisJson *
stasis_migrate_journal_to_json (const StasisMigrateJournal *journal)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "token", journal->token);
  if (journal->secret != NULL)
    stasis_json_set_string (json, "secret", journal->secret);
  if (journal->peer != NULL)
    stasis_json_set_string (json, "peer", journal->peer);
  stasis_json_set (json, "doors", strings_to_json (journal->doors));
  stasis_json_set_path (json, "note", journal->note);
  if (journal->copied != NULL)
    stasis_json_set (json, "copied-disks", strings_to_json (journal->copied));
  if (journal->copies_to != NULL)
    stasis_json_set (json, "copies-to", strings_to_json (journal->copies_to));
  stasis_json_set_path (json, "verdicts", journal->verdicts);
  stasis_json_set_uint (json, "flags", journal->flags);
  stasis_json_set_boolean (json, "was-running", journal->was_running);
  if (journal->is_postcopy)
    stasis_json_set_boolean (json, "postcopy", TRUE);
  if (journal->is_kept)
    stasis_json_set_boolean (json, "kept", TRUE);
  if (journal->parameters != NULL)
    stasis_json_set (json, "migrate-parameters", stasis_json_ref (journal->parameters));
  return json;
}

static char **
strings_from_json (const StasisJson *json, guint max)
{
  GPtrArray *strings = g_ptr_array_new ();
  if (json != NULL && stasis_json_kind (json) == STASIS_JSON_ARRAY)
    for (guint i = 0; i < stasis_json_array_length (json) && strings->len < max; i++)
      {
        const char *string = stasis_json_string (stasis_json_array_get (json, i), NULL);
        if (string != NULL)
          g_ptr_array_add (strings, g_strdup (string));
      }
  g_ptr_array_add (strings, NULL);
  return (char **) g_ptr_array_free (strings, FALSE);
}

StasisMigrateJournal *
stasis_migrate_journal_from_json (const StasisJson *json)
{
  const char *token = stasis_json_string (stasis_json_get (json, "token"), NULL);
  const char *secret = stasis_json_string (stasis_json_get (json, "secret"), NULL);
  const StasisJson *parameters = stasis_json_get (json, "migrate-parameters");
  if (!stasis_migrate_token_is_valid (token))
    return NULL;
  StasisMigrateJournal *journal = stasis_migrate_journal_new (token);
  if (stasis_migrate_secret_is_valid (secret))
    journal->secret = g_strdup (secret);
  g_strfreev (journal->doors);
  journal->doors = strings_from_json (stasis_json_get (json, "doors"), DOORS_MAX);
  if (stasis_json_get (json, "copied-disks") != NULL)
    journal->copied = strings_from_json (stasis_json_get (json, "copied-disks"), COPIED_MAX);
  if (stasis_json_get (json, "copies-to") != NULL)
    journal->copies_to = strings_from_json (stasis_json_get (json, "copies-to"), PEERS_MAX);
  journal->peer = g_strdup (stasis_json_string (stasis_json_get (json, "peer"), NULL));
  journal->note = stasis_json_dup_path (json, "note");
  journal->verdicts = stasis_json_dup_path (json, "verdicts");
  journal->flags = stasis_json_uint (stasis_json_get (json, "flags"), 0);
  journal->was_running = stasis_json_boolean (stasis_json_get (json, "was-running"), FALSE);
  journal->is_postcopy = stasis_json_boolean (stasis_json_get (json, "postcopy"), FALSE);
  journal->is_kept = stasis_json_boolean (stasis_json_get (json, "kept"), FALSE);
  if (parameters != NULL)
    journal->parameters = stasis_migration_pick_parameters (parameters);
  return journal;
}

gboolean
stasis_migrate_journal_read (const StasisJson *json, const char *name, StasisMigrateJournal **out,
                             GError **error)
{
  const StasisJson *member = stasis_json_get (json, name);
  *out = stasis_migrate_journal_from_json (member);
  if (*out != NULL || member == NULL)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%s' makes no sense"), name);
  return FALSE;
}
