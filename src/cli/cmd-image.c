/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-image.c: image info, image verify, image dumpxml, save-image-dumpxml
 */

#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/image-info.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

#define STATUS_DAMAGED 1
#define STATUS_TROUBLE 2

static gboolean
run_info (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to read save image %1$s"), file);
  const gboolean is_pipe = strcmp (file, "-") == 0;
  g_autofree char *path = is_pipe ? NULL : stasis_cli_image_path (cli, file, error);
  StasisDriver *driver = NULL;
  if (!is_pipe && (path == NULL || !stasis_cli_files_driver (cli, &driver, error)))
    return FALSE;
  g_autofree char *text = is_pipe ? stasis_image_get_info_json_fd (STDIN_FILENO, error)
                                  : stasis_driver_get_image_info (driver, path, error);
  if (text == NULL)
    return FALSE;
  g_autoptr (StasisJson) json = stasis_json_parse (text, -1, error);
  if (json == NULL)
    return FALSE;

  if (stasis_cli_args_has (args, "json"))
    {
      stasis_cli_print_json (cli, stasis_cli_image_info_to_json (json));
      return TRUE;
    }
  g_autofree char *lines = stasis_cli_image_info_to_text (json);
  stasis_cli_print_text (cli, lines);
  return TRUE;
}

static const StasisCliOption info_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("saved state file to read") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_image_info = {
  .name = "image info",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("what a save image says of itself"),
  .description = N_ ("Show the kind and version of a save image, the domain in it, when and by\n"
                     "what it was written, its sizes and disks; of one that is not ours what\n"
                     "QEMU's stream tells. Reads of ours the head only; see 'image verify' for\n"
                     "a check. The file may be - for standard input."),
  .options = info_options,
  .run = run_info,
};

static gboolean
run_dumpxml (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to read save image %1$s"), file);
  g_autofree char *path = stasis_cli_image_path (cli, file, error);
  StasisDriver *driver = NULL;
  if (path == NULL || !stasis_cli_files_driver (cli, &driver, error))
    return FALSE;
  const guint flags
      = stasis_cli_args_has (args, "security-info") ? STASIS_XML_SECURE : STASIS_XML_NONE;
  g_autofree char *xml = stasis_driver_get_image_xml (driver, path, flags, error);
  if (xml == NULL)
    return FALSE;
  stasis_cli_print_text (cli, xml);
  return TRUE;
}

static const StasisCliOption dumpxml_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("saved state file to read") },
  { "security-info", STASIS_CLI_FLAG, NULL,
    N_ ("include security sensitive information in XML dump") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_image_dumpxml = {
  .name = "image dumpxml",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("saved state domain information in XML"),
  .description = N_ ("The same as 'save-image-dumpxml'."),
  .options = dumpxml_options,
  .run = run_dumpxml,
};

const StasisCliCommand stasis_cmd_save_image_dumpxml = {
  .name = "save-image-dumpxml",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("saved state domain information in XML"),
  .description = N_ ("Dump XML of domain information for a saved state file to stdout."),
  .options = dumpxml_options,
  .run = run_dumpxml,
};

static void
print_damages (StasisCli *cli, const GPtrArray *damages)
{
  for (guint i = 0; damages != NULL && i < damages->len; i++)
    {
      const StasisImageDamage *damage = g_ptr_array_index (damages, i);
      if (damage->length > 0)
        stasis_cli_print (cli, _ ("octets %1$" PRIu64 " to %2$" PRIu64 ": %3$s\n"), damage->offset,
                          damage->offset + damage->length - 1, damage->what);
      else
        stasis_cli_print (cli, _ ("octet %1$" PRIu64 ": %2$s\n"), damage->offset, damage->what);
    }
}

static StasisJson *
damages_to_json (const GPtrArray *damages)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; damages != NULL && i < damages->len; i++)
    {
      const StasisImageDamage *damage = g_ptr_array_index (damages, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_uint (object, "offset", damage->offset);
      stasis_json_set_uint (object, "length", damage->length);
      stasis_json_set_string (object, "what", damage->what);
      stasis_json_array_append (array, object);
    }
  return array;
}

static void
print_verdict (StasisCli *cli, const StasisCliJob *job, const char *path, StasisJson *good_take,
               const GError *error, const GPtrArray *damages)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "file", path);
  stasis_json_set (object, "good", good_take);
  stasis_json_set (object, "error",
                   error != NULL ? stasis_json_new_string (error->message)
                                 : stasis_json_new_null ());
  stasis_json_set (object, "damages", damages_to_json (damages));
  stasis_json_set (object, "statistics", stasis_cli_job_to_json (job));
  stasis_cli_print_json (cli, object);
}

/* Say what was found.  TRUE where the image is good. */
static gboolean
tell_verdict (StasisCli *cli, const StasisCliArgs *args, const StasisCliJob *job, const char *path,
              const GPtrArray *damages, const GError *failure)
{
  const gboolean is_good = failure == NULL;
  if (stasis_cli_args_has (args, "json"))
    print_verdict (cli, job, path, stasis_json_new_boolean (is_good), failure, damages);
  else if (is_good)
    stasis_cli_say (cli, _ ("Save image %1$s is good\n"), stasis_cli_args_get (args, "file"));
  else
    print_damages (cli, damages);
  return is_good;
}

/* A cancelled check is told in one line. */
static gboolean
not_looked_at (StasisCli *cli, const StasisCliArgs *args, const StasisCliJob *job, const char *path,
               GError *failure_take, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  g_autoptr (GError) failure = failure_take;
  if (stasis_cli_args_has (args, "json") && stasis_cli_job_has_begun (job))
    print_verdict (cli, job, path, stasis_json_new_null (), failure, NULL);
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_pointer (&cli->doing, g_free);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                   _ ("check of save image %1$s cancelled: nothing is known of it"), file);
    }
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
run_verify (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to look at save image %1$s"), file);
  const gboolean is_pipe = strcmp (file, "-") == 0;
  g_autofree char *path
      = is_pipe ? g_strdup ("/dev/stdin") : stasis_cli_image_path (cli, file, error);
  if (path == NULL)
    return FALSE;

  g_autoptr (StasisCliJob) job = stasis_cli_job_begin (cli, _ ("Verify"), _ ("cancelling"),
                                                       stasis_cli_args_has (args, "verbose"),
                                                       stasis_cli_args_has (args, "json"));
  g_autoptr (GPtrArray) damages = NULL;
  g_autoptr (GError) failure = NULL;
  gpointer progress = stasis_cli_job_progress (job);
  GCancellable *cancellable = stasis_cli_job_cancellable (job);
  const gboolean is_good
      = is_pipe ? stasis_image_check_fd (driver, STDIN_FILENO, &damages, stasis_cli_progress_update,
                                         progress, cancellable, &failure)
                : stasis_image_check (driver, path, &damages, stasis_cli_progress_update, progress,
                                      cancellable, &failure);
  stasis_cli_job_end (job, failure);

  if (!is_good && !g_error_matches (failure, STASIS_ERROR, STASIS_ERROR_IMAGE))
    return not_looked_at (cli, args, job, path, g_steal_pointer (&failure), error);
  if (tell_verdict (cli, args, job, path, damages, failure))
    return TRUE;
  cli->status = STATUS_DAMAGED;
  stasis_cli_doing (cli, _ ("save image %1$s is damaged"), file);
  /* The places have been told; what could not be read as an image at all has a reason only. */
  if (damages == NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static const StasisCliOption verify_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("saved state file to check; - for standard input") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of the check") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print the verdict as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_image_verify = {
  .name = "image verify",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("check every octet of a save image"),
  .description = N_ ("Compare a save image of any kind with the checksums that it has, go over\n"
                     "QEMU's stream in it, and list the places that are damaged. Exits\n"
                     "with 0 where it is good, 1 where it is damaged, 2 where it could not be\n"
                     "looked at. The file may be - for standard input."),
  .options = verify_options,
  .trouble_status = STATUS_TROUBLE,
  .run = run_verify,
};
