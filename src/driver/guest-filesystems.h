/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-filesystems.h: what a guest has mounted, as its agent says
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct
{
  char *mountpoint; /* (owned) */
  char *name;       /* (owned) of the guest's device */
  char *type;       /* (owned) "ext4" */
  GPtrArray *disks; /* (owned) (element-type utf8) targets of those that it is on */
} StasisGuestFilesystem;

/* (transfer full) (element-type StasisGuestFilesystem) */
GPtrArray *stasis_domain_guest_filesystems (StasisDomain *self, GError **error);

G_END_DECLS
