/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-console.c: console
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/signals.h"
#include "util/fd.h"

static void
on_signal (int number, guint count, gpointer user_data)
{
  g_cancellable_cancel (user_data);
}

/* "^]", or the character. */
static char *
escape_text (guchar escape)
{
  if (escape < 0x20)
    return g_strdup_printf ("^%1$c (Ctrl + %1$c)", escape | '@');
  return g_strdup_printf ("%c", escape);
}

static gboolean
talk (StasisCli *cli, int fd, GError **error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (StasisCliSignals) signals
      = stasis_cli_signals_begin (/* stop= */ FALSE, on_signal, cancellable);
  return stasis_cli_console_pump (fd, cli->escape, cancellable, error);
}

/* Greet, and hand out what was printed so far: the rest bypasses the buffer. */
static gboolean
greet (StasisCli *cli, const char *name, GError **error)
{
  g_autofree char *escape = escape_text (cli->escape);
  stasis_cli_say (cli, _ ("Connected to domain '%1$s'\n"), name);
  stasis_cli_say (cli, _ ("Escape character is %1$s\n"), escape);
  return stasis_cli_flush (cli, error);
}

/* Open the console, let the domain run if it waited for that, and stay. */
gboolean
stasis_cli_console_run (StasisCli *cli, StasisDomain *domain, const char *device, gboolean force,
                        gboolean resume, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to open the console of domain '%1$s'"), name);
  stasis_autofd int fd = stasis_domain_open_console (domain, device, force, error);
  const gboolean is_open = fd >= 0 && greet (cli, name, error);
  /* Without a console, too: it was to be started. */
  if (resume && !stasis_domain_resume (domain, is_open ? error : NULL))
    return FALSE;
  if (!is_open)
    return FALSE;
  stasis_cli_doing (cli, _ ("console of domain '%1$s'"), name);
  return talk (cli, fd, error);
}

static gboolean
run_console (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  return stasis_cli_console_run (cli, domain, stasis_cli_args_get (args, "devname"),
                                 stasis_cli_args_has (args, "force"), /* resume= */ FALSE, error);
}

static const StasisCliOption console_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "devname", STASIS_CLI_STRING, "name", N_ ("character device name") },
  { "force", STASIS_CLI_FLAG, NULL,
    N_ ("force console connection (disconnect already connected sessions)") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_console = {
  .name = "console",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("connect to the guest console"),
  .description = N_ ("Connect the virtual serial console for the guest, until it ends or the\n"
                     "escape character (^], or what option -e says) is typed."),
  .options = console_options,
  .writes = TRUE,
  .run = run_console,
};
