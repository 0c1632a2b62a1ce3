/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-validate-disks.c: refuse disks that contradict themselves or each other
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define SERIAL_MAX_OCTETS 36u /* what QEMU takes at most, by any bus */

int
stasis_disk_target_index (const char *target)
{
  static const char *const prefixes[] = { "vd", "sd", "hd", "fd", "xvd", "ubd" };

  const char *letters = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (prefixes) && letters == NULL; i++)
    if (g_str_has_prefix (target, prefixes[i]))
      letters = target + strlen (prefixes[i]);
  if (letters == NULL || *letters == '\0' || strlen (letters) > 3)
    return -1;

  /* a, b, ... z, aa, ab, ...: digits from 1 to 26 */
  int index = 0;
  for (const char *p = letters; *p != '\0'; p++)
    {
      if (!g_ascii_islower (*p))
        return -1;
      index = 26 * index + (*p - 'a' + 1);
    }
  return index - 1;
}

static gboolean
validate_words (const StasisDiskDef *disk, const char *place, GError **error)
{
  const struct
  {
    const char *value;
    const char *path;
    const char *words;
  } checks[] = {
    { disk->driver_name, "driver/@name", "qemu" },
    { disk->snapshot, "@snapshot", "internal external no manual" },
    { disk->error_policy, "driver/@error_policy", "stop report ignore enospace" },
    { disk->rerror_policy, "driver/@rerror_policy", "stop report ignore" },
    { disk->io, "driver/@io", "native threads io_uring" },
    { disk->discard, "driver/@discard", "unmap ignore" },
    { disk->detect_zeroes, "driver/@detect_zeroes", "off on unmap" },
    { disk->startup_policy, "source/@startupPolicy", "mandatory requisite optional" },
    { disk->tray, "target/@tray", "open closed" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s", place, checks[i].path);
      if (!stasis_conf_check_word (checks[i].value, path, checks[i].words, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
validate_source (const StasisDiskDef *disk, const char *place, GError **error)
{
  if (disk->source == NULL && disk->device == STASIS_DISK_DEVICE_DISK)
    return stasis_conf_invalid (error, _ ("%1$s/source: the disk needs a file or a device"), place);
  if (disk->source != NULL && !g_path_is_absolute (disk->source))
    return stasis_conf_invalid (error, _ ("%1$s/source: '%2$s' is not an absolute path"), place,
                                disk->source);
  const gboolean is_direct
      = disk->cache == STASIS_DISK_CACHE_NONE || disk->cache == STASIS_DISK_CACHE_DIRECTSYNC;
  if (g_strcmp0 (disk->io, "native") == 0 && !is_direct)
    return stasis_conf_invalid (
        error, _ ("%1$s/driver/@io: 'native' needs cache 'none' or 'directsync'"), place);
  if (disk->copy_on_read == STASIS_TRISTATE_ON && disk->readonly)
    return stasis_conf_invalid (error, _ ("%1$s/driver/@copy_on_read: not on a read-only disk"),
                                place);
  return TRUE;
}

/* Which devices each bus takes. */
static gboolean
validate_bus (const StasisDomainDef *def, const StasisDiskDef *disk, const char *place,
              GError **error)
{
  const gboolean is_floppy = disk->device == STASIS_DISK_DEVICE_FLOPPY;
  const char *bus = stasis_disk_bus_names[disk->bus];

  if (disk->bus == STASIS_DISK_BUS_UNSET)
    return stasis_conf_invalid (error, _ ("%1$s/target/@bus: missing, and '%2$s' does not tell"),
                                place, disk->target);
  if (is_floppy != (disk->bus == STASIS_DISK_BUS_FDC))
    return stasis_conf_invalid (error, _ ("%1$s/target/@bus: no '%2$s' on bus '%3$s'"), place,
                                stasis_disk_device_names[disk->device], bus);
  if (disk->device == STASIS_DISK_DEVICE_CDROM && disk->bus == STASIS_DISK_BUS_VIRTIO)
    return stasis_conf_invalid (error, _ ("%1$s/target/@bus: no 'cdrom' on bus 'virtio'"), place);
  if (disk->bus == STASIS_DISK_BUS_IDE && stasis_domain_def_is_q35 (def))
    return stasis_conf_invalid (error,
                                _ ("%1$s/target/@bus: machine '%2$s' has no IDE, use 'sata'"),
                                place, def->os.machine);
  if (disk->bus != STASIS_DISK_BUS_VIRTIO
      && (disk->model != STASIS_VIRTIO_UNSET || disk->queue_size != STASIS_UNSET
          || disk->queues != STASIS_UNSET))
    return stasis_conf_invalid (
        error, _ ("%1$s: model, queues and queue_size are for bus 'virtio' only"), place);
  return TRUE;
}

static gboolean
validate_identity (const StasisDiskDef *disk, const char *place, GError **error)
{
  if (disk->serial != NULL && strlen (disk->serial) > SERIAL_MAX_OCTETS)
    return stasis_conf_invalid (error, _ ("%1$s/serial: longer than %2$u octets"), place,
                                SERIAL_MAX_OCTETS);
  if (disk->wwn != NULL
      && (strlen (disk->wwn) != 16 || strspn (disk->wwn, "0123456789abcdefABCDEF") != 16))
    return stasis_conf_invalid (error, _ ("%1$s/wwn: '%2$s' is not 16 hexadecimal digits"), place,
                                disk->wwn);
  if (disk->bus != STASIS_DISK_BUS_SCSI && (disk->vendor != NULL || disk->product != NULL))
    return stasis_conf_invalid (error, _ ("%1$s: vendor and product are for bus 'scsi' only"),
                                place);
  return TRUE;
}

static gboolean
validate_iothread (const StasisDomainDef *def, const StasisDiskDef *disk, const char *place,
                   GError **error)
{
  if (disk->iothread == STASIS_UNSET)
    return TRUE;
  if (disk->bus != STASIS_DISK_BUS_VIRTIO)
    return stasis_conf_invalid (error, _ ("%1$s/driver/@iothread: for bus 'virtio' only"), place);
  if (disk->iothread < 1 || disk->iothread > def->iothreads)
    return stasis_conf_invalid (error, _ ("%1$s/driver/@iothread: no such I/O thread"), place);
  return TRUE;
}

gboolean
stasis_domain_validate_disks (const StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) targets = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = def->disks->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/disk[%u]", i + 1);

      if (disk->target == NULL)
        return stasis_conf_invalid (error, _ ("%1$s/target/@dev: missing"), place);
      if (stasis_disk_target_index (disk->target) < 0)
        return stasis_conf_invalid (error, _ ("%1$s/target/@dev: '%2$s' is no name of a disk"),
                                    place, disk->target);
      if (!g_hash_table_add (targets, disk->target))
        return stasis_conf_invalid (error, _ ("%1$s/target/@dev: '%2$s' is used twice"), place,
                                    disk->target);
      if (!validate_source (disk, place, error) || !validate_bus (def, disk, place, error)
          || !validate_identity (disk, place, error) || !validate_iothread (def, disk, place, error)
          || !validate_words (disk, place, error))
        return FALSE;
    }
  return TRUE;
}
