/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-change.h: a change of a running guest's devices, as its status notes it
 */

#pragma once

#include <gio/gio.h>

#include "util/json.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_CHANGE_PLUG,   /* a device comes, and what is behind it on the host */
  STASIS_CHANGE_CPU,    /* a processor comes */
  STASIS_CHANGE_MEDIUM, /* a drive has another medium, or none */
  STASIS_CHANGE_LINK,   /* an interface's link is set */
  STASIS_CHANGE_MEMORY, /* the balloon is set */
  STASIS_CHANGE_UNPLUG, /* a device is to go, once the guest releases it */
} StasisChangeKind;

typedef struct
{
  StasisChangeKind kind;
  char *id;            /* (owned) (nullable) QEMU's device */
  char *nodes;         /* (owned) (nullable) the name that those of a disk begin with: "disk-vdb" */
  char *medium;        /* (owned) (nullable) MEDIUM: the node on top; NULL: none */
  char *medium_before; /* (owned) (nullable) MEDIUM: what was in the drive */
  char *netdev;        /* (owned) (nullable) an interface's other end */
  guint64 value;       /* LINK: up; MEMORY: octets; PLUG: 1 for a link that is down */
} StasisDeviceChange;

#define STASIS_MEDIA_MAX 9u /* the last generation */

/* (transfer full): what the names of a disk's block nodes begin with.  @generation: 0, or another
 * where the medium that goes still has those names. */
char *stasis_disk_node_base (const char *target, guint generation);

StasisDeviceChange *stasis_device_change_new (StasisChangeKind kind, const char *id);
/* NULL is fine. */
void stasis_device_change_free (StasisDeviceChange *change);

StasisJson *stasis_device_change_to_json (const StasisDeviceChange *change);
/* NULL where it makes no sense. */
StasisDeviceChange *stasis_device_change_from_json (const StasisJson *json);

/* (transfer full): of StasisDeviceChange; those that make no sense are left out. */
GPtrArray *stasis_device_changes_new (void);
GPtrArray *stasis_device_changes_from_json (const StasisJson *array);
StasisJson *stasis_device_changes_to_json (const GPtrArray *changes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisDeviceChange, stasis_device_change_free)

G_END_DECLS
