/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli.c: what all commands share
 */

#include "config.h"

#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/ask.h"
#include "cli/suggest.h"
#include "cli/units.h"
#include "util/error.h"

/* Release what the commands left in it. */
void
stasis_cli_clear (StasisCli *cli)
{
  g_clear_pointer (&cli->doing, g_free);
  g_clear_object (&cli->driver);
}

/* Open the driver once. */
StasisDriver *
stasis_cli_driver (StasisCli *cli, GError **error)
{
  if (cli->driver != NULL)
    return cli->driver;

  g_autofree char *doing = g_steal_pointer (&cli->doing);
  stasis_cli_doing (cli, _ ("failed to connect to the hypervisor"));
  const StasisOpenFlags flags = cli->readonly ? STASIS_OPEN_READ_ONLY : STASIS_OPEN_NONE;
  cli->driver = stasis_driver_open_with (cli->uri, flags, stasis_cli_ask (), NULL, error);
  if (cli->driver != NULL)
    {
      g_free (cli->doing);
      cli->doing = g_steal_pointer (&doing);
    }
  return cli->driver;
}

/* The driver that has them. */
gboolean
stasis_cli_files_driver (StasisCli *cli, StasisDriver **out_driver, GError **error)
{
  *out_driver = NULL;
  if (stasis_driver_uri_kind (cli->uri) == STASIS_URI_EMBEDDED)
    return TRUE;
  *out_driver = stasis_cli_driver (cli, error);
  return *out_driver != NULL;
}

/* Say which domain may be meant where there is none of that name. */
static void
suggest_domain (StasisDriver *driver, const char *key, GError *error)
{
  g_autoptr (GPtrArray) domains = NULL;
  if (g_error_matches (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN))
    domains = stasis_driver_list (driver, 0, NULL);
  if (domains == NULL)
    return;

  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (guint i = 0; i < domains->len; i++)
    g_ptr_array_add (names, (gpointer) stasis_domain_get_name (domains->pdata[i]));
  g_ptr_array_add (names, NULL);
  const char *nearest = stasis_cli_suggest (key, (const char *const *) names->pdata);
  if (nearest == NULL)
    return;
  stasis_error_set_message (
      error, g_strdup_printf (_ ("%1$s; did you mean '%2$s'?"), error->message, nearest));
}

/* Look up the domain of a command line. */
StasisDomain *
stasis_cli_domain (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return NULL;

  const char *key = stasis_cli_args_get (args, "domain");
  stasis_cli_doing (cli, _ ("failed to get domain '%1$s'"), key);
  GError *failure = NULL;
  StasisDomain *domain = stasis_driver_lookup (driver, key, &failure);
  if (domain != NULL)
    {
      g_clear_pointer (&cli->doing, g_free);
      return domain;
    }
  suggest_domain (driver, key, failure);
  g_propagate_error (error, failure);
  return NULL;
}

/* Note what is being done, for the report of a failure. */
void
stasis_cli_doing (StasisCli *cli, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_free (cli->doing);
  cli->doing = g_strdup_vprintf (format, args);
  va_end (args);
}

static void
put (StasisCli *cli, const char *text)
{
  if (fputs (text, stdout) < 0 && cli->output_errno == 0)
    cli->output_errno = errno;
}

/* Names and definitions come from anybody: a terminal sees nothing that it would obey, a file or
 * pipe gets data as it is. */
static void G_GNUC_PRINTF (3, 0)
    print_valist (StasisCli *cli, gboolean for_people, const char *format, va_list args)
{
  g_autofree char *text = g_strdup_vprintf (format, args);
  g_autofree char *shown
      = for_people || isatty (STDOUT_FILENO) ? stasis_cli_printable_lines (text) : NULL;
  put (cli, shown != NULL ? shown : text);
}

/* Print data. */
void
stasis_cli_print (StasisCli *cli, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  print_valist (cli, /* for_people= */ FALSE, format, args);
  va_end (args);
}

/* Print what is for people only. */
void
stasis_cli_say (StasisCli *cli, const char *format, ...)
{
  if (cli->quiet)
    return;

  va_list args;
  va_start (args, format);
  print_valist (cli, /* for_people= */ TRUE, format, args);
  va_end (args);
}

/* Print a text with exactly one newline at its end where it had none. */
void
stasis_cli_print_text (StasisCli *cli, const char *text)
{
  stasis_cli_print (cli, "%s%s", text, g_str_has_suffix (text, "\n") ? "" : "\n");
}

/* Report a failure, once. */
void
stasis_cli_report (const StasisCli *cli, const GError *error)
{
  g_autofree char *doing = cli->doing != NULL ? stasis_cli_printable_lines (cli->doing) : NULL;
  g_autofree char *cause = error != NULL ? stasis_cli_printable_lines (error->message) : NULL;
  if (doing != NULL)
    fprintf (stderr, _ ("error: %1$s\n"), doing);
  if (cause != NULL)
    fprintf (stderr, _ ("error: %1$s\n"), cause);
}

/* Bring standard output to its end. */
gboolean
stasis_cli_flush (StasisCli *cli, GError **error)
{
  if (fflush (stdout) != 0 && cli->output_errno == 0)
    cli->output_errno = errno;
  if (cli->output_errno == 0 || cli->output_errno == EPIPE)
    return TRUE;

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (cli->output_errno),
               _ ("failed to write to standard output: %1$s"), g_strerror (cli->output_errno));
  return FALSE;
}
