/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-restore.c: restore
 */

#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/clones.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

/* --load says how the memory comes into QEMU. */
static gboolean
load_flag (const StasisCliArgs *args, guint *flags, GError **error)
{
  const char *load = stasis_cli_args_get (args, "load");
  if (load == NULL || g_str_equal (load, "auto") || g_str_equal (load, "instant"))
    return TRUE;
  if (g_str_equal (load, "parallel"))
    {
      *flags |= STASIS_RESTORE_PARALLEL;
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("--load is 'auto', 'instant' or 'parallel', not '%s'"), load);
  return FALSE;
}

/* --verify says when the image is verified. */
static gboolean
verify_flag (const StasisCliArgs *args, guint *flags, GError **error)
{
  static const struct
  {
    const char *name;
    guint flag;
  } ways[] = {
    { "auto", 0 },
    { "full", STASIS_RESTORE_VERIFY_FULL },
    { "background", STASIS_RESTORE_VERIFY_BACKGROUND },
    { "none", STASIS_RESTORE_VERIFY_NONE },
  };
  const char *verify = stasis_cli_args_get (args, "verify");
  if (verify == NULL)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    if (g_str_equal (verify, ways[i].name))
      {
        *flags |= ways[i].flag;
        return TRUE;
      }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("--verify is 'auto', 'full', 'background' or 'none', not '%s'"), verify);
  return FALSE;
}

static gboolean
restore_flags (const StasisCliArgs *args, guint *out_flags, GError **error)
{
  if (!stasis_cli_args_exclusive (args, "running", "paused", error))
    return FALSE;

  guint flags = STASIS_RESTORE_NONE;
  stasis_cli_args_flag (args, "bypass-cache", STASIS_RESTORE_BYPASS_CACHE, &flags);
  stasis_cli_args_flag (args, "running", STASIS_RESTORE_RUNNING, &flags);
  stasis_cli_args_flag (args, "paused", STASIS_RESTORE_PAUSED, &flags);
  stasis_cli_args_flag (args, "force", STASIS_RESTORE_FORCE, &flags);
  stasis_cli_args_flag (args, "trust", STASIS_RESTORE_TRUST, &flags);
  stasis_cli_args_flag (args, "flat", STASIS_RESTORE_FLAT, &flags);
  if (!load_flag (args, &flags, error) || !verify_flag (args, &flags, error))
    return FALSE;
  *out_flags = flags;
  return TRUE;
}

/* @domain (nullable): none where the restore failed. */
static void
print_stats (StasisCli *cli, const StasisCliJob *job, StasisDomain *domain, const char *path)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  if (domain != NULL)
    {
      stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
      stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
      stasis_json_set_int (object, "id", stasis_domain_get_id (domain));
    }
  stasis_json_set_string (object, "file", path);
  stasis_cli_print_json (cli, object);
}

/* Who asked for an instant restore and did not get it is told why, also without --verbose. */
static void
warn_of_engine (const StasisCli *cli, const StasisCliArgs *args, const StasisCliJob *job,
                StasisDomain *domain)
{
  g_autofree char *image = stasis_domain_get_memory_image (domain, NULL, NULL);
  if (g_strcmp0 (stasis_cli_args_get (args, "load"), "instant") != 0 || image != NULL || cli->quiet
      || stasis_cli_args_has (args, "verbose") || stasis_cli_args_has (args, "json"))
    return;
  g_autoptr (StasisJson) stats = stasis_cli_job_to_json (job);
  const char *engine = stasis_json_string (stasis_json_get (stats, "engine"), NULL);
  if (engine != NULL)
    fprintf (stderr, _ ("warning: %s\n"), engine);
}

/* A cancelled restore is told in one line. */
static gboolean
restore_failed (StasisCli *cli, const StasisCliArgs *args, const StasisCliJob *job,
                const char *path, GError *failure_take, GError **error)
{
  g_autoptr (GError) failure = failure_take;
  if (stasis_cli_args_has (args, "json") && stasis_cli_job_has_begun (job))
    print_stats (cli, job, NULL, path);
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_pointer (&cli->doing, g_free);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                   _ ("restore from %1$s cancelled: no domain was started"),
                   stasis_cli_args_get (args, "file"));
    }
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* The job itself, between the look at the options and the report.  @path NULL: standard input. */
static StasisDomain *
restore (StasisDriver *driver, StasisCliJob *job, const char *path, const char *xml, guint flags,
         GError **error)
{
  g_autoptr (GError) failure = NULL;
  StasisProgressFunc update = stasis_cli_progress_update;
  gpointer progress = stasis_cli_job_progress (job);
  GCancellable *cancellable = stasis_cli_job_cancellable (job);
  StasisDomain *domain = NULL;
  if (path != NULL)
    domain
        = stasis_driver_restore (driver, path, xml, flags, update, progress, cancellable, &failure);
  else
    domain = stasis_driver_restore_fd (driver, dup (STDIN_FILENO), _ ("standard input"), xml, flags,
                                       update, progress, cancellable, &failure);
  stasis_cli_job_end (job, failure);
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return domain;
}

static gboolean
run_restore (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = 0;
  g_autofree char *xml = NULL;
  if (!restore_flags (args, &flags, error) || !stasis_cli_clones_check (args, error))
    return FALSE;
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  const char *file = stasis_cli_args_get (args, "file");
  const gboolean json = stasis_cli_args_has (args, "json");
  stasis_cli_doing (cli, _ ("failed to restore domain from %1$s"), file);
  const gboolean is_stdin = g_str_equal (file, "-");
  g_autofree char *path = is_stdin ? NULL : stasis_cli_image_path (cli, file, error);
  if ((path == NULL && !is_stdin)
      || !stasis_cli_read_optional (stasis_cli_args_get (args, "xml"), &xml, error))
    return FALSE;
  if (!stasis_cli_args_exclusive (args, "clone", "sync-time", error))
    return FALSE;
  if (stasis_cli_args_has (args, "clone"))
    return stasis_cli_clones_run (cli, args, path, xml, flags, error);
  g_autoptr (StasisCliJob) job = stasis_cli_job_begin (
      cli, _ ("Restore"), _ ("cancelling the restore: the image stays as it is"),
      stasis_cli_args_has (args, "verbose"), json);
  GError *failure = NULL;
  g_autoptr (StasisDomain) domain = restore (driver, job, path, xml, flags, &failure);
  if (domain == NULL)
    return restore_failed (cli, args, job, path != NULL ? path : file, failure, error);

  warn_of_engine (cli, args, job, domain);
  stasis_cli_sync_time (args, domain);
  if (json)
    print_stats (cli, job, domain, path != NULL ? path : file);
  else
    {
      stasis_cli_say (cli, _ ("Domain restored from %1$s\n"), file);
      stasis_cli_job_say_disks (cli, job);
    }
  return TRUE;
}

static const StasisCliOption restore_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("the state to restore; '-': from standard input") },
  { "bypass-cache", STASIS_CLI_FLAG, NULL, N_ ("avoid file system cache when restoring") },
  { "xml", STASIS_CLI_STRING, "file", N_ ("filename containing updated XML for the target") },
  { "running", STASIS_CLI_FLAG, NULL, N_ ("restore domain into running state") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("restore domain into paused state") },
  { "force", STASIS_CLI_FLAG, NULL,
    N_ ("although a disk has changed or the image was resumed before") },
  { "trust", STASIS_CLI_FLAG, NULL, N_ ("although the image belongs to somebody else") },
  { "load", STASIS_CLI_STRING, "way",
    N_ ("how the memory is loaded: 'auto', 'instant' (mapped from the image), 'parallel'") },
  { "flat", STASIS_CLI_FLAG, NULL,
    N_ ("make a flat file of the memory, where QEMU can map no other") },
  { "verify", STASIS_CLI_STRING, "when",
    N_ ("when the image is verified: 'auto', 'full' (before), 'background', 'none'") },
  { "sync-time", STASIS_CLI_FLAG, NULL, N_ ("set the guest's clock to the host's (guest agent)") },
  { "clone", STASIS_CLI_NAMED, "name", N_ ("start a clone of that name beside the domain") },
  { "count", STASIS_CLI_NAMED, "number", N_ ("start that many clones, NAME-1, NAME-2 ...") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of restore") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_restore = {
  .name = "restore",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("restore a domain from a saved state in a file"),
  .description
  = N_ ("Check a save image, and start its domain exactly where it was saved. The\n"
        "image may be of any kind that 'image info' knows: our own, libvirt's,\n"
        "or one that comes through a pipe.\n"
        "The guest's memory is mapped from an image of our own: the guest runs at\n"
        "once if the image was written or checked on this host before and not touched\n"
        "since, and uses the file as long as it runs; the image is checked once more\n"
        "beside it, and damage pauses the guest. An image that has not been checked\n"
        "here is checked before. Where the memory cannot be mapped, or is not to be\n"
        "('--load parallel'), it is loaded and checked before the guest runs, as far\n"
        "as the image's kind has checksums. '--load instant' warns where it cannot.\n"
        "An emulator before QEMU 9.0 cannot map memory from within an image, but from\n"
        "a flat file of it: --flat and --clone make that, and whoever comes after it\n"
        "uses it.\n"
        "--verify says when the check is: 'full' before the guest runs, 'background',\n"
        "'none', or 'auto'.\n"
        "--clone starts a transient domain of that name, with a UUID of its own, which\n"
        "goes on from the same state and writes to overlays over the disks: they end\n"
        "with it. Its files and sockets have its name behind theirs. --count starts\n"
        "several at once, or none where one fails. The image can be used again."),
  .options = restore_options,
  .writes = TRUE,
  .run = run_restore,
};
