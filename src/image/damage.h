/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * damage.h: collecting what a verification finds, from several threads
 */

#pragma once

#include "image/verify.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_DAMAGES_MAX 1000u

typedef struct
{
  GMutex lock;
  GPtrArray *damages; /* (owned, guarded by lock) of StasisImageFault */
  gboolean has_more;  /* (guarded by lock) than the limit */
  gboolean first_only;
  int stop; /* (atomic) not 0: enough was found */
} StasisDamageList;

void stasis_damage_list_init (StasisDamageList *list, gboolean first_only);
void stasis_damage_list_clear (StasisDamageList *list);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisDamageList, stasis_damage_list_clear)

/* Note a damage.  Any thread. */
void stasis_damage_list_add (StasisDamageList *list, guint64 offset, guint64 length,
                             const char *format, ...) G_GNUC_PRINTF (4, 5);

/* Note what an error of ours says.  TRUE where it was one: STASIS_IMAGE_ERROR and an unexpected end
 * of file are damage; everything else is propagated to @error, and FALSE. */
gboolean stasis_damage_list_add_error (StasisDamageList *list, guint64 offset, guint64 length,
                                       GError *cause_take, GError **error);

/* TRUE where enough was found. */
gboolean stasis_damage_list_is_done (StasisDamageList *list);

/* All of them in the order of the file; the list is empty afterwards. */
GPtrArray *stasis_damage_list_steal (StasisDamageList *list);

G_END_DECLS
