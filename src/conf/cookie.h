/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cookie.h: the migration cookie in a save image of libvirt
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): the domain XML with the CPU of the cookie, which is the guest's CPU as QEMU had
 * it with all its features; the XML's own may be a wish ("host-model").  A cookie without a CPU
 * leaves the XML as it is.  What else a cookie holds is libvirt's own business.  Fails with
 * STASIS_CONF_ERROR. */
char *stasis_cookie_apply (const char *xml, gsize length, const char *cookie, gsize cookie_length,
                           const char *source_name, GError **error);

G_END_DECLS
