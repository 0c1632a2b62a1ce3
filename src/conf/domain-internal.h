/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-internal.h: the steps between reading XML and a complete definition
 */

#pragma once

#include "conf/domain-def.h"
#include "conf/domain-schema.h"

G_BEGIN_DECLS

/* What is not written but has a value: canonical machine, disk bus, MAC... (domain-defaults.c) */
gboolean stasis_domain_fill_defaults (StasisDomainDef *def, const StasisConfContext *context,
                                      StasisDomainParseFlags flags, GError **error);
void stasis_domain_fill_device_defaults (StasisDomainDef *def, StasisDomainParseFlags flags);
gboolean stasis_domain_fill_interfaces (StasisDomainDef *def, const StasisConfContext *context,
                                        StasisDomainParseFlags flags, GError **error);

/* Refuse what contradicts itself or cannot work (domain-validate*.c). */
gboolean stasis_domain_validate (const StasisDomainDef *def, GError **error);
gboolean stasis_domain_validate_devices (const StasisDomainDef *def, GError **error);
gboolean stasis_domain_validate_disks (const StasisDomainDef *def, GError **error);
gboolean stasis_domain_validate_vcpu_list (const StasisDomainDef *def, GError **error);
gboolean stasis_domain_validate_chardevs (const StasisDomainDef *def, GError **error);

/* Devices that every machine of this kind has (domain-implicit.c). */
gboolean stasis_domain_add_implicit (StasisDomainDef *def, GError **error);

/* libvirt's order of the controllers that are written (domain-implicit.c). */
void stasis_domain_sort_controllers (StasisDomainDef *def);

/* Addresses of all devices (domain-address*.c). */
gboolean stasis_domain_assign_addresses (StasisDomainDef *def, GError **error);
gboolean stasis_domain_assign_pci (StasisDomainDef *def, GError **error);
gboolean stasis_domain_assign_usb (StasisDomainDef *def, GError **error);

/* What devices are called, where a definition has the list of them, and where each has its
 * StasisDeviceInfo (domain-devices.c). */
typedef struct
{
  const char *name;
  gsize list;
  gsize info;
  const StasisSchema *schema;
} StasisDeviceKind;

const StasisDeviceKind *stasis_device_kinds (guint *out_n_kinds);

/* The StasisDeviceInfo of every device (domain-devices.c). (transfer container) */
GPtrArray *stasis_domain_list_infos (const StasisDomainDef *def);

/* (transfer full): "/domain/devices/disk[2]", for messages; "/domain/devices" of a controller. */
char *stasis_domain_info_path (const StasisDomainDef *def, const StasisDeviceInfo *info);

/* Controllers in a definition (domain-devices.c). */
void stasis_domain_insert_controller (StasisDomainDef *def, StasisControllerDef *controller_take);
StasisControllerDef *stasis_domain_find_controller (const StasisDomainDef *def,
                                                    StasisControllerType type, gint64 index);
StasisControllerDef *stasis_domain_add_controller (StasisDomainDef *def, StasisControllerType type,
                                                   gint64 index, StasisControllerModel model);

/* No address at all. */
void stasis_address_clear (StasisAddress *address);

/* TRUE for the USB 1 parts of an ICH9 USB 2 controller, which share its index. */
gboolean stasis_controller_is_companion (StasisControllerModel model);

/* Place of a disk from its name: "sdc" is 2.  -1 where it is no such name. */
int stasis_disk_target_index (const char *target);

/* TRUE where @value is NULL or one of @words, which blanks separate. */
gboolean stasis_conf_check_word (const char *value, const char *path, const char *words,
                                 GError **error);

/* Set STASIS_CONF_ERROR_INVALID (or _UNSUPPORTED) with @format; returns FALSE. */
gboolean stasis_conf_invalid (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
gboolean stasis_conf_unsupported (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
