/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-sysinfo.h: what the firmware says of the host
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_SYSINFO_FOLDER "/sys/class/dmi/id"

/* (transfer full): libvirt's <sysinfo>, of the files in that folder; STASIS_ERROR_UNSUPPORTED where
 * there are none. */
char *stasis_host_sysinfo (const char *folder, GError **error);

G_END_DECLS
