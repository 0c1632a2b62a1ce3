/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-handover.c: handover
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/progress.h"

typedef struct
{
  StasisCli *cli;
  const char *emulator; /* (nullable) absolute */
  StasisHandoverFlags flags;
  gboolean verbose;
  gboolean json;
} Handover;

static char *
describe (const Handover *handover, gint64 pause_us)
{
  if ((handover->flags & STASIS_HANDOVER_CHECK) != 0)
    return g_strdup (_ ("can be handed over"));
  return pause_us < 0
             ? g_strdup (_ ("handed over"))
             : g_strdup_printf (_ ("handed over, paused for %.1f ms"), (double) pause_us / 1000);
}

static void
print_json (const Handover *handover, StasisDomain *domain, const StasisCliJob *job,
            gint64 pause_us)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  stasis_json_set_int (object, "pause-us", pause_us);
  stasis_cli_print_json (handover->cli, object);
}

static gboolean
hand_over (const Handover *handover, StasisDomain *domain, char **out_text, GError **error)
{
  g_autoptr (StasisCliJob) job = stasis_cli_job_begin (
      handover->cli, _ ("Handover"), _ ("cancelling the handover: the guest goes on as it was"),
      handover->verbose, handover->json);
  GError *failure = NULL;
  gint64 pause_us = -1;
  stasis_domain_handover (domain, handover->emulator, handover->flags, &pause_us,
                          stasis_cli_progress_update, stasis_cli_job_progress (job),
                          stasis_cli_job_cancellable (job), &failure);
  stasis_cli_job_end (job, failure);
  if (failure != NULL)
    {
      g_propagate_error (error, failure);
      return FALSE;
    }
  if (handover->json)
    print_json (handover, domain, job, pause_us);
  *out_text = describe (handover, pause_us);
  return TRUE;
}

static gboolean
hand_one_over (const Handover *handover, const StasisCliArgs *args, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (handover->cli, args, error);
  if (domain == NULL)
    return FALSE;
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (handover->cli, _ ("failed to hand domain '%1$s' over"), name);
  if (!hand_over (handover, domain, &text, error))
    return FALSE;
  if (!handover->json)
    stasis_cli_say (handover->cli, _ ("Domain '%1$s' %2$s\n"), name, text);
  return TRUE;
}

static void
tell_failure (const Handover *handover, StasisDomain *domain, const GError *why)
{
  if (!handover->json)
    {
      g_print ("%s: %s\n", stasis_domain_get_name (domain), why->message);
      return;
    }
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  stasis_json_set_string (object, "error", why->message);
  stasis_cli_print_json (handover->cli, object);
}

static gboolean
sum_up (const Handover *handover, guint n, guint n_failed, GError **error)
{
  const gboolean is_check = (handover->flags & STASIS_HANDOVER_CHECK) != 0;
  if (n_failed > 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                   is_check ? _ ("%1$u of %2$u domains cannot be handed over")
                            : _ ("%1$u of %2$u domains were not handed over"),
                   n_failed, n);
      return FALSE;
    }
  if (!handover->json)
    stasis_cli_say (handover->cli,
                    is_check ? _ ("All can be handed over, of domains: %1$u\n")
                             : _ ("All were handed over, of domains: %1$u\n"),
                    n);
  return TRUE;
}

/* One that cannot be is no reason not to try the next. */
static gboolean
hand_all_over (const Handover *handover, StasisDriver *driver, GError **error)
{
  g_autoptr (GPtrArray) domains = stasis_driver_list (driver, STASIS_LIST_ACTIVE, error);
  guint n_failed = 0;
  if (domains == NULL)
    return FALSE;
  for (guint i = 0; i < domains->len; i++)
    {
      StasisDomain *domain = g_ptr_array_index (domains, i);
      g_autofree char *text = NULL;
      g_autoptr (GError) local = NULL;
      if (hand_over (handover, domain, &text, &local))
        {
          if (!handover->json)
            g_print ("%s: %s\n", stasis_domain_get_name (domain), text);
          continue;
        }
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      tell_failure (handover, domain, local);
      n_failed++;
    }
  return sum_up (handover, domains->len, n_failed, error);
}

static gboolean
run_handover (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *emulator = stasis_cli_args_get (args, "emulator");
  const gboolean all = stasis_cli_args_has (args, "all");
  g_autofree char *absolute = emulator != NULL ? g_canonicalize_filename (emulator, NULL) : NULL;
  const Handover handover = {
    .cli = cli,
    .emulator = absolute,
    .flags = stasis_cli_args_has (args, "check") ? STASIS_HANDOVER_CHECK : 0,
    .verbose = stasis_cli_args_has (args, "verbose"),
    .json = stasis_cli_args_has (args, "json"),
  };
  if (all == (stasis_cli_args_get (args, "domain") != NULL))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("name a domain, or --all"));
      return FALSE;
    }
  if (!all)
    return hand_one_over (&handover, args, error);
  StasisDriver *driver = stasis_cli_driver (cli, error);
  return driver != NULL && hand_all_over (&handover, driver, error);
}

static const StasisCliOption handover_options[] = {
  { "domain", STASIS_CLI_STRING, "name|id|uuid", N_ ("which domain") },
  { "all", STASIS_CLI_FLAG, NULL, N_ ("all domains that run, one after the other") },
  { "emulator", STASIS_CLI_NAMED, "path", N_ ("the QEMU; by default its own, as it is now") },
  { "check", STASIS_CLI_FLAG, NULL, N_ ("only look whether it can be done") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_handover = {
  .name = "handover",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("give a running domain another QEMU on the same host"),
  .description
  = N_ ("Move a running guest to a new QEMU process on the same host, with a pause of\n"
        "milliseconds: so QEMU is upgraded under it. Its memory has to be shared\n"
        "(<memoryBacking> with source memfd and access shared). One that cannot be\n"
        "handed over is told why, and goes on. With --all a line is printed for each,\n"
        "and the command fails if one of them was not handed over."),
  .options = handover_options,
  .writes = TRUE,
  .run = run_handover,
};
