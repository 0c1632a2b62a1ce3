/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands.h: every command there is; each is defined in its cmd-*.c
 */

#pragma once

#include "cli/cli.h"

G_BEGIN_DECLS

extern const StasisCliCommand stasis_cmd_attach_device, stasis_cmd_attach_disk,
    stasis_cmd_attach_interface, stasis_cmd_change_media, stasis_cmd_detach_device,
    stasis_cmd_detach_device_alias, stasis_cmd_detach_disk, stasis_cmd_detach_interface,
    stasis_cmd_setmaxmem, stasis_cmd_setmem, stasis_cmd_setvcpus, stasis_cmd_update_device,
    stasis_cmd_vcpucount, stasis_cmd_autostart, stasis_cmd_capabilities, stasis_cmd_console,
    stasis_cmd_create, stasis_cmd_define, stasis_cmd_destroy, stasis_cmd_domblklist,
    stasis_cmd_domdetach, stasis_cmd_domfsfreeze, stasis_cmd_domfsthaw, stasis_cmd_domid,
    stasis_cmd_domrename, stasis_cmd_domiflist, stasis_cmd_dominfo, stasis_cmd_domjobabort,
    stasis_cmd_domjobinfo, stasis_cmd_domname, stasis_cmd_domstate, stasis_cmd_domstats,
    stasis_cmd_domtime, stasis_cmd_domuntrack, stasis_cmd_domuuid, stasis_cmd_dumpxml,
    stasis_cmd_edit, stasis_cmd_guests_start, stasis_cmd_guests_status, stasis_cmd_guests_stop,
    stasis_cmd_help, stasis_cmd_image_convert, stasis_cmd_image_flatten, stasis_cmd_image_dumpxml,
    stasis_cmd_image_info, stasis_cmd_image_map, stasis_cmd_image_verify, stasis_cmd_list,
    stasis_cmd_managedsave, stasis_cmd_managedsave_define, stasis_cmd_managedsave_dumpxml,
    stasis_cmd_managedsave_edit, stasis_cmd_managedsave_remove, stasis_cmd_migrate,
    stasis_cmd_qemu_monitor_command, stasis_cmd_reboot, stasis_cmd_reset, stasis_cmd_restore,
    stasis_cmd_resume, stasis_cmd_checkpoint, stasis_cmd_clones_saved, stasis_cmd_clones_drop,
    stasis_cmd_save, stasis_cmd_save_image_define, stasis_cmd_save_image_dumpxml,
    stasis_cmd_save_image_edit, stasis_cmd_shutdown, stasis_cmd_start, stasis_cmd_suspend,
    stasis_cmd_ttyconsole, stasis_cmd_undefine, stasis_cmd_uri, stasis_cmd_version,
    stasis_cmd_vncdisplay, stasis_cmd_migrate_resolve, stasis_cmd_migrate_compcache,
    stasis_cmd_migrate_getmaxdowntime, stasis_cmd_migrate_getspeed,
    stasis_cmd_migrate_setmaxdowntime, stasis_cmd_migrate_setspeed, stasis_cmd_migrate_postcopy,
    stasis_cmd_handover;

/* The first option of most commands. */
#define STASIS_CLI_DOMAIN_OPTION \
  { \
    "domain", STASIS_CLI_NEEDED, "domain", N_ ("domain name, id or uuid") \
  }

/* Used by more than one command file: */

/* Open a console and stay in it; @resume: let the domain run once the console is open. */
gboolean stasis_cli_console_run (StasisCli *cli, StasisDomain *domain, const char *device,
                                 gboolean force, gboolean resume, GError **error);

/* Set the clock of a guest that was just let run, where option --sync-time was given; a warning
 * where that fails. */
void stasis_cli_sync_time (const StasisCliArgs *args, StasisDomain *domain);

/* Read a definition for a domain to be; of a save image the error says what it is good for. */
char *stasis_cli_read_definition (const char *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Print a command's help. */
void stasis_cli_help_command (StasisCli *cli, const StasisCliCommand *command);
/* Print what @word groups: a keyword of `stasis help`, or the first of two words.  FALSE where it
 * is neither. */
gboolean stasis_cli_help_group (StasisCli *cli, const char *word);
/* Print the help of the program. */
void stasis_cli_help_all (StasisCli *cli);

G_END_DECLS
