/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state-reason.h: why a domain is in its state, in libvirt's numbers
 */

#pragma once

#include <stasis/domain.h>

G_BEGIN_DECLS

/* 0 where libvirt has no number for it. */
gint32 stasis_state_reason_number (StasisDomainState state, const char *reason);
/* (nullable): the word behind it. */
const char *stasis_state_reason_word (StasisDomainState state, gint32 number);

G_END_DECLS
