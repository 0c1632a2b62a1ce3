/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-open.h: save images of all kinds, for the public API
 */

#pragma once

#include "conf/domain-def.h"
#include "image/input.h"

G_BEGIN_DECLS

/* Open @path, or a duplicate of @fd where that is NULL. */
StasisImageInput *stasis_image_open_any (const char *path, int fd, GCancellable *cancellable,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Open a duplicate of @fd, called @name in messages. */
StasisImageInput *stasis_image_open_any_fd (int fd, const char *name, GCancellable *cancellable,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* (transfer full): what messages call @fd by itself. */
char *stasis_image_name_fd (int fd);

/* The definition inside as text; STASIS_ERROR_UNSUPPORTED where the kind has none. */
char *stasis_image_any_text (const StasisImageInput *input,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same as it stands there, with nothing filled in. */
StasisDomainDef *stasis_image_any_def (const StasisImageInput *input,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
