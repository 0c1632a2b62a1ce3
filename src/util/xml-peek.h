/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-peek.h: one value out of a definition
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The text of the first element at @path ("domain/os/type"), stripped, or NULL where there is
 * none.  For showing things; definitions are parsed by the library. */
char *stasis_xml_peek (const char *xml, const char *path);

G_END_DECLS
