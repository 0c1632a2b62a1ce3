/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-save.c: save, managedsave
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

static gboolean
save_flags (const StasisCliArgs *args, guint *out_flags, GError **error)
{
  if (!stasis_cli_args_exclusive (args, "running", "paused", error))
    return FALSE;

  guint flags = STASIS_SAVE_NONE;
  stasis_cli_args_flag (args, "bypass-cache", STASIS_SAVE_BYPASS_CACHE, &flags);
  stasis_cli_args_flag (args, "running", STASIS_SAVE_RUNNING, &flags);
  stasis_cli_args_flag (args, "paused", STASIS_SAVE_PAUSED, &flags);
  *out_flags = flags;
  return TRUE;
}

static StasisCliJob *
begin_save (StasisCli *cli, const StasisCliArgs *args)
{
  return stasis_cli_job_begin (
      cli, _ ("Save"), _ ("cancelling the save: the domain goes on as before"),
      stasis_cli_args_has (args, "verbose"), stasis_cli_args_has (args, "json"));
}

/* A cancelled save is told in one line, with what became of the domain. */
static gboolean
throw_cancelled (StasisCli *cli, StasisDomain *domain, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const gboolean known = stasis_domain_get_state (domain, &state, NULL, NULL);
  g_clear_pointer (&cli->doing, g_free);
  if (known && state == STASIS_DOMAIN_RUNNING)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                 _ ("save of domain '%1$s' cancelled: the domain runs on"), name);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                 _ ("save of domain '%1$s' cancelled: the domain is %2$s, as before"), name,
                 _ (stasis_domain_state_to_string (state)));
  return FALSE;
}

static void
print_stats (StasisCli *cli, const StasisCliJob *job, StasisDomain *domain, const char *path)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  if (path != NULL)
    stasis_json_set_string (object, "file", path);
  stasis_cli_print_json (cli, object);
}

/* The end of a save that failed. */
static gboolean
save_failed (StasisCli *cli, const StasisCliArgs *args, StasisCliJob *job, StasisDomain *domain,
             const char *path, GError *failure_take, GError **error)
{
  g_autoptr (GError) failure = failure_take;
  stasis_cli_job_end (job, failure);
  if (stasis_cli_args_has (args, "json") && stasis_cli_job_has_begun (job))
    print_stats (cli, job, domain, path);
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return throw_cancelled (cli, domain, error);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
run_save (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = 0;
  g_autofree char *xml = NULL;
  if (!save_flags (args, &flags, error))
    return FALSE;
  const char *file = stasis_cli_args_get (args, "file");
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to save domain '%1$s' to %2$s"), name, file);
  g_autofree char *path = stasis_cli_image_path (file, error);
  if (path == NULL || !stasis_cli_read_optional (stasis_cli_args_get (args, "xml"), &xml, error))
    return FALSE;
  g_autoptr (StasisCliJob) job = begin_save (cli, args);
  GError *failure = NULL;
  if (!stasis_domain_save (domain, path, xml, flags, stasis_cli_progress_update,
                           stasis_cli_job_progress (job), stasis_cli_job_cancellable (job),
                           &failure))
    return save_failed (cli, args, job, domain, path, failure, error);

  stasis_cli_job_end (job, NULL);
  if (stasis_cli_args_has (args, "json"))
    print_stats (cli, job, domain, path);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' saved to %2$s\n"), name, file);
  return TRUE;
}

static const StasisCliOption save_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "file", STASIS_CLI_NEEDED, "file", N_ ("where to save the data") },
  { "bypass-cache", STASIS_CLI_FLAG, NULL, N_ ("avoid file system cache when saving") },
  { "xml", STASIS_CLI_STRING, "file", N_ ("filename containing updated XML for the target") },
  { "running", STASIS_CLI_FLAG, NULL, N_ ("set domain to be running on restore") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("set domain to be paused on restore") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of save") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_save = {
  .name = "save",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("save a domain state to a file"),
  .description = N_ ("Save the RAM and device state of a running domain to a save image, and\n"
                     "stop it once the image is complete and on disk. Ctrl-C cancels."),
  .options = save_options,
  .writes = TRUE,
  .run = run_save,
};

static gboolean
run_managedsave (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = 0;
  if (!save_flags (args, &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to save domain '%1$s' state"), name);
  g_autoptr (StasisCliJob) job = begin_save (cli, args);
  GError *failure = NULL;
  if (!stasis_domain_managed_save (domain, flags, stasis_cli_progress_update,
                                   stasis_cli_job_progress (job), stasis_cli_job_cancellable (job),
                                   &failure))
    return save_failed (cli, args, job, domain, NULL, failure, error);

  stasis_cli_job_end (job, NULL);
  g_autofree char *path = stasis_domain_get_managed_save_path (domain);
  if (stasis_cli_args_has (args, "json"))
    print_stats (cli, job, domain, path);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' state saved by Stasis\n"), name);
  return TRUE;
}

static const StasisCliOption managedsave_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "bypass-cache", STASIS_CLI_FLAG, NULL, N_ ("avoid file system cache when saving") },
  { "running", STASIS_CLI_FLAG, NULL, N_ ("set domain to be running on next start") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("set domain to be paused on next start") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of save") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_managedsave = {
  .name = "managedsave",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("managed save of a domain state"),
  .description = N_ ("Save and stop a running domain, so it can be restarted from\n"
                     "the same state at a later time. When the 'start' command is\n"
                     "next run for the domain, it will be started from this state."),
  .options = managedsave_options,
  .writes = TRUE,
  .run = run_managedsave,
};
