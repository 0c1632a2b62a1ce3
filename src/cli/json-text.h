/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-text.h: JSON laid out for people
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

/* (transfer full): "Key:   value" lines; objects and arrays inside are indented. */
char *stasis_cli_json_to_text (const StasisJson *json);

G_END_DECLS
