/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-private.h: what the files behind command.h share
 *
 * Each stasis_args_add_*() appends one theme's options.  Those that can meet something QEMU cannot
 * do here fail with STASIS_ERROR_UNSUPPORTED and the place in the XML.
 */

#pragma once

#include "driver/command.h"
#include "util/json.h"

G_BEGIN_DECLS

typedef struct
{
  const StasisDomainDef *def;
  const StasisQemuCaps *caps;
  const StasisCommandHost *host;
  GPtrArray *argv; /* of char *, (owned) */
  gboolean is_q35;
  gboolean is_kvm;
  const char *node_base; /* (nullable) what the block nodes of a disk are called, if not as usual */
} StasisArgs;

/* Whether there is a resource for it (resource.c asks the same). */
gboolean stasis_command_has_nvram (const StasisOsDef *os);
gboolean stasis_command_has_medium (const StasisDiskDef *disk);
StasisDiskCache stasis_command_cache_mode (const StasisDiskDef *disk);
gboolean stasis_command_wants_vhost (const StasisInterfaceDef *interface);

/* command-args.c: options, devices, addresses. */
void stasis_args_add (StasisArgs *args, const char *option, const char *value);
void stasis_args_add_printf (StasisArgs *args, const char *option, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void stasis_args_add_json (StasisArgs *args, const char *option, StasisJson *object_take);

/* ",name=value" with the commas in it doubled, as QEMU's option syntax wants them. */
void stasis_args_append (GString *options, const char *name, const char *value);

/* The opened resource PREFIX + NAME. */
const StasisResource *stasis_args_need (const StasisArgs *args, const char *prefix,
                                        const char *name, GError **error);

/* {"driver": DRIVER, "id": alias of @info}.  NULL where this QEMU has no such device; @place is
 * the device's in the XML. */
StasisJson *stasis_args_device (const StasisArgs *args, const char *driver,
                                const StasisDeviceInfo *info, const char *place,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for the first that this QEMU has of a device and its virtio variants. */
StasisJson *stasis_args_virtio_device (const StasisArgs *args, const char *driver,
                                       StasisVirtioModel model, const StasisDeviceInfo *info,
                                       const char *place, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the device sits; boot index; option ROM. */
gboolean stasis_args_set_address (const StasisArgs *args, StasisJson *device,
                                  const StasisDeviceInfo *info, const char *place, GError **error);
void stasis_args_set_boot_index (StasisJson *device, gint64 index);
void stasis_args_set_rom (StasisJson *device, const StasisDeviceInfo *info);

/* "on" and "off" for a value that is set; TRUE where it is. */
void stasis_args_set_tristate (StasisJson *device, const char *name, StasisTristate value);
void stasis_args_set_number (StasisJson *device, const char *name, gint64 value);

/* Which number a device gets from <os><boot dev=…>, or STASIS_UNSET. */
gint64 stasis_args_boot_index_of_disk (const StasisArgs *args, const StasisDiskDef *disk);
gint64 stasis_args_boot_index_of_interface (const StasisArgs *args,
                                            const StasisInterfaceDef *interface);

const StasisControllerDef *stasis_args_controller (const StasisArgs *args,
                                                   StasisControllerType type, gint64 index);

/* The id of <audio id=…>, (transfer full). */
char *stasis_args_audiodev (const StasisArgs *args, gint64 id);

/* Themes. */
gboolean stasis_args_add_machine (StasisArgs *args, GError **error);
gboolean stasis_args_add_memory (StasisArgs *args, GError **error);
gboolean stasis_args_add_generation_id (StasisArgs *args, GError **error);
gboolean stasis_args_add_cpu (StasisArgs *args, GError **error);
gboolean stasis_args_add_clock (StasisArgs *args, GError **error);
gboolean stasis_args_add_boot (StasisArgs *args, GError **error);
gboolean stasis_args_add_firmware (StasisArgs *args, GError **error);
gboolean stasis_args_add_controllers (StasisArgs *args, GError **error);
gboolean stasis_args_add_hubs (StasisArgs *args, GError **error);
gboolean stasis_args_add_disks (StasisArgs *args, GError **error);
gboolean stasis_args_add_interfaces (StasisArgs *args, GError **error);
gboolean stasis_args_add_chardevs (StasisArgs *args, GError **error);
gboolean stasis_args_add_inputs (StasisArgs *args, GError **error);
gboolean stasis_args_add_displays (StasisArgs *args, GError **error);
gboolean stasis_args_add_devices (StasisArgs *args, GError **error);

/* The same for one of them; @place is its place in the XML. */
gboolean stasis_args_add_disk (StasisArgs *args, const StasisDiskDef *disk, const char *place,
                               GError **error);
gboolean stasis_args_add_interface (StasisArgs *args, const StasisInterfaceDef *interface,
                                    const char *place, GError **error);

/* command-block.c: the chain of nodes behind a disk; *@out_node (transfer full) is its top. */
gboolean stasis_args_add_disk_nodes (StasisArgs *args, const StasisDiskDef *disk, char **out_node,
                                     GError **error);
/* Two nodes over a file of firmware, the upper one named NAME-format. */
gboolean stasis_args_add_flash_nodes (StasisArgs *args, const char *name,
                                      const StasisResource *resource, StasisDiskFormat format,
                                      GError **error);

G_END_DECLS
