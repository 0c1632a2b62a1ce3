/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor.h: a text in the user's editor
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A text in a file of its own, in a folder of its own that others cannot look into. */
typedef struct _StasisCliDraft StasisCliDraft;

StasisCliDraft *stasis_cli_draft_new (const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
const char *stasis_cli_draft_path (const StasisCliDraft *draft); /* (borrowed) */
/* Let the user edit it; returns the text afterwards. */
char *stasis_cli_draft_edit (StasisCliDraft *draft, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Leave the file where it is when the draft is freed. */
void stasis_cli_draft_keep (StasisCliDraft *draft);
/* Remove it and what the editor left beside it.  NULL is fine. */
void stasis_cli_draft_free (StasisCliDraft *draft);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliDraft, stasis_cli_draft_free)

/* The editor's command line: $VISUAL, $EDITOR, or what there is. */
char **stasis_cli_editor_argv (const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
