/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-form.h: which kind of image a save writes, and how compressed
 */

#pragma once

#include "image/kind.h"

G_BEGIN_DECLS

typedef struct
{
  StasisImageKind kind;
  int level; /* zstd's; 0: no compression (stasis-stream), the compressor's choice (libvirt's) */
} StasisSaveForm;

/* From what users say.  @format NULL: our own kind that suits; @compress NULL: none.
 * @needs_stream: it goes where nothing can be rewritten.  Fails with
 * STASIS_ERROR_INVALID_ARGUMENT or STASIS_ERROR_UNSUPPORTED, naming what there is. */
gboolean stasis_save_form_choose (const char *format, const char *compress, gboolean needs_stream,
                                  StasisSaveForm *out_form, GError **error);

G_END_DECLS
