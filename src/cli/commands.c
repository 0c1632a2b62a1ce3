/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands.c: the table of commands and their groups
 */

#include "config.h"

#include "cli/commands.h"

#include <string.h>

#include <glib/gi18n.h>

#include "cli/suggest.h"

static const StasisCliCommand *const commands[] = {
  &stasis_cmd_attach_device,
  &stasis_cmd_attach_disk,
  &stasis_cmd_attach_interface,
  &stasis_cmd_autostart,
  &stasis_cmd_change_media,
  &stasis_cmd_console,
  &stasis_cmd_create,
  &stasis_cmd_define,
  &stasis_cmd_destroy,
  &stasis_cmd_detach_device,
  &stasis_cmd_detach_device_alias,
  &stasis_cmd_detach_disk,
  &stasis_cmd_detach_interface,
  &stasis_cmd_domid,
  &stasis_cmd_domname,
  &stasis_cmd_domrename,
  &stasis_cmd_domuuid,
  &stasis_cmd_dumpxml,
  &stasis_cmd_edit,
  &stasis_cmd_reboot,
  &stasis_cmd_reset,
  &stasis_cmd_resume,
  &stasis_cmd_setmaxmem,
  &stasis_cmd_setmem,
  &stasis_cmd_setvcpus,
  &stasis_cmd_shutdown,
  &stasis_cmd_start,
  &stasis_cmd_suspend,
  &stasis_cmd_ttyconsole,
  &stasis_cmd_undefine,
  &stasis_cmd_update_device,
  &stasis_cmd_vcpucount,
  &stasis_cmd_vncdisplay,
  &stasis_cmd_save,
  &stasis_cmd_checkpoint,
  &stasis_cmd_restore,
  &stasis_cmd_clones_saved,
  &stasis_cmd_clones_drop,
  &stasis_cmd_managedsave,
  &stasis_cmd_managedsave_remove,
  &stasis_cmd_managedsave_dumpxml,
  &stasis_cmd_managedsave_edit,
  &stasis_cmd_managedsave_define,
  &stasis_cmd_save_image_dumpxml,
  &stasis_cmd_save_image_edit,
  &stasis_cmd_save_image_define,
  &stasis_cmd_image_info,
  &stasis_cmd_image_verify,
  &stasis_cmd_image_dumpxml,
  &stasis_cmd_image_convert,
  &stasis_cmd_image_flatten,
  &stasis_cmd_image_map,
  &stasis_cmd_migrate,
  &stasis_cmd_migrate_resolve,
  &stasis_cmd_migrate_setspeed,
  &stasis_cmd_migrate_getspeed,
  &stasis_cmd_migrate_setmaxdowntime,
  &stasis_cmd_migrate_getmaxdowntime,
  &stasis_cmd_migrate_compcache,
  &stasis_cmd_migrate_postcopy,
  &stasis_cmd_handover,
  &stasis_cmd_domjobinfo,
  &stasis_cmd_domjobabort,
  &stasis_cmd_domdetach,
  &stasis_cmd_domuntrack,
  &stasis_cmd_domfsfreeze,
  &stasis_cmd_domfsthaw,
  &stasis_cmd_domblklist,
  &stasis_cmd_domiflist,
  &stasis_cmd_dominfo,
  &stasis_cmd_domstate,
  &stasis_cmd_domstats,
  &stasis_cmd_domtime,
  &stasis_cmd_list,
  &stasis_cmd_capabilities,
  &stasis_cmd_guests_start,
  &stasis_cmd_guests_stop,
  &stasis_cmd_guests_status,
  &stasis_cmd_qemu_monitor_command,
  &stasis_cmd_uri,
  &stasis_cmd_version,
  &stasis_cmd_help,
  NULL,
};

static const struct
{
  const char *keyword;
  const char *title;
} groups[STASIS_CLI_N_GROUPS] = {
  [STASIS_CLI_GROUP_DOMAIN] = { "domain", N_ ("Domain Management") },
  [STASIS_CLI_GROUP_STATE] = { "state", N_ ("Saved State and Jobs") },
  [STASIS_CLI_GROUP_MONITOR] = { "monitor", N_ ("Domain Monitoring") },
  [STASIS_CLI_GROUP_HOST] = { "host", N_ ("Host and Hypervisor") },
  [STASIS_CLI_GROUP_SELF] = { "stasis", N_ ("Stasis Itself") },
};

/* The whole table. */
const StasisCliCommand *const *
stasis_cli_commands (void)
{
  return commands;
}

/* By name. */
const StasisCliCommand *
stasis_cli_command_find (const char *name)
{
  for (guint i = 0; commands[i] != NULL; i++)
    if (strcmp (commands[i]->name, name) == 0)
      return commands[i];
  return NULL;
}

/* The first of two words? */
gboolean
stasis_cli_command_is_family (const char *word)
{
  const gsize length = strlen (word);
  for (guint i = 0; commands[i] != NULL; i++)
    if (strncmp (commands[i]->name, word, length) == 0 && commands[i]->name[length] == ' ')
      return TRUE;
  return FALSE;
}

/* The nearest name. */
const char *
stasis_cli_command_suggest (const char *name)
{
  const char *names[G_N_ELEMENTS (commands)] = { NULL };
  for (guint i = 0; commands[i] != NULL; i++)
    names[i] = commands[i]->name;
  return stasis_cli_suggest (name, names);
}

/* What `stasis help` takes for the group. */
const char *
stasis_cli_group_keyword (StasisCliGroup group)
{
  return groups[group].keyword;
}

/* What the help calls it. */
const char *
stasis_cli_group_title (StasisCliGroup group)
{
  return _ (groups[group].title);
}
