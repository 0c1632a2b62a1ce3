/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-info.h: what an image says of itself, for people and for programs
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

/* (transfer full): with each time of nanoseconds ("created-ns") a second member ("created") that is
 * ISO 8601, local, with its zone. */
StasisJson *stasis_cli_image_info_to_json (const StasisJson *info) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full): lines, with readable times and sizes and nothing twice. */
char *stasis_cli_image_info_to_text (const StasisJson *info) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
