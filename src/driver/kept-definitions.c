/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept-definitions.c: the definitions of a running domain as they were before a job changed them
 */

#include "config.h"

#include "driver/kept-definitions.h"

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/domain-private.h"
#include "driver/hook-marks.h"
#include "util/fd.h"

#define LIVE_BEFORE       STASIS_LIVE_XML ".before"
#define HOOK_BEFORE       STASIS_HOOK_XML ".before"
#define PERSISTENT_BEFORE "definition.before"
#define XML_MODE          0600

static gboolean
copy (const char *from, const char *to, GError **error)
{
  g_autofree char *octets = NULL;
  gsize size = 0;
  g_autoptr (GError) local = NULL;
  if (g_file_get_contents (from, &octets, &size, &local))
    return stasis_atomic_file_write (to, octets, size, XML_MODE, error);
  if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED, local->message);
  return FALSE;
}

/* Keep them. */
gboolean
stasis_kept_definitions_begin (const char *folder, const StasisStatus *status, GError **error)
{
  g_autofree char *live = g_build_filename (folder, STASIS_LIVE_XML, NULL);
  g_autofree char *live_before = g_build_filename (folder, LIVE_BEFORE, NULL);
  g_autofree char *persistent_before = g_build_filename (folder, PERSISTENT_BEFORE, NULL);
  g_autofree char *hook = g_build_filename (folder, STASIS_HOOK_XML, NULL);
  g_autofree char *hook_before = g_build_filename (folder, HOOK_BEFORE, NULL);
  stasis_kept_definitions_drop (folder);
  return copy (status->definition, persistent_before, error) && copy (hook, hook_before, error)
         && copy (live, live_before, error);
}

/* The live one was kept last. */
gboolean
stasis_kept_definitions_are_there (const char *folder)
{
  g_autofree char *live_before = g_build_filename (folder, LIVE_BEFORE, NULL);
  return g_file_test (live_before, G_FILE_TEST_EXISTS);
}

/* As they were. */
gboolean
stasis_kept_definitions_restore (const char *folder, const StasisStatus *status, GError **error)
{
  g_autofree char *live = g_build_filename (folder, STASIS_LIVE_XML, NULL);
  g_autofree char *live_before = g_build_filename (folder, LIVE_BEFORE, NULL);
  g_autofree char *persistent_before = g_build_filename (folder, PERSISTENT_BEFORE, NULL);
  g_autofree char *hook = g_build_filename (folder, STASIS_HOOK_XML, NULL);
  g_autofree char *hook_before = g_build_filename (folder, HOOK_BEFORE, NULL);
  if (stasis_kept_definitions_are_there (folder)
      && (!copy (persistent_before, status->definition, error) || !copy (hook_before, hook, error)
          || !copy (live_before, live, error)))
    return FALSE;
  stasis_kept_definitions_drop (folder);
  return TRUE;
}

static void
drop (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  if (unlink (path) < 0 && errno != ENOENT)
    g_debug ("'%s': %s", path, g_strerror (errno));
}

/* Not needed any more. */
void
stasis_kept_definitions_drop (const char *folder)
{
  drop (folder, LIVE_BEFORE);
  drop (folder, HOOK_BEFORE);
  drop (folder, PERSISTENT_BEFORE);
}
