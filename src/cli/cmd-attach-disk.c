/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-attach-disk.c: attach-disk, detach-disk, change-media, attach-interface, detach-interface
 */

#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n.h>

#include "cli/affect.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/xml-devices.h"

static const char *
value_or (const StasisCliArgs *args, const char *name, const char *otherwise)
{
  const char *value = stasis_cli_args_get (args, name);
  return value != NULL ? value : otherwise;
}

/* <source .../>, where there is one. */
static gboolean
append_source (const StasisCli *cli, GString *xml, const char *path, GError **error)
{
  struct stat st;
  if (path == NULL)
    return TRUE;
  g_autofree char *absolute = stasis_cli_image_path (cli, path, error);
  if (absolute == NULL)
    return FALSE;
  const gboolean is_block = stat (absolute, &st) == 0 && S_ISBLK (st.st_mode);
  g_autofree char *source
      = g_markup_printf_escaped ("<source %s='%s'/>", is_block ? "dev" : "file", absolute);
  g_string_append (xml, source);
  return TRUE;
}

static const char *
type_of (const char *path)
{
  struct stat st;
  return path != NULL && stat (path, &st) == 0 && S_ISBLK (st.st_mode) ? "block" : "file";
}

static void append (GString *xml, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
append (GString *xml, const char *format, ...)
{
  va_list values;
  va_start (values, format);
  g_autofree char *text = g_markup_vprintf_escaped (format, values);
  va_end (values);
  g_string_append (xml, text);
}

static gboolean
run_attach_disk (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *source = stasis_cli_args_get (args, "source");
  const char *bus = stasis_cli_args_get (args, "targetbus");
  const char *cache = stasis_cli_args_get (args, "cache");
  const char *serial = stasis_cli_args_get (args, "serial");
  const char *mode = value_or (args, "mode", "");
  g_autoptr (GString) xml = g_string_new (NULL);
  append (xml, "<disk type='%s' device='%s'><driver name='qemu' type='%s'", type_of (source),
          value_or (args, "type", "disk"), value_or (args, "subdriver", "raw"));
  if (cache != NULL)
    append (xml, " cache='%s'", cache);
  g_string_append (xml, "/>");
  if (!append_source (cli, xml, source, error))
    return FALSE;
  append (xml, "<target dev='%s'", stasis_cli_args_get (args, "target"));
  if (bus != NULL)
    append (xml, " bus='%s'", bus);
  g_string_append (xml, "/>");
  if (strcmp (mode, "readonly") == 0)
    g_string_append (xml, "<readonly/>");
  if (strcmp (mode, "shareable") == 0)
    g_string_append (xml, "<shareable/>");
  if (serial != NULL)
    append (xml, "<serial>%s</serial>", serial);
  g_string_append (xml, "</disk>");
  return stasis_cli_change_device (cli, args, xml->str, TRUE, _ ("Disk attached successfully"),
                                   error);
}

static const StasisCliOption attach_disk_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "source", STASIS_CLI_NEEDED, "file", N_ ("source of disk device") },
  { "target", STASIS_CLI_NEEDED, "target", N_ ("target of disk device, as vdb") },
  { "targetbus", STASIS_CLI_NAMED, "bus", N_ ("target bus of disk device") },
  { "subdriver", STASIS_CLI_NAMED, "format", N_ ("format of the image: raw (default), qcow2") },
  { "cache", STASIS_CLI_NAMED, "cache", N_ ("cache mode of disk device") },
  { "type", STASIS_CLI_NAMED, "type", N_ ("target device type: disk, cdrom, floppy") },
  { "mode", STASIS_CLI_NAMED, "access", N_ ("mode of device: readonly, shareable") },
  { "serial", STASIS_CLI_NAMED, "serial", N_ ("serial of disk device") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_attach_disk = {
  .name = "attach-disk",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("attach disk device"),
  .description = N_ ("Attach new disk device."),
  .options = attach_disk_options,
  .writes = TRUE,
  .run = run_attach_disk,
};

/* (transfer full): the disk with that target or source as it is now, or an error. */
static GHashTable *
find_disk (StasisCli *cli, const StasisCliArgs *args, const char *word, GError **error)
{
  StasisAffectFlags flags;
  g_autoptr (StasisDomain) domain
      = stasis_cli_affect (args, &flags, error) ? stasis_cli_domain (cli, args, error) : NULL;
  if (domain == NULL)
    return NULL;
  const gboolean is_config = flags == STASIS_AFFECT_CONFIG;
  g_autofree char *xml
      = stasis_domain_get_xml (domain, is_config ? STASIS_XML_INACTIVE : STASIS_XML_NONE, error);
  if (xml == NULL)
    return NULL;
  g_autoptr (GPtrArray) disks = stasis_cli_xml_devices (xml, "disk");
  static const char *const paths[] = { "target@dev", "source@file", "source@dev" };
  for (guint i = 0; i < disks->len; i++)
    for (gsize p = 0; p < G_N_ELEMENTS (paths); p++)
      if (g_strcmp0 (stasis_cli_xml_value (g_ptr_array_index (disks, i), paths[p]), word) == 0)
        return g_hash_table_ref (g_ptr_array_index (disks, i));
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("no disk found whose source path or target is '%1$s'"), word);
  return NULL;
}

static gboolean
run_detach_disk (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *target = stasis_cli_args_get (args, "target");
  g_autoptr (GHashTable) disk = find_disk (cli, args, target, error);
  if (disk == NULL)
    return FALSE;
  g_autofree char *xml = g_markup_printf_escaped ("<disk><target dev='%s'/></disk>",
                                                  stasis_cli_xml_value (disk, "target@dev"));
  return stasis_cli_change_device (cli, args, xml, FALSE, _ ("Disk detached successfully"), error);
}

static const StasisCliOption detach_disk_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "target", STASIS_CLI_NEEDED, "target", N_ ("target of disk device, or its source") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_detach_disk = {
  .name = "detach-disk",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("detach disk device"),
  .description = N_ ("A running guest has to release it, which is waited for for some seconds."),
  .options = detach_disk_options,
  .writes = TRUE,
  .run = run_detach_disk,
};

static gboolean
run_change_media (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const gboolean eject = stasis_cli_args_has (args, "eject");
  const char *source = stasis_cli_args_get (args, "source");
  if (!stasis_cli_args_exclusive (args, "eject", "source", error))
    return FALSE;
  if (!eject && source == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("command '%1$s' requires <%2$s> option"), "change-media", "source");
      return FALSE;
    }
  g_autoptr (GHashTable) disk = find_disk (cli, args, stasis_cli_args_get (args, "path"), error);
  if (disk == NULL)
    return FALSE;
  g_autoptr (GString) xml = g_string_new (NULL);
  append (xml, "<disk type='%s' device='%s'><driver name='qemu' type='%s'/>", type_of (source),
          stasis_cli_xml_value (disk, "@device"), value_or (args, "subdriver", "raw"));
  if (!append_source (cli, xml, source, error))
    return FALSE;
  append (xml, "<target dev='%s'/></disk>", stasis_cli_xml_value (disk, "target@dev"));
  return stasis_cli_update_device (
      cli, args, xml->str,
      eject ? _ ("Successfully ejected media.") : _ ("Successfully updated media."), error);
}

static const StasisCliOption change_media_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "path", STASIS_CLI_NEEDED, "path", N_ ("target or source of the drive") },
  { "source", STASIS_CLI_STRING, "file", N_ ("source of the media") },
  { "eject", STASIS_CLI_FLAG, NULL, N_ ("eject the media") },
  { "subdriver", STASIS_CLI_NAMED, "format", N_ ("format of the image: raw (default), qcow2") },
  STASIS_CLI_AFFECT_OPTIONS,
  { "force", STASIS_CLI_FLAG, NULL, N_ ("force media changing") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_change_media = {
  .name = "change-media",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("change media of CD or floppy drive"),
  .description = N_ ("A guest that has locked the tray is asked, and waited for for some seconds."),
  .options = change_media_options,
  .writes = TRUE,
  .run = run_change_media,
};

static gboolean
run_attach_interface (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *type = stasis_cli_args_get (args, "type");
  const char *source = stasis_cli_args_get (args, "source");
  const char *mac = stasis_cli_args_get (args, "mac");
  const char *target = stasis_cli_args_get (args, "target");
  const char *model = stasis_cli_args_get (args, "model");
  g_autoptr (GString) xml = g_string_new (NULL);
  append (xml, "<interface type='%s'>", type);
  if (mac != NULL)
    append (xml, "<mac address='%s'/>", mac);
  if (source != NULL && strcmp (type, "bridge") == 0)
    append (xml, "<source bridge='%s'/>", source);
  else if (source != NULL)
    append (xml, "<source network='%s'/>", source);
  if (target != NULL)
    append (xml, "<target dev='%s'/>", target);
  if (model != NULL)
    append (xml, "<model type='%s'/>", model);
  g_string_append (xml, "</interface>");
  return stasis_cli_change_device (cli, args, xml->str, TRUE, _ ("Interface attached successfully"),
                                   error);
}

static const StasisCliOption attach_interface_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "type", STASIS_CLI_NEEDED, "type", N_ ("network interface type: user, bridge, network") },
  { "source", STASIS_CLI_STRING, "source", N_ ("the bridge or network") },
  { "target", STASIS_CLI_NAMED, "target", N_ ("target network name") },
  { "mac", STASIS_CLI_NAMED, "mac", N_ ("MAC address") },
  { "model", STASIS_CLI_NAMED, "model", N_ ("model type, as virtio") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_attach_interface = {
  .name = "attach-interface",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("attach network interface"),
  .description = N_ ("Attach new network interface."),
  .options = attach_interface_options,
  .writes = TRUE,
  .run = run_attach_interface,
};

static gboolean
run_detach_interface (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autofree char *xml = g_markup_printf_escaped (
      "<interface type='%s'><mac address='%s'/></interface>", stasis_cli_args_get (args, "type"),
      stasis_cli_args_get (args, "mac"));
  return stasis_cli_change_device (cli, args, xml, FALSE, _ ("Interface detached successfully"),
                                   error);
}

static const StasisCliOption detach_interface_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "type", STASIS_CLI_NEEDED, "type", N_ ("network interface type: user, bridge, network") },
  { "mac", STASIS_CLI_NEEDED, "mac", N_ ("MAC address") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_detach_interface = {
  .name = "detach-interface",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("detach network interface"),
  .description = N_ ("A running guest has to release it, which is waited for for some seconds."),
  .options = detach_interface_options,
  .writes = TRUE,
  .run = run_detach_interface,
};
