/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-metadata.h: the elements that programs keep in a definition's <metadata>
 *
 * Each belongs to a name space, by which it is found; there is one of each.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) (nullable): the element of @uri in a whole <metadata> element, itself without
 * name space; NULL where there is none. */
char *stasis_domain_metadata_get (const char *metadata, const char *uri);

/* *@metadata (nullable, owned) with @xml, one element, as that of @uri, prefixed by @key; without
 * any where @xml is NULL. */
gboolean stasis_domain_metadata_set (char **metadata, const char *uri, const char *key,
                                     const char *xml, GError **error);

G_END_DECLS
