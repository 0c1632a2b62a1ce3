/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-reasons.c: what stands against a migration, as JSON
 *
 * An array of objects: "what", "ok", "text" or null.  It comes from another host: what a reader
 * does not understand makes the whole of it an error, for a list that lacks a reason would be a
 * promise.  Members that are not known are none of a reader's business.
 */

#include "config.h"

#include "driver/migrate-reasons.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/json.h"

/**
 * stasis_migrate_reason_free:
 * @self: (nullable): a reason
 *
 * Frees it.
 */
void
stasis_migrate_reason_free (StasisMigrateReason *self)
{
  if (self == NULL)
    return;

  g_free (self->what);
  g_free (self->text);
  g_free (self);
}

GPtrArray *
stasis_migrate_reasons_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_migrate_reason_free);
}

static void
append (GPtrArray *reasons, const char *what, gboolean is_ok, const char *text)
{
  StasisMigrateReason *reason = g_new0 (StasisMigrateReason, 1);
  reason->what = g_strdup (what);
  reason->is_ok = is_ok;
  reason->text = g_strdup (text);
  g_ptr_array_add (reasons, reason);
}

void
stasis_migrate_reasons_add (GPtrArray *reasons, const char *what, GError *error_take)
{
  append (reasons, what, error_take == NULL, error_take != NULL ? error_take->message : NULL);
  g_clear_error (&error_take);
}

char *
stasis_migrate_reasons_format (const GPtrArray *reasons)
{
  g_autoptr (StasisJson) array = stasis_json_new_array ();
  for (guint i = 0; i < reasons->len; i++)
    {
      const StasisMigrateReason *reason = g_ptr_array_index (reasons, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "what", reason->what);
      stasis_json_set_boolean (object, "ok", reason->is_ok);
      if (reason->text != NULL)
        stasis_json_set_string (object, "text", reason->text);
      else
        stasis_json_set (object, "text", stasis_json_new_null ());
      stasis_json_array_append (array, object);
    }
  return stasis_json_to_string (array);
}

static gboolean
read_one (const StasisJson *object, GPtrArray *reasons, GError **error)
{
  const char *what = NULL;
  gboolean is_ok = FALSE;
  if (stasis_json_kind (object) != STASIS_JSON_OBJECT)
    {
      g_set_error_literal (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE, _ ("not an object"));
      return FALSE;
    }
  if (!stasis_json_need_string (object, "what", &what, error)
      || !stasis_json_need_boolean (object, "ok", &is_ok, error))
    return FALSE;
  append (reasons, what, is_ok, stasis_json_string (stasis_json_get (object, "text"), NULL));
  return TRUE;
}

static gboolean
check_size (const char *text, const StasisJson *array, GError **error)
{
  if (array == NULL
          ? strnlen (text, STASIS_MIGRATE_REASONS_SIZE_MAX + 1) <= STASIS_MIGRATE_REASONS_SIZE_MAX
          : stasis_json_kind (array) == STASIS_JSON_ARRAY
                && stasis_json_array_length (array) <= STASIS_MIGRATE_REASONS_MAX)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                       _ ("what the destination says of the migration makes no sense"));
  return FALSE;
}

GPtrArray *
stasis_migrate_reasons_parse (const char *text, GError **error)
{
  if (!check_size (text, NULL, error))
    return NULL;
  g_autoptr (StasisJson) array = stasis_json_parse (text, -1, error);
  g_autoptr (GPtrArray) reasons = stasis_migrate_reasons_new ();
  if (array == NULL || !check_size (text, array, error))
    return NULL;
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    if (!read_one (stasis_json_array_get (array, i), reasons, error))
      return NULL;
  return g_steal_pointer (&reasons);
}
