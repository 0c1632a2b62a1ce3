/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-def.h: one device by itself, and devices that come to a definition and leave it
 */

#pragma once

#include "conf/domain-def.h"

G_BEGIN_DECLS

/* A device that belongs to no definition yet, as its XML says: nothing is filled in. */
typedef struct _StasisDeviceDef StasisDeviceDef;

/* A device in a definition.  All borrowed from that. */
typedef struct
{
  const char *kind; /* "disk" */
  guint index;      /* in the list of its kind */
  gpointer item;    /* StasisDiskDef, StasisInterfaceDef ... */
  StasisDeviceInfo *info;
} StasisDevicePlace;

/* One element as it stands in <devices>.  @is_active: keep what only a running instance has (its
 * alias).  The limits are those of a definition. */
StasisDeviceDef *stasis_device_def_parse (const char *xml, gboolean is_active,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL is fine. */
void stasis_device_def_free (StasisDeviceDef *device);

/* (borrowed): the element's name. */
const char *stasis_device_def_kind (const StasisDeviceDef *device);
/* (borrowed) (nullable): where it is of that kind. */
StasisDiskDef *stasis_device_def_disk (const StasisDeviceDef *device);
StasisInterfaceDef *stasis_device_def_interface (const StasisDeviceDef *device);
StasisDeviceInfo *stasis_device_def_info (const StasisDeviceDef *device);
/* (transfer full): what it is called in messages: "disk 'vdb'". */
char *stasis_device_def_describe (const StasisDeviceDef *device);
/* (transfer full): the same of one in a definition. */
char *stasis_device_place_describe (const StasisDevicePlace *place);

/* A copy behind the others of its kind; stasis_domain_def_complete() gives it what it lacks.  A
 * disk may be in front of others afterwards only by its index here. */
void stasis_domain_def_append_device (StasisDomainDef *def, const StasisDeviceDef *device,
                                      StasisDevicePlace *out_place);
/* A copy instead of the one that is there, whose alias and address it keeps where it has none. */
void stasis_domain_def_replace_device (StasisDomainDef *def, StasisDevicePlace *place,
                                       const StasisDeviceDef *device);
void stasis_domain_def_remove_device (StasisDomainDef *def, const StasisDevicePlace *place);

/* The device that is meant: a disk by its target, an interface by its MAC address, others by alias,
 * address or all that the guest sees.  The number of those that are; the first one in *@out_place.
 */
guint stasis_domain_def_match_device (const StasisDomainDef *def, const StasisDeviceDef *device,
                                      StasisDevicePlace *out_place);
gboolean stasis_domain_def_find_alias (const StasisDomainDef *def, const char *alias,
                                       StasisDevicePlace *out_place);

/* Fill in what is missing and check the whole, as parse does at its end. */
gboolean stasis_domain_def_complete (StasisDomainDef *def, const StasisConfContext *context,
                                     StasisDomainParseFlags flags, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisDeviceDef, stasis_device_def_free)

G_END_DECLS
