/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-guests.c: guests start, stop, status: what is done with all of them at boot and at shutdown
 */

#include "config.h"

#include <stdio.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "cli/units.h"

#define STATUS_FAILED  1 /* a guest could not be brought back */
#define STATUS_TROUBLE 2 /* nobody knows */

/* TRUE where it was one. */
static gboolean
say_good_news (StasisCli *cli, const char *domain, StasisGuestNews news)
{
  switch (news)
    {
    case STASIS_GUEST_SAVING:
      stasis_cli_say (cli, _ ("Saving domain '%1$s'\n"), domain);
      return TRUE;
    case STASIS_GUEST_SAVED:
      stasis_cli_say (cli, _ ("Domain '%1$s' saved\n"), domain);
      return TRUE;
    case STASIS_GUEST_SHUTTING_DOWN:
      stasis_cli_say (cli, _ ("Domain '%1$s' is being shutdown\n"), domain);
      return TRUE;
    case STASIS_GUEST_SHUT_DOWN:
      stasis_cli_say (cli, _ ("Domain '%1$s' has shut down\n"), domain);
      return TRUE;
    case STASIS_GUEST_ENDED:
      stasis_cli_say (cli, _ ("Domain '%1$s' has ended by itself\n"), domain);
      return TRUE;
    case STASIS_GUEST_STARTING:
      stasis_cli_say (cli, _ ("Starting domain '%1$s'\n"), domain);
      return TRUE;
    case STASIS_GUEST_RESTORED:
      stasis_cli_say (cli, _ ("Domain '%1$s' restored\n"), domain);
      return TRUE;
    case STASIS_GUEST_BOOTED:
      stasis_cli_say (cli, _ ("Domain '%1$s' started\n"), domain);
      return TRUE;
    default:
      return FALSE;
    }
}

/* Told even with --quiet. */
static void
tell_bad_news (const char *domain, StasisGuestNews news, const char *cause)
{
  switch (news)
    {
    case STASIS_GUEST_WAITING:
      fprintf (stderr, _ ("waiting for another stop or start of guests: %1$s\n"), cause);
      break;
    case STASIS_GUEST_NOT_LISTED:
      fprintf (stderr, _ ("error: domain '%1$s' will not be brought back by itself: %2$s\n"),
               domain, cause);
      break;
    case STASIS_GUEST_NOT_SAVED:
      fprintf (stderr, _ ("error: failed to save domain '%1$s': %2$s\n"), domain, cause);
      break;
    case STASIS_GUEST_LEFT:
      fprintf (stderr, _ ("error: domain '%1$s' goes on running: %2$s\n"), domain, cause);
      break;
    case STASIS_GUEST_NOT_STARTED:
      fprintf (stderr, _ ("error: failed to start domain '%1$s': %2$s\n"), domain, cause);
      break;
    case STASIS_GUEST_NOT_QUIESCED:
      fprintf (stderr,
               _ ("warning: domain '%1$s' is saved without freezing its file systems: %2$s\n"),
               domain, cause);
      break;
    case STASIS_GUEST_DROPPED:
      fprintf (stderr, _ ("warning: domain '%1$s' is not brought back: %2$s\n"), domain, cause);
      break;
    default:
      break;
    }
}

/* Whoever reads a pipe, such as the journal, reads it now. */
static void
on_news (const char *domain, StasisGuestNews news, const GError *error, gpointer user_data)
{
  StasisCli *cli = user_data;
  if (!say_good_news (cli, domain, news))
    {
      g_autofree char *name = stasis_cli_printable (domain != NULL ? domain : "");
      g_autofree char *cause = stasis_cli_printable_lines (error != NULL ? error->message : "");
      tell_bad_news (name, news, cause);
    }
  stasis_cli_flush (cli, NULL);
}

/* The first one calls it off, which takes a moment. */
static void
on_signal (int number, guint count, gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
}

typedef gboolean (*GuestsFunc) (StasisDriver *driver, StasisGuestFunc report, gpointer user_data,
                                GCancellable *cancellable, GError **error);

static gboolean
run_all (StasisCli *cli, GuestsFunc func, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (StasisCliSignals) signals
      = stasis_cli_signals_begin (/* stop= */ FALSE, on_signal, cancellable);
  return func (driver, on_news, cli, cancellable, error);
}

static gboolean
run_start (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  return run_all (cli, stasis_driver_start_guests, error);
}

const StasisCliCommand stasis_cmd_guests_start = {
  .name = "guests start",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("bring back all guests that ran, and start what is marked autostart"),
  .description = N_ ("Start again every domain that 'guests stop' has stopped, from its managed\n"
                     "save image, or by booting it where it was shut down; then those that are\n"
                     "marked autostart and do not run. A managed save image that cannot be used\n"
                     "is never dropped: the failure is told, the others go on, and 'guests\n"
                     "status' shows it. [guests] of stasis.conf says how many start at once. What\n"
                     "stasis-guests.service runs at boot."),
  .writes = TRUE,
  .run = run_start,
};

static gboolean
run_stop (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  return run_all (cli, stasis_driver_stop_guests, error);
}

const StasisCliCommand stasis_cmd_guests_stop = {
  .name = "guests stop",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("save all running guests, or shut them down"),
  .description
  = N_ ("Save every running domain to its managed save image, from which 'guests\n"
        "start' brings it back, paused or running as it was. One that cannot be\n"
        "saved, and a transient one, is asked to shut down; none is ended otherwise.\n"
        "[guests] of stasis.conf says how many at once, how long a guest gets to shut\n"
        "down, whether guests are to be shut down instead, and whether their file\n"
        "systems are frozen for the save. What\n"
        "stasis-guests.service runs when the host shuts down. Ctrl-C calls it off:\n"
        "guests whose save is not complete go on."),
  .writes = TRUE,
  .run = run_stop,
};

static void
print_json (StasisCli *cli, GPtrArray *guests)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < guests->len; i++)
    {
      const StasisGuest *guest = g_ptr_array_index (guests, i);
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "name", guest->name);
      stasis_json_set (object, "uuid",
                       guest->uuid != NULL ? stasis_json_new_string (guest->uuid)
                                           : stasis_json_new_null ());
      stasis_json_set_string (object, "state", stasis_guest_state_to_string (guest->state));
      stasis_json_set (object, "problem",
                       guest->message != NULL ? stasis_json_new_string (guest->message)
                                              : stasis_json_new_null ());
      stasis_json_array_append (array, object);
    }
  stasis_cli_print_json (cli, array);
}

static void
print_table (StasisCli *cli, GPtrArray *guests)
{
  const char *const titles[] = { _ ("Name"), _ ("State"), _ ("Problem"), NULL };
  g_autoptr (StasisCliTable) table = stasis_cli_table_new (titles);
  for (guint i = 0; i < guests->len; i++)
    {
      const StasisGuest *guest = g_ptr_array_index (guests, i);
      const char *const cells[] = { guest->name, stasis_guest_state_to_string (guest->state),
                                    guest->message != NULL ? guest->message : "-" };
      stasis_cli_table_append (table, cells);
    }
  g_autofree char *text = stasis_cli_table_to_string (table, !cli->quiet);
  stasis_cli_print (cli, "%s", text);
}

static gboolean
run_status (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to list the guests that are to be brought back"));
  g_autoptr (GPtrArray) guests = stasis_driver_list_guests (driver, error);
  if (guests == NULL)
    return FALSE;

  g_clear_pointer (&cli->doing, g_free);
  if (stasis_cli_args_has (args, "json"))
    print_json (cli, guests);
  else
    print_table (cli, guests);
  for (guint i = 0; i < guests->len; i++)
    if (((const StasisGuest *) g_ptr_array_index (guests, i))->message != NULL)
      {
        cli->status = STATUS_FAILED;
        return FALSE;
      }
  return TRUE;
}

static const StasisCliOption status_options[] = {
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_guests_status = {
  .name = "guests status",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("which guests are to be brought back"),
  .description = N_ ("List the domains that 'guests stop' has stopped and that do not run again:\n"
                     "what became of them then (saved, shut-down, or ran, where that is not\n"
                     "known), and why one could not be brought back. Exits with 0, with 1 where\n"
                     "there is such a problem, with 2 where the list cannot be read."),
  .options = status_options,
  .trouble_status = STATUS_TROUBLE,
  .run = run_status,
};
