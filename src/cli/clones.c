/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clones.c: restore --clone
 */

#include "config.h"

#include "cli/clones.h"

#include <stdio.h>

#include <glib/gi18n.h>

#include "cli/job.h"
#include "cli/progress.h"

static gboolean
read_count (const StasisCliArgs *args, guint *out_count, GError **error)
{
  const char *text = stasis_cli_args_get (args, "count");
  guint64 count = 1;
  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, STASIS_CLONES_MAX, &count, NULL))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("--count is a number from 1 to %1$u, not '%2$s'"), STASIS_CLONES_MAX, text);
      return FALSE;
    }
  *out_count = (guint) count;
  return TRUE;
}

/* Do they make sense? */
gboolean
stasis_cli_clones_check (const StasisCliArgs *args, GError **error)
{
  guint count = 0;
  const char *fault = NULL;
  if (stasis_cli_args_has (args, "count") && !stasis_cli_args_has (args, "clone"))
    fault = _ ("--count is for --clone");
  else if (stasis_cli_args_has (args, "clone")
           && g_str_equal (stasis_cli_args_get (args, "file"), "-"))
    fault = _ ("clones use the image as long as they run: it has to be a file");
  if (fault == NULL)
    return read_count (args, &count, error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, fault);
  return FALSE;
}

static StasisJson *
domains_to_json (const StasisClones *clones)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < clones->domains->len; i++)
    {
      StasisDomain *domain = g_ptr_array_index (clones->domains, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
      stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
      stasis_json_set_int (object, "id", stasis_domain_get_id (domain));
      stasis_json_array_append (array, object);
    }
  return array;
}

static StasisJson *
warnings_to_json (const StasisClones *clones)
{
  StasisJson *array = stasis_json_new_array ();
  for (gsize i = 0; clones->warnings[i] != NULL; i++)
    stasis_json_array_append (array, stasis_json_new_string (clones->warnings[i]));
  return array;
}

/* @clones (nullable): none where that failed. */
static void
print_json (StasisCli *cli, const StasisCliJob *job, const StasisClones *clones, const char *path)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  if (clones != NULL)
    {
      stasis_json_set (object, "clones", domains_to_json (clones));
      stasis_json_set (object, "warnings", warnings_to_json (clones));
    }
  stasis_json_set_string (object, "file", path);
  stasis_cli_print_json (cli, object);
}

static void
print_text (StasisCli *cli, const StasisClones *clones, const char *file)
{
  for (guint i = 0; i < clones->domains->len; i++)
    stasis_cli_say (cli, _ ("Domain '%1$s' cloned from %2$s\n"),
                    stasis_domain_get_name (g_ptr_array_index (clones->domains, i)), file);
  for (gsize i = 0; clones->warnings[i] != NULL && !cli->quiet; i++)
    fprintf (stderr, _ ("warning: %s\n"), clones->warnings[i]);
}

/* Start them. */
gboolean
stasis_cli_clones_run (StasisCli *cli, const StasisCliArgs *args, const char *path, const char *xml,
                       guint flags, GError **error)
{
  StasisCloneRequest request
      = { .path = path, .name = stasis_cli_args_get (args, "clone"), .xml = xml, .flags = flags };
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL || !read_count (args, &request.count, error))
    return FALSE;
  const char *file = stasis_cli_args_get (args, "file");
  const gboolean json = stasis_cli_args_has (args, "json");
  stasis_cli_doing (cli, _ ("failed to clone %1$s"), file);
  g_autoptr (StasisCliJob) job
      = stasis_cli_job_begin (cli, _ ("Clone"), _ ("cancelling: no clone will be left"),
                              stasis_cli_args_has (args, "verbose"), json);
  g_autoptr (GError) failure = NULL;
  g_autoptr (StasisClones) clones = stasis_driver_clone (
      driver, &request, stasis_cli_progress_update, stasis_cli_job_progress (job),
      stasis_cli_job_cancellable (job), &failure);
  stasis_cli_job_end (job, failure);
  if (json && (clones != NULL || stasis_cli_job_has_begun (job)))
    print_json (cli, job, clones, path);
  if (clones == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (!json)
    print_text (cli, clones, file);
  return TRUE;
}
