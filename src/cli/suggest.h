/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * suggest.h: the word that somebody may have meant
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The one of @words (ending with NULL) nearest to @word, or NULL where none is near. */
const char *stasis_cli_suggest (const char *word, const char *const *words);

G_END_DECLS
