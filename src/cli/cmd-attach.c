/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-attach.c: attach-device, detach-device, detach-device-alias, update-device
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/affect.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/input.h"

/* The last word on a device that was to go. */
void
stasis_cli_say_detached (StasisCli *cli, gboolean is_gone, const char *gone)
{
  if (is_gone)
    stasis_cli_say (cli, "%s\n", gone);
  else
    stasis_cli_say (cli,
                    _ ("The guest was asked to release the device, and has not done so yet\n"));
}

/* A device by its XML comes or goes. */
gboolean
stasis_cli_change_device (StasisCli *cli, const StasisCliArgs *args, const char *xml,
                          gboolean attach, const char *done, GError **error)
{
  StasisAffectFlags flags;
  gboolean is_gone = TRUE;
  g_autoptr (StasisDomain) domain
      = stasis_cli_affect (args, &flags, error) ? stasis_cli_domain (cli, args, error) : NULL;
  if (domain == NULL)
    return FALSE;
  const char *name = stasis_domain_get_name (domain);
  if (attach)
    stasis_cli_doing (cli, _ ("failed to attach the device to domain '%1$s'"), name);
  else
    stasis_cli_doing (cli, _ ("failed to detach the device from domain '%1$s'"), name);
  if (attach ? !stasis_domain_attach_device (domain, xml, flags, NULL, error)
             : !stasis_domain_detach_device (domain, xml, flags, &is_gone, NULL, error))
    return FALSE;
  stasis_cli_say_detached (cli, is_gone, done);
  return TRUE;
}

static gboolean
run_attach_device (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autofree char *xml = stasis_cli_read_text (stasis_cli_args_get (args, "file"), error);
  return xml != NULL
         && stasis_cli_change_device (cli, args, xml, TRUE, _ ("Device attached successfully"),
                                      error);
}

static gboolean
run_detach_device (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autofree char *xml = stasis_cli_read_text (stasis_cli_args_get (args, "file"), error);
  return xml != NULL
         && stasis_cli_change_device (cli, args, xml, FALSE, _ ("Device detached successfully"),
                                      error);
}

static const StasisCliOption device_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "file", STASIS_CLI_NEEDED, "file", N_ ("XML file of one device; - is standard input") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_attach_device = {
  .name = "attach-device",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("attach device from an XML file"),
  .description = N_ ("A running guest gets it at once: disks on the buses virtio, scsi and usb,\n"
                     "and network interfaces."),
  .options = device_options,
  .writes = TRUE,
  .run = run_attach_device,
};

const StasisCliCommand stasis_cmd_detach_device = {
  .name = "detach-device",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("detach device from an XML file"),
  .description = N_ ("A running guest has to release it, which is waited for for some seconds."),
  .options = device_options,
  .writes = TRUE,
  .run = run_detach_device,
};

static gboolean
run_detach_device_alias (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisAffectFlags flags;
  gboolean is_gone = TRUE;
  const char *alias = stasis_cli_args_get (args, "alias");
  g_autoptr (StasisDomain) domain
      = stasis_cli_affect (args, &flags, error) ? stasis_cli_domain (cli, args, error) : NULL;
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to detach the device with alias '%1$s'"), alias);
  if (!stasis_domain_detach_device_alias (domain, alias, flags, &is_gone, NULL, error))
    return FALSE;
  stasis_cli_say_detached (cli, is_gone, _ ("Device detached successfully"));
  return TRUE;
}

static const StasisCliOption alias_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "alias", STASIS_CLI_NEEDED, "alias", N_ ("device alias") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_detach_device_alias = {
  .name = "detach-device-alias",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("detach device from an alias"),
  .description = N_ ("Detach the device with the given alias."),
  .options = alias_options,
  .writes = TRUE,
  .run = run_detach_device_alias,
};

/* It is as that says. */
gboolean
stasis_cli_update_device (StasisCli *cli, const StasisCliArgs *args, const char *xml,
                          const char *done, GError **error)
{
  StasisAffectFlags flags;
  g_autoptr (StasisDomain) domain
      = stasis_cli_affect (args, &flags, error) ? stasis_cli_domain (cli, args, error) : NULL;
  if (domain == NULL)
    return FALSE;
  guint bits = flags;
  stasis_cli_args_flag (args, "force", STASIS_AFFECT_FORCE, &bits);
  stasis_cli_doing (cli, _ ("failed to update the device of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  if (!stasis_domain_update_device (domain, xml, bits, NULL, error))
    return FALSE;
  stasis_cli_say (cli, "%s\n", done);
  return TRUE;
}

static gboolean
run_update_device (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autofree char *xml = stasis_cli_read_text (stasis_cli_args_get (args, "file"), error);
  return xml != NULL
         && stasis_cli_update_device (cli, args, xml, _ ("Device updated successfully"), error);
}

static const StasisCliOption update_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "file", STASIS_CLI_NEEDED, "file", N_ ("XML file of one device; - is standard input") },
  STASIS_CLI_AFFECT_OPTIONS,
  { "force", STASIS_CLI_FLAG, NULL, N_ ("force device update") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_update_device = {
  .name = "update-device",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("update device from an XML file"),
  .description
  = N_ ("In a running domain: the medium of a CD-ROM or floppy drive, and whether the\n"
        "link of an interface is up."),
  .options = update_options,
  .writes = TRUE,
  .run = run_update_device,
};
