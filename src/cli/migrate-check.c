/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check.c: whether a domain could migrate, as a table
 */

#include "config.h"

#include "cli/migrate-check.h"

#include <glib/gi18n.h>

#include "cli/ask.h"
#include "cli/job.h"
#include "cli/table.h"
#include "util/json.h"

static guint
count_failed (const GPtrArray *reasons)
{
  guint n = 0;
  for (guint i = 0; i < reasons->len; i++)
    n += !((const StasisMigrateReason *) g_ptr_array_index (reasons, i))->is_ok;
  return n;
}

static void
print_table (StasisCli *cli, const GPtrArray *reasons)
{
  const char *const titles[] = { _ ("Check"), _ ("Result"), _ ("Reason"), NULL };
  g_autoptr (StasisCliTable) table = stasis_cli_table_new (titles);
  for (guint i = 0; i < reasons->len; i++)
    {
      const StasisMigrateReason *reason = g_ptr_array_index (reasons, i);
      const char *result = !reason->is_ok         ? _ ("no")
                           : reason->text != NULL ? _ ("warning")
                                                  : _ ("ok");
      const char *const cells[]
          = { reason->what, result, reason->text != NULL ? reason->text : "" };
      stasis_cli_table_append (table, cells);
    }
  g_autofree char *text = stasis_cli_table_to_string (table, !cli->quiet);
  stasis_cli_print (cli, "%s", text);
}

static void
print_json (StasisCli *cli, const GPtrArray *reasons)
{
  StasisJson *object = stasis_json_new_object ();
  StasisJson *array = stasis_json_new_array ();
  stasis_json_set_boolean (object, "can_migrate", count_failed (reasons) == 0);
  stasis_json_set (object, "checks", array);
  for (guint i = 0; i < reasons->len; i++)
    {
      const StasisMigrateReason *reason = g_ptr_array_index (reasons, i);
      StasisJson *one = stasis_json_new_object ();
      stasis_json_set_string (one, "what", reason->what);
      stasis_json_set_boolean (one, "ok", reason->is_ok);
      stasis_json_set (one, "text",
                       reason->text != NULL ? stasis_json_new_string (reason->text)
                                            : stasis_json_new_null ());
      stasis_json_array_append (array, one);
    }
  stasis_cli_print_json (cli, object);
}

/* Also with --p2p it is this command that asks the destination. */
static GPtrArray *
check (StasisDomain *domain, const char *dest_uri, guint flags, const StasisMigrateRequest *request,
       GError **error)
{
  g_autoptr (StasisDriver) destination
      = stasis_driver_open_with (dest_uri, STASIS_OPEN_NONE, stasis_cli_ask (), NULL, error);
  if (destination != NULL)
    return stasis_domain_check_migrate (domain, destination, flags, request, NULL, error);
  g_prefix_error (error, _ ("connecting to %s: "), dest_uri);
  return NULL;
}

gboolean
stasis_cli_check_migrate (StasisCli *cli, const StasisCliArgs *args, guint flags,
                          const StasisMigrateRequest *request, GError **error)
{
  const char *dest_uri = stasis_cli_args_get (args, "desturi");
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to check whether domain '%1$s' can migrate"), name);
  g_autoptr (GPtrArray) reasons = check (domain, dest_uri, flags, request, error);
  if (reasons == NULL)
    return FALSE;
  if (stasis_cli_args_has (args, "json"))
    print_json (cli, reasons);
  else
    print_table (cli, reasons);
  if (count_failed (reasons) == 0)
    return TRUE;
  g_clear_pointer (&cli->doing, g_free);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("domain '%1$s' cannot migrate to %2$s"), name, dest_uri);
  return FALSE;
}
