/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.h: whether a domain runs
 */

#pragma once

#include "driver/driver-private.h"
#include "driver/status.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_LOOK_OFF,    /* no QEMU of it lives */
  STASIS_LOOK_ACTIVE, /* one does */
  STASIS_LOOK_LOST,   /* one may, but its status cannot be read */
} StasisLook;

/* How the domain is.  A job whose process and supervisor are dead is recovered first.
 * @out_status: (transfer full): with ACTIVE; @error is set with LOST. */
StasisLook stasis_look (StasisDriver *driver, const char *name, StasisStatus **out_status,
                        GError **error);

/* The same, and nothing is recovered: for who ends the domain anyway. */
StasisLook stasis_look_only (StasisDriver *driver, const char *name, StasisStatus **out_status,
                             GError **error);

G_END_DECLS
