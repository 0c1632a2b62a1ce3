/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-devices.h: the devices of one kind in a definition
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) (element-type GHashTable): for each device <@kind> what its attributes are, by
 * their path from there: "@type", "source@file".  Of an attribute that is there more than once the
 * first counts.  Empty where the text is no definition. */
GPtrArray *stasis_cli_xml_devices (const char *xml, const char *kind) G_GNUC_WARN_UNUSED_RESULT;

/* The value (borrowed), or NULL. */
const char *stasis_cli_xml_value (const GHashTable *device, const char *path);

G_END_DECLS
