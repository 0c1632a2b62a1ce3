/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-path.h: file names in JSON
 *
 * A name may have any octets, JSON only text: what is not plain is written as %XX.
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

/* @path: (nullable): then there is no such member. */
void stasis_json_set_path (StasisJson *object, const char *key, const char *path);

/* (transfer full) (nullable): as it was set; NULL where that makes no sense. */
char *stasis_json_dup_path (const StasisJson *object, const char *key);

/* For people: @text may hold such a name, and what is not UTF-8 in it is replaced (U+FFFD). */
void stasis_json_set_text (StasisJson *object, const char *key, const char *text);

G_END_DECLS
